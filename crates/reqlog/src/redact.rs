//! Deleting private details for good, for example because a person asks for it. The public log and every proof stay as they are.

use crate::details::{Details, DetailsError};
use crate::durable::{self, DurableError};
use crate::entry::Leaf;
use crate::wal::{Rewritten, WalkError, list_segments, rewrite, segment_path};
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Nothing was redacted.
#[derive(Debug, thiserror::Error)]
pub enum RedactError {
    /// The log is open for writing. Stop the keeper first.
    #[error("the log in {} is being written; stop the keeper first", dir.display())]
    Locked {
        /// The log's directory.
        dir: PathBuf,
    },
    /// There is no such entry, or its segment is damaged: run `log fsck`.
    #[error("{} has no entry {index}: the log ends before it; if it should be there, run `log fsck`", segment.display())]
    Entry {
        /// The index that was asked for.
        index: u64,
        /// The segment in which it should be.
        segment: PathBuf,
    },
    /// The entry's details cannot be read, so fields of them cannot be deleted; all of them can.
    #[error("the details of entry {index} cannot be read; delete all of them instead of single fields")]
    Details {
        /// The entry.
        index: u64,
        /// Why not.
        #[source]
        source: DetailsError,
    },
    /// A file could not be read or locked. A retry may work.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// With which file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// The segment could not be replaced. A retry may work.
    #[error(transparent)]
    Durable(#[from] DurableError),
}

/// Deletes private fields of an entry from the segments: salt and value of each named field, or of all fields when `fields` is empty.
/// Fields that the entry does not have, or that were deleted before, are passed over. Returns whether anything changed.
///
/// The log must not be open. Copies of the segment (backups, `.torn` files) are not reached, and the disk may keep the old blocks until
/// they are overwritten. Memory: one segment.
///
/// # Errors
/// [`RedactError`].
pub fn redact(dir: &Path, index: u64, fields: &[&str]) -> Result<bool, RedactError> {
    let _lock = lock(dir)?;
    let wal = dir.join("wal");
    let segments = list_segments(&wal).map_err(io_error("list", &wal))?;
    let segment = segment_path(&wal, segments.range(..=index).next_back().copied().unwrap_or(0));
    let (changed, entries) = redact_segment(&segment, fields, |at, _| at == index)?;
    if entries.contains(&index) { Ok(changed > 0) } else { Err(RedactError::Entry { index, segment }) }
}

/// Deletes private fields of all entries that are older than `before` (milliseconds since 1970, by the entries' own times), as [`redact`]
/// does of one. Returns of how many entries something was deleted. Memory: two segments.
///
/// # Errors
/// [`RedactError`]; segments before the one that is named were done.
pub fn redact_older(dir: &Path, before: u64, fields: &[&str]) -> Result<u64, RedactError> {
    let _lock = lock(dir)?;
    let wal = dir.join("wal");
    let mut all = 0_u64;
    for first in list_segments(&wal).map_err(io_error("list", &wal))? {
        let mut newer = false;
        let (changed, _) = redact_segment(&segment_path(&wal, first), fields, |_, leaf| {
            // A leaf that cannot be read says no time: what is not known to be old is kept.
            let old = Leaf::parse(leaf).is_ok_and(|leaf| leaf.time < before);
            newer |= !old;
            old
        })?;
        all = all.saturating_add(changed);
        // Times never go back, so no later segment has older entries.
        if newer {
            break;
        }
    }
    Ok(all)
}

/// Writes a segment anew without these fields of the entries that are `wanted`, by index and leaf. Returns how many entries changed, and which
/// entries the segment has.
fn redact_segment(segment: &Path, fields: &[&str], mut wanted: impl FnMut(u64, &[u8]) -> bool) -> Result<(u64, Range<u64>), RedactError> {
    let mode = std::fs::metadata(segment).map_err(io_error("look at", segment))?.permissions().mode() & 0o777;
    let (mut unreadable, mut changed) = (None, 0_u64);
    let rewritten = rewrite(segment, |index, leaf, details| {
        if !wanted(index, leaf) {
            return None;
        }
        let new = redacted(details, fields).map_err(|source| unreadable = Some((index, source))).ok().flatten()?;
        changed = changed.saturating_add(1);
        Some(new)
    });
    if let Some((index, source)) = unreadable {
        return Err(RedactError::Details { index, source });
    }
    match rewritten {
        Ok(Rewritten { bytes, entries }) => {
            if let Some(bytes) = bytes {
                durable::write_atomic(segment, &bytes, mode)?;
            }
            Ok((changed, entries))
        }
        Err(WalkError::Io(source)) => Err(io_error("read", segment)(source)),
        Err(WalkError::Record { index, .. }) => Err(RedactError::Entry { index, segment: segment.to_owned() }),
        Err(WalkError::Header(_)) => Err(RedactError::Entry { index: 0, segment: segment.to_owned() }),
    }
}

/// The details without these fields; `None` if that changes nothing.
fn redacted(details: &[u8], fields: &[&str]) -> Result<Option<Vec<u8>>, DetailsError> {
    if details.is_empty() {
        return Ok(None);
    }
    let mut parsed = Details::decode(details)?;
    let all: Vec<String> = parsed.fields().iter().map(|f| f.name().to_owned()).collect();
    for name in all.iter().filter(|name| fields.is_empty() || fields.contains(&name.as_str())) {
        parsed.redact(name);
    }
    let after = parsed.encode();
    Ok((after != details).then_some(after))
}

fn lock(dir: &Path) -> Result<File, RedactError> {
    let path = dir.join("lock");
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io_error("open", &path))?;
    match durable::try_lock(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(RedactError::Locked { dir: dir.to_owned() }),
        Err(e) => Err(io_error("lock", &path)(e)),
    }
}

fn io_error<'a>(step: &'static str, path: &'a Path) -> impl Fn(io::Error) -> RedactError + 'a {
    move |source| RedactError::Io { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Bed;
    use crate::{Decision, Leaf, NewEntry, Salts, Token};

    fn entry(number: u64) -> NewEntry {
        let values: [(&str, &[u8]); 2] = [("principal", b"spiffe://example.org/secret-name"), ("subject", b"prod")];
        let details = Details::new(&values, &mut Salts::random(2).unwrap()).unwrap();
        let mut leaf = Leaf::event(Token::SIGN, Decision::Permit, number);
        leaf.details = Some(details.commitment());
        NewEntry { leaf: leaf.to_bytes(), details: details.encode() }
    }

    fn contains(bed: &Bed, text: &[u8]) -> usize {
        let count = |path: PathBuf| std::fs::read(path).unwrap().windows(text.len()).filter(|w| *w == text).count();
        std::fs::read_dir(bed.path("wal")).unwrap().map(|e| count(e.unwrap().path())).sum()
    }

    #[test]
    fn a_redacted_field_is_gone_from_the_disk_and_everything_else_still_verifies() {
        let mut bed = Bed::new();
        bed.config.segment_bytes = 8 << 10;
        let (mut log, _) = bed.open();
        for n in 0..20 {
            log.append(&[entry(n * 2), entry(n * 2 + 1)]).unwrap();
        }
        let before = log.checkpoint();
        assert!(matches!(redact(&bed.config.dir, 3, &[]), Err(RedactError::Locked { .. })));
        log.close().unwrap();
        assert_eq!(contains(&bed, b"secret-name"), 40);
        for (left, index) in [(39, 3), (38, 38), (37, 39), (36, 17)] {
            assert!(redact(&bed.config.dir, index, &["principal", "unknown"]).unwrap());
            assert!(!redact(&bed.config.dir, index, &["principal"]).unwrap());
            assert_eq!(contains(&bed, b"secret-name"), left);
        }
        let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
        assert!(report.is_sound(), "{:?}", report.findings);
        let (mut log, _) = bed.open();
        assert_eq!(log.checkpoint(), before);
        let details = Details::decode(&log.reader().details(3).unwrap().unwrap()).unwrap();
        assert_eq!((details.field("principal").unwrap().value(), details.field("subject").unwrap().value()), (None, Some(&b"prod"[..])));
        log.append(&[entry(40)]).unwrap();
        log.close().unwrap();
        assert!(redact(&bed.config.dir, 40, &[]).unwrap());
        assert_eq!(bed.open().1.size, 41);
    }

    #[test]
    fn what_is_old_goes_and_what_is_newer_stays_over_all_segments() {
        let mut bed = Bed::new();
        bed.config.segment_bytes = 64 * 1024;
        let (mut log, _) = bed.open();
        for n in 0..300 {
            log.append(&[entry(n)]).unwrap();
        }
        let before = log.checkpoint();
        log.close().unwrap();
        assert!(list_segments(&bed.path("wal")).unwrap().len() > 1);
        assert_eq!(redact_older(&bed.config.dir, 250, &["principal"]).unwrap(), 250);
        assert_eq!(redact_older(&bed.config.dir, 250, &["principal"]).unwrap(), 0);
        assert_eq!(contains(&bed, b"secret-name"), 50);
        assert!(crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {}).is_sound());
        let (log, _) = bed.open();
        assert_eq!(log.checkpoint(), before);
        for (index, kept) in [(0, false), (249, false), (250, true), (299, true)] {
            let details = Details::decode(&log.reader().details(index).unwrap().unwrap()).unwrap();
            assert_eq!(
                (details.field("principal").unwrap().value().is_some(), details.field("subject").unwrap().value().is_some()),
                (kept, true),
                "{index}"
            );
        }
        log.close().unwrap();
        assert_eq!(redact_older(&bed.config.dir, 1000, &[]).unwrap(), 300);
    }

    #[test]
    fn what_is_not_there_cannot_be_redacted() {
        let bed = Bed::new();
        let (mut log, _) = bed.open();
        log.append(&[entry(0), NewEntry { leaf: b"x".to_vec(), details: b"y".to_vec() }]).unwrap();
        log.close().unwrap();
        assert!(matches!(redact(&bed.config.dir, 2, &[]), Err(RedactError::Entry { index: 2, .. })));
        assert!(matches!(redact(&bed.config.dir, 1, &["a"]), Err(RedactError::Details { index: 1, .. })));
    }
}

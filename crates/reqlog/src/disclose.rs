//! Showing single private fields to somebody who may see them, in a form that they can check against the public log.

use crate::details::{Details, DetailsError, Disclosure};
use crate::wal::{Walk, WalkError, list_segments, segment_path};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

mod line;

pub use line::{Disclosed, DisclosedError};

/// Nothing more is disclosed.
#[derive(Debug, thiserror::Error)]
pub enum DiscloseError {
    /// A file could not be read. A retry may work.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// A segment is damaged: run `log fsck`.
    #[error("{} is damaged; run `log fsck`", segment.display())]
    Damaged {
        /// The segment.
        segment: PathBuf,
    },
    /// The details of an entry cannot be read: run `log fsck`.
    #[error("the details of entry {index} cannot be read; run `log fsck`")]
    Details {
        /// The entry.
        index: u64,
        /// Why not.
        #[source]
        source: DetailsError,
    },
    /// There are not so many entries.
    #[error("the log ends at entry {size}; entries are numbered from 0")]
    Beyond {
        /// How many there are.
        size: u64,
    },
    /// What was disclosed could not be handed on.
    #[error("the disclosure could not be written")]
    Output(#[source] io::Error),
}

/// Hands the named fields of some entries to `take`, all fields when none are named. Fields that an entry does not have, or that were
/// redacted, are passed over. The log may be in use. Memory: one record.
///
/// # Errors
/// [`DiscloseError`]; what was handed on before it stays right.
pub fn disclose(
    dir: &Path,
    mut range: Range<u64>,
    fields: &[&str],
    mut take: impl FnMut(&Disclosed) -> io::Result<()>,
) -> Result<(), DiscloseError> {
    let wal = dir.join("wal");
    let segments = list_segments(&wal).map_err(|source| DiscloseError::Io { path: wal.clone(), source })?;
    let begin = segments.range(..=range.start).next_back().copied().unwrap_or(0);
    let mut end = 0;
    for segment in segments.range(begin..) {
        if range.is_empty() {
            break;
        }
        let path = segment_path(&wal, *segment);
        let failed = |error| match error {
            WalkError::Io(source) => DiscloseError::Io { path: path.clone(), source },
            WalkError::Header(_) | WalkError::Record { .. } => DiscloseError::Damaged { segment: path.clone() },
        };
        let mut walk = Walk::open(&path).map_err(failed)?;
        let log = walk.header.origin.clone();
        while !range.is_empty() {
            let Some(record) = walk.next().map_err(failed)? else { break };
            end = record.first.saturating_add(record.entries.number());
            if end <= range.start || record.is_redacted() {
                range.start = range.start.max(end);
                continue;
            }
            let private = record.private().ok_or_else(|| DiscloseError::Damaged { segment: path.clone() })?;
            for (index, details) in (record.first..).zip(private).filter(|(index, _)| range.contains(index)) {
                for disclosure in disclosures(index, details, fields)? {
                    take(&Disclosed { log: log.clone(), index, disclosure }).map_err(DiscloseError::Output)?;
                }
            }
            range.start = range.start.max(end);
        }
    }
    if range.is_empty() { Ok(()) } else { Err(DiscloseError::Beyond { size: end }) }
}

fn disclosures(index: u64, details: &[u8], fields: &[&str]) -> Result<Vec<Disclosure>, DiscloseError> {
    if details.is_empty() {
        return Ok(Vec::new());
    }
    let details = Details::decode(details).map_err(|source| DiscloseError::Details { index, source })?;
    let wanted = |name: &str| fields.is_empty() || fields.contains(&name);
    Ok(details.fields().iter().filter(|f| wanted(f.name())).filter_map(|f| details.disclose(f.name())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bed, leaf};
    use crate::{Leaf, NewEntry, Salts};

    fn log_with_details() -> Bed {
        let bed = Bed::new();
        let (mut log, _) = bed.open();
        let none = |n| NewEntry { leaf: leaf(n), details: Vec::new() };
        log.append(&[none(0), none(1)]).unwrap();
        let mut salts = Salts::random(8).unwrap();
        let details = Details::new(&[("principal", b"web1"), ("subject", b"prod"), ("request", b"\xff\0")], &mut salts).unwrap();
        let mut leaf = Leaf::event(crate::Token::SIGN, crate::Decision::Permit, 7);
        leaf.details = Some(details.commitment());
        log.append(&[NewEntry { leaf: leaf.to_bytes(), details: details.encode() }]).unwrap();
        log.close().unwrap();
        bed
    }

    fn lines(bed: &Bed, range: Range<u64>, fields: &[&str]) -> Result<Vec<String>, DiscloseError> {
        let mut lines = Vec::new();
        disclose(&bed.config.dir, range, fields, |d| {
            lines.push(d.to_json());
            Ok(())
        })?;
        Ok(lines)
    }

    #[test]
    fn a_disclosed_field_can_be_checked_and_no_other_is_told() {
        let bed = log_with_details();
        let (log, _) = bed.open();
        let leaf = Leaf::parse(&log.reader().entry(2).unwrap()).unwrap();
        log.close().unwrap();
        let shown = lines(&bed, 2..3, &["subject"]).unwrap();
        assert_eq!(shown.len(), 1);
        assert!(!shown[0].contains("web1") && !shown[0].contains("principal"), "{shown:?}");
        let read = Disclosed::parse(&shown[0]).unwrap();
        assert_eq!((read.index, read.disclosure.field.value()), (2, Some(&b"prod"[..])));
        assert!(read.fits(&leaf));
        let all = lines(&bed, 2..3, &[]).unwrap();
        assert!(all.iter().all(|line| Disclosed::parse(line).unwrap().fits(&leaf)), "{all:?}");
        assert!(all.iter().any(|line| line.contains("value_base64")), "bytes that are no text: {all:?}");
    }

    #[test]
    fn a_forged_disclosure_does_not_fit() {
        let bed = log_with_details();
        let (log, _) = bed.open();
        let leaf = Leaf::parse(&log.reader().entry(2).unwrap()).unwrap();
        log.close().unwrap();
        let good = &lines(&bed, 2..3, &["subject"]).unwrap()[0];
        for (from, to) in [("\"prod\"", "\"test\""), ("\"subject\"", "\"principal\""), ("\"place\":2", "\"place\":1")] {
            assert!(good.contains(from), "{good}");
            assert!(!Disclosed::parse(&good.replacen(from, to, 1)).unwrap().fits(&leaf), "{from}");
        }
        assert!(Disclosed::parse(&good.replace("\"v\":1", "\"v\":2")).is_err());
        assert!(Disclosed::parse(&good.replace("\"log\"", "\"lag\"")).is_err());
    }

    #[test]
    fn what_was_redacted_is_not_disclosed_and_what_is_not_there_is_said() {
        let bed = log_with_details();
        assert!(crate::redact(&bed.config.dir, 2, &["subject"]).unwrap());
        assert!(lines(&bed, 2..3, &["subject"]).unwrap().is_empty());
        assert_eq!(lines(&bed, 0..3, &["principal"]).unwrap().iter().filter(|l| l.contains("web1")).count(), 1);
        assert!(matches!(lines(&bed, 2..9, &[]), Err(DiscloseError::Beyond { size: 3 })));
    }
}

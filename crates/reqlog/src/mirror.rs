//! Copying a log's files, so that they can be served from elsewhere or kept: only what its checkpoint signs, and never backwards.

use crate::durable::{self, DurableError};
use crate::static_log::{Directory, Fetch, StaticLog, StaticLogError};
use chancery_tlog::{TILE_WIDTH, TileLevel, TilePath, VerifierKey};
use std::path::{Path, PathBuf};

/// What was copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mirrored {
    /// Entries of the copy before; `None` if there was none.
    pub before: Option<u64>,
    /// Entries of the copy now.
    pub entries: u64,
    /// Files that were written.
    pub files: u64,
}

/// A copy could not be made. What there was before is still there.
#[derive(Debug, thiserror::Error)]
pub enum MirrorError {
    /// The log, or the copy that was made before, does not stand the check, or could not be read.
    #[error(transparent)]
    Log(#[from] StaticLogError),
    /// What is in the way is no copy of this log.
    #[error("{} holds a checkpoint of another log, or a damaged one; name another directory", path.display())]
    Other {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: StaticLogError,
    },
    /// A file could not be written. A file that differs was changed after it was copied: full tiles never change.
    #[error(transparent)]
    Durable(#[from] DurableError),
}

/// Brings the copy in `to` up to date. Each file is verified before it is written; the checkpoint is replaced last, so what it promises is
/// always there. `progress` is told how many entries are done.
///
/// # Errors
/// [`MirrorError`].
pub fn mirror<F: Fetch>(from: F, to: &Path, key: &VerifierKey, mut progress: impl FnMut(u64)) -> Result<Mirrored, MirrorError> {
    let log = StaticLog::open(from, key)?;
    let size = log.checkpoint().checkpoint.size;
    let before = match StaticLog::open(Directory::new(to), key) {
        Ok(copy) => Some(copy.checkpoint().checkpoint.clone()),
        Err(StaticLogError::Missing { path }) if path == "checkpoint" => None,
        Err(source) => return Err(MirrorError::Other { path: to.join("checkpoint"), source }),
    };
    if let Some(before) = &before {
        log.check_extends(before)?;
    }
    let known = before.as_ref().map_or(0, |c| c.size);
    let mut files = 0_u64;
    for path in paths(size).filter(|path| is_new(*path, known)) {
        let file = to.join(path.to_string());
        if let Some(dir) = file.parent() {
            durable::create_dir_all(dir, 0o755)?;
        }
        durable::write_immutable(&file, &log.verified_file(path)?, 0o644)?;
        files = files.saturating_add(1);
        if path.level == TileLevel::Entries {
            progress(path.index.saturating_mul(u64::from(TILE_WIDTH)).saturating_add(u64::from(path.width)));
        }
    }
    durable::replace_increasing_mtime(&to.join("checkpoint"), log.checkpoint().note.as_bytes(), 0o644)?;
    Ok(Mirrored { before: before.map(|c| c.size), entries: size, files })
}

/// All tiles and bundles of a log of this size.
fn paths(size: u64) -> impl Iterator<Item = TilePath> {
    let levels = (0_u8..8).take_while(move |level| size.checked_shr(u32::from(*level).saturating_mul(8)).is_some_and(|n| n > 0));
    let hashes =
        levels.flat_map(move |level| tiles(TileLevel::Hashes(level), size.checked_shr(u32::from(level).saturating_mul(8)).unwrap_or(0)));
    tiles(TileLevel::Entries, size).chain(hashes)
}

fn tiles(level: TileLevel, count: u64) -> impl Iterator<Item = TilePath> {
    let width = |rest: u64| u16::try_from(rest).unwrap_or(TILE_WIDTH).min(TILE_WIDTH);
    (0..count.div_ceil(u64::from(TILE_WIDTH))).map(move |index| TilePath {
        level,
        index,
        width: width(count.saturating_sub(index.saturating_mul(u64::from(TILE_WIDTH)))),
    })
}

/// Whether a log that had `known` entries did not have this file yet.
fn is_new(path: TilePath, known: u64) -> bool {
    let shift = match path.level {
        TileLevel::Hashes(level) => u32::from(level).saturating_mul(8),
        TileLevel::Entries => 0,
    };
    let end = path.index.saturating_mul(u64::from(TILE_WIDTH)).saturating_add(u64::from(path.width));
    end > known.checked_shr(shift).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Bed, batch};

    fn grown(bed: &Bed, from: u64, to: u64) {
        let (mut log, _) = bed.open();
        for first in (from..to).step_by(100) {
            log.append(&batch(first, to.min(first + 100))).unwrap();
        }
        log.close().unwrap();
    }

    #[test]
    fn a_copy_grows_with_the_log_and_stands_the_same_check() {
        let bed = Bed::new();
        let copy = tempfile::tempdir().unwrap();
        let public = bed.config.dir.join("public");
        let run = || mirror(Directory::new(&public), copy.path(), &bed.key.verifier, |_| {});
        for (from, to) in [(0, 300), (300, 301), (301, 1200)] {
            grown(&bed, from, to);
            let made = run().unwrap();
            assert_eq!((made.before, made.entries), ((from > 0).then_some(from), to));
            let log = StaticLog::open(Directory::new(copy.path()), &bed.key.verifier).unwrap();
            log.verify(None, |_| {}).unwrap();
        }
        assert_eq!(run().unwrap().files, 0, "nothing is copied twice");
    }

    #[test]
    fn a_damaged_file_is_not_copied_and_a_log_that_went_back_is_refused() {
        let bed = Bed::new();
        let (copy, old) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let public = bed.config.dir.join("public");
        grown(&bed, 0, 300);
        mirror(Directory::new(&public), old.path(), &bed.key.verifier, |_| {}).unwrap();
        grown(&bed, 300, 400);
        mirror(Directory::new(&public), copy.path(), &bed.key.verifier, |_| {}).unwrap();
        let back = mirror(Directory::new(old.path()), copy.path(), &bed.key.verifier, |_| {});
        assert!(matches!(back, Err(MirrorError::Log(StaticLogError::Rollback { earlier: 400, now: 300, .. }))), "{back:?}");
        let bundle = old.path().join("tile/entries/000");
        let mut bytes = std::fs::read(&bundle).unwrap();
        bytes[9] ^= 1;
        durable::write_atomic(&bundle, &bytes, 0o644).unwrap();
        let fresh = tempfile::tempdir().unwrap();
        let damaged = mirror(Directory::new(old.path()), fresh.path(), &bed.key.verifier, |_| {});
        assert!(matches!(damaged, Err(MirrorError::Log(StaticLogError::Tampered { .. }))), "{damaged:?}");
        assert!(!fresh.path().join("checkpoint").exists());
    }
}

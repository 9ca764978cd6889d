//! Which segments there are.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

/// The indexes of the first entries of all segments.
pub(crate) type Segments = BTreeSet<u64>;

/// The path of the segment whose first entry has this index.
pub(crate) fn segment_path(wal: &Path, first: u64) -> PathBuf {
    wal.join(format!("{first:020}.wal"))
}

/// All segments in a directory; other files are passed over. A missing directory has none.
pub(crate) fn list_segments(wal: &Path) -> io::Result<Segments> {
    let entries = match std::fs::read_dir(wal) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Segments::new()),
        Err(e) => return Err(e),
    };
    let mut segments = Segments::new();
    for entry in entries {
        let name = entry?.file_name();
        let digits = name.to_str().and_then(|n| n.strip_suffix(".wal")).filter(|n| n.len() == 20 && n.bytes().all(|b| b.is_ascii_digit()));
        segments.extend(digits.and_then(|n| n.parse::<u64>().ok()));
    }
    Ok(segments)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_segments_are_listed() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(list_segments(&dir.path().join("none")).unwrap(), Segments::new());
        for name in ["00000000000000000300.wal", "00000000000000000000.wal", "reserve", "1.wal", "00000000000000000000.wal.old"] {
            std::fs::File::create(dir.path().join(name)).unwrap();
        }
        assert_eq!(list_segments(dir.path()).unwrap(), Segments::from([0, 300]));
        assert_eq!(segment_path(dir.path(), 300), dir.path().join("00000000000000000300.wal"));
    }
}

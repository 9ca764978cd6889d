use super::*;
use crate::testing::{Bed, Key, ORIGIN, batch, leaf, root};
use chancery_tlog::{TlogProof, tiles_of};
use std::cell::RefCell;
use std::collections::BTreeMap;

/// The files of a log in memory, with a list of what was fetched.
#[derive(Clone, Default)]
struct Files {
    files: BTreeMap<String, Vec<u8>>,
    fetched: RefCell<Vec<String>>,
}

impl Fetch for &Files {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, FetchError> {
        self.fetched.borrow_mut().push(path.to_owned());
        Ok(self.files.get(path).cloned())
    }
}

/// A log published at each of the sizes, and its checkpoints.
fn published(sizes: &[u64]) -> (Bed, Vec<Checkpoint>) {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    let (mut from, mut checkpoints) = (0, Vec::new());
    for size in sizes {
        let appended = log.append(&batch(from, *size)).unwrap();
        checkpoints.push(appended.checkpoint().checkpoint.clone());
        log.publish_now().unwrap();
        from = *size;
    }
    (bed, checkpoints)
}

fn files(bed: &Bed, size: u64) -> Files {
    let paths = tiles_of(size).map(|p| p.to_string()).chain(["checkpoint".to_owned()]);
    let files = paths.map(|p| (p.clone(), std::fs::read(bed.path("public").join(p)).unwrap())).collect();
    Files { files, fetched: RefCell::default() }
}

#[test]
fn a_sound_log_verifies_and_gives_its_entries() {
    for size in [1, 255, 256, 257, 1000] {
        let (bed, _) = published(&[size]);
        let files = files(&bed, size);
        let log = StaticLog::open(&files, &bed.key.verifier).unwrap();
        let mut done = 0;
        log.verify(None, |n| done = n).unwrap();
        assert_eq!((done, log.checkpoint().checkpoint.root), (size, root(size)));
        let mut fetched = files.fetched.borrow().clone();
        fetched.sort();
        assert_eq!(fetched, files.files.keys().cloned().collect::<Vec<_>>(), "each file is fetched once");
        let some: Vec<_> = log.entries(size / 2..size).map(Result::unwrap).collect();
        assert_eq!(some, (size / 2..size).map(|n| (n, leaf(n))).collect::<Vec<_>>());
        assert!(matches!(log.entry(size), Err(StaticLogError::Beyond { .. })));
        let proof: TlogProof = String::from_utf8(log.receipt(size - 1).unwrap()).unwrap().parse().unwrap();
        proof.verify(&leaf(size - 1), &bed.key.verifier).unwrap();
    }
}

#[test]
fn each_tampered_file_is_found_and_named() {
    let (bed, _) = published(&[70_000]);
    let good = files(&bed, 70_000);
    for (path, bytes) in &good.files {
        // Of the many full tiles a few are enough.
        if path.contains("x000") || path.contains("/0/1") || path.contains("entries/1") {
            continue;
        }
        for at in [0, bytes.len() / 2, bytes.len() - 1] {
            let mut bad = good.clone();
            bad.files.get_mut(path).unwrap()[at] ^= 1;
            let result = StaticLog::open(&bad, &bed.key.verifier).and_then(|log| match path.split('/').collect::<Vec<_>>()[..] {
                ["tile", level, tile] => {
                    let per_tile = if level == "1" { 256 * 256 } else { 256 };
                    let index = tile.parse::<u64>().unwrap() * per_tile;
                    log.entries(index..index + 1).next().unwrap().map(|_| ())
                }
                _ => log.entries(69_999..70_000).next().unwrap().map(|_| ()),
            });
            match result {
                Err(StaticLogError::Tampered { path: found }) => {
                    // Partial tiles make the root together, so any one of them may be named.
                    assert!(found == *path || path.contains(".p/") && found.contains(".p/"), "{path}: {found}");
                }
                Err(StaticLogError::Checkpoint(_)) => assert_eq!(path, "checkpoint"),
                other => panic!("{path}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_missing_file_is_named_and_is_no_misbehaviour() {
    let (bed, _) = published(&[600]);
    let good = files(&bed, 600);
    for path in good.files.keys() {
        let mut less = good.clone();
        less.files.remove(path);
        let error = StaticLog::open(&less, &bed.key.verifier).and_then(|log| log.verify(None, |_| {})).unwrap_err();
        assert!(matches!(&error, StaticLogError::Missing { path: found } if found == path), "{path}: {error}");
        assert!(!error.is_misbehaviour());
    }
}

#[test]
fn a_full_tile_stands_in_for_a_partial_one_that_was_removed() {
    let (bed, _) = published(&[200]);
    let note = std::fs::read_to_string(bed.path("public/checkpoint")).unwrap();
    let (mut log, _) = bed.open();
    log.append(&batch(200, 300)).unwrap();
    log.close().unwrap();
    let old = StaticLog::open_at(Directory::new(bed.path("public")), &bed.key.verifier, note).unwrap();
    old.verify(None, |_| {}).unwrap();
    assert_eq!(old.checkpoint().checkpoint.size, 200);
    assert_eq!(old.entries(0..200).count(), 200);
}

#[test]
fn the_log_must_extend_every_earlier_checkpoint() {
    let (bed, earlier) = published(&[1, 200, 256, 300, 600]);
    let log = StaticLog::open(Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
    for checkpoint in &earlier {
        log.check_extends(checkpoint).unwrap();
        log.verify(Some(checkpoint), |_| {}).unwrap();
        let fork = Checkpoint { root: Hash([1; 32]), ..checkpoint.clone() };
        let error = log.check_extends(&fork).unwrap_err();
        assert!(matches!(&error, StaticLogError::Fork { .. }) && error.is_misbehaviour(), "{error}");
    }
    let newer = Checkpoint { size: 601, ..earlier[4].clone() };
    let error = log.check_extends(&newer).unwrap_err();
    assert!(matches!(&error, StaticLogError::Rollback { earlier: 601, now: 600, .. }) && error.is_misbehaviour(), "{error}");
}

#[test]
fn another_key_or_name_is_refused() {
    let (bed, _) = published(&[3]);
    let open = |key: &Key| StaticLog::open(Directory::new(bed.path("public")), &key.verifier).unwrap_err();
    assert!(matches!(open(&Key::new(ORIGIN)), StaticLogError::Checkpoint(_)));
    assert!(matches!(open(&Key::new("other.example/log")), StaticLogError::Checkpoint(_)));
    let empty = tempfile::tempdir().unwrap();
    let error = StaticLog::open(Directory::new(empty.path()), &bed.key.verifier).unwrap_err();
    assert!(matches!(&error, StaticLogError::Missing { path } if path == "checkpoint"));
}

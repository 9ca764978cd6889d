//! The recovery table, row by row.

use super::*;
use crate::testing::{Key, copy_tree};
use chancery_tlog::Hash;

fn grown(sizes: &[u64]) -> Bed {
    let mut bed = Bed::new();
    bed.config.segment_bytes = 8 << 10;
    let (mut log, _) = bed.open();
    let mut from = 0;
    for size in sizes {
        log.append(&batch(from, *size)).unwrap();
        from = *size;
    }
    log.close().unwrap();
    bed
}

fn add(bed: &Bed, from: u64, to: u64) {
    let (mut log, _) = bed.open();
    log.append(&batch(from, to)).unwrap();
    log.close().unwrap();
}

fn files(dir: &Path) -> std::collections::BTreeMap<PathBuf, Vec<u8>> {
    let mut found = std::collections::BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path.clone(), std::fs::read(&path).unwrap());
        }
    }
    found
}

fn put(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) {
    crate::durable::write_atomic(path.as_ref(), bytes.as_ref(), 0o644).unwrap();
}

/// The refusal, after checking that the directory is as it was.
fn refusal(bed: &Bed) -> OpenError {
    let before = files(&bed.config.dir);
    let Err(error) = bed.try_open() else { panic!("not refused") };
    assert_eq!(files(&bed.config.dir), before, "a refused log is left as it is");
    error
}

#[test]
fn clean_and_behind_nobody_goes_on_and_publishes_what_is_missing() {
    let bed = grown(&[10, 300]);
    std::fs::remove_dir_all(bed.path("public")).unwrap();
    let (log, recovery) = bed.open();
    assert_eq!((recovery.size, recovery.published, recovery.dropped_bytes), (300, 0, 0));
    log.close().unwrap();
    let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
    assert!(report.is_sound(), "{:?}", report.findings);
    assert_eq!(report.published, Some(300));
}

#[test]
fn a_restored_old_wal_is_a_rollback() {
    let bed = grown(&[10, 20]);
    let old = bed.copy();
    add(&bed, 20, 30);
    std::fs::remove_dir_all(bed.path("wal")).unwrap();
    copy_tree(&old.path("wal"), &bed.path("wal"));
    let error = refusal(&bed);
    let OpenError::Rollback { ours_size: 20, theirs_size: 30, ours, theirs, .. } = &error else { panic!("{error}") };
    assert!(ours.contains("\n20\n") && theirs.contains("\n30\n"), "both notes are kept as evidence");
    assert!(error.to_string().starts_with("ROLLBACK"), "{error}");
}

#[test]
fn a_lost_wal_is_a_rollback_and_not_a_new_log() {
    let bed = grown(&[10]);
    std::fs::remove_dir_all(bed.path("wal")).unwrap();
    assert!(matches!(refusal(&bed), OpenError::Rollback { ours_size: 0, theirs_size: 10, .. }));
}

#[test]
fn a_restored_old_directory_is_a_rollback_for_who_has_seen_more() {
    let bed = grown(&[10, 20]);
    let mut old = bed.copy();
    add(&bed, 20, 30);
    let witnessed = std::fs::read_to_string(bed.path("public/checkpoint")).unwrap();
    old.config.seen = vec![witnessed];
    assert!(matches!(refusal(&old), OpenError::Rollback { ours_size: 20, theirs_size: 30, .. }));
    let older = std::fs::read_to_string(old.path("public/checkpoint")).unwrap();
    old.config.seen = vec![older];
    old.open();
}

#[test]
fn another_root_at_the_same_or_a_smaller_size_is_a_fork() {
    for (more, size) in [(0, 20), (1, 20), (1000, 20), (1000, 700)] {
        let bed = grown(&[10, 20]);
        // The twin shares the key and the first ten entries.
        let twin = bed.copy();
        let (mut log, _) = twin.open();
        let mut other = batch(20, size);
        other.insert(0, NewEntry { leaf: b"another".to_vec(), details: Vec::new() });
        log.append(&other).unwrap();
        log.close().unwrap();
        for n in 0..more / 10 {
            add(&bed, 20 + n * 10, 30 + n * 10);
        }
        if more == 1 {
            add(&bed, 20, 21);
        }
        std::fs::copy(twin.path("public/checkpoint"), bed.path("public/checkpoint")).unwrap();
        let error = refusal(&bed);
        match &error {
            OpenError::Fork { ours, theirs, .. } => assert_ne!(ours, theirs),
            OpenError::Rollback { .. } if more == 0 => {}
            other => panic!("{more}: {other}"),
        }
    }
}

#[test]
fn equal_size_and_other_root_is_a_fork() {
    let bed = grown(&[10, 20]);
    let twin = grown(&[10]);
    let twin = Bed { key: bed.key.clone(), ..twin };
    // A log of the same key and name with other entries of the same number.
    std::fs::remove_dir_all(&twin.config.dir).unwrap();
    let (mut log, _) = twin.open();
    log.append(&batch(100, 120)).unwrap();
    log.close().unwrap();
    std::fs::copy(twin.path("public/checkpoint"), bed.path("public/checkpoint")).unwrap();
    let error = refusal(&bed);
    assert!(matches!(&error, OpenError::Fork { size: 20, .. }), "{error}");
    assert!(error.to_string().starts_with("FORK"), "{error}");
}

#[test]
fn a_checkpoint_of_other_entries_is_refused() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    // As a signer would that is fed a wrong tree.
    log.append(&batch(0, 5)).unwrap();
    log.edge.push(Hash([1; 32]));
    log.append(&batch(5, 6)).unwrap();
    drop(log);
    std::fs::remove_dir_all(bed.path("public")).unwrap();
    let error = refusal(&bed);
    assert!(matches!(&error, OpenError::Corrupt { fault: crate::Fault::Checkpoint, .. }), "{error}");
}

#[test]
fn a_checkpoint_with_another_root_is_refused() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 5)).unwrap();
    let mut other = Edge::new();
    (0..5).for_each(|n| other.push(Hash([n; 32])));
    log.edge = other;
    log.append(&batch(5, 6)).unwrap();
    drop(log);
    std::fs::remove_dir_all(bed.path("public")).unwrap();
    let error = refusal(&bed);
    assert!(matches!(&error, OpenError::Corrupt { fault: crate::Fault::Checkpoint, .. }), "{error}");
}

/// A segment without a record has nothing that signs its header, so it must follow from the segment before.
#[test]
fn an_empty_segment_must_follow_the_one_before() {
    let rolled = |first: u64| {
        let mut bed = Bed::new();
        bed.config.segment_bytes = 8 << 10;
        let (mut log, _) = bed.open();
        log.append(&batch(first, first + 10)).unwrap();
        let edge = log.edge.clone();
        log.writer.make_room(8 << 10, &edge, Space::Normal).unwrap().unwrap();
        drop(log);
        std::fs::remove_dir_all(bed.path("public")).unwrap();
        bed
    };
    let (bed, twin) = (rolled(0), rolled(50));
    assert_eq!(bed.copy().open().1.size, 10);
    let name = "wal/00000000000000000010.wal";
    std::fs::copy(twin.path(name), bed.path(name)).unwrap();
    assert!(matches!(refusal(&bed), OpenError::Gap { .. }));
}

#[test]
fn names_must_agree() {
    let mut bed = grown(&[10]);
    let other = Key::new("other.example/log");
    let open = |bed: &Bed, signer: &Key, key: &Key| {
        Log::open(bed.config.clone(), Box::new(signer.clone()), key.verifier.clone()).err().map(|e| e.to_string())
    };
    assert!(open(&bed, &other, &bed.key).unwrap().contains("signing key"));
    assert!(open(&bed, &bed.key, &other).unwrap().contains("verification key"));
    let twin = Key::new(crate::testing::ORIGIN);
    assert!(open(&bed, &twin, &bed.key).unwrap().contains("signing key"));
    bed.config.origin = "other.example/log".into();
    std::fs::remove_dir_all(bed.path("public")).unwrap();
    assert!(open(&bed, &other, &other).unwrap().contains("log in the directory"));
}

#[test]
fn an_invalid_published_checkpoint_is_not_passed_over() {
    let bed = grown(&[10]);
    let path = bed.path("public/checkpoint");
    let good = std::fs::read_to_string(&path).unwrap();
    put(&path, good.replace("\n10\n", "\n11\n"));
    assert!(matches!(refusal(&bed), OpenError::Published { .. }));
    put(&path, "");
    assert!(matches!(refusal(&bed), OpenError::Published { .. }));
    put(&path, [0xff]);
    assert!(matches!(refusal(&bed), OpenError::Published { .. }));
    let mut stranger = bed.copy();
    put(stranger.path("public/checkpoint"), &good);
    stranger.key = Key::new(crate::testing::ORIGIN);
    assert!(matches!(refusal(&stranger), OpenError::KeyMismatch { .. }));
}

#[test]
fn missing_segments_are_noticed() {
    let sizes: Vec<u64> = (1..=100).map(|n| n * 10).collect();
    let bed = grown(&sizes);
    let segments: Vec<u64> = crate::wal::list_segments(&bed.path("wal")).unwrap().into_iter().collect();
    assert!(segments.len() > 3);
    let path = |bed: &Bed, n: usize| crate::wal::segment_path(&bed.path("wal"), segments[n]);
    let newest = bed.copy();
    std::fs::remove_file(path(&newest, segments.len() - 1)).unwrap();
    std::fs::remove_dir_all(newest.path("public")).unwrap();
    assert!(matches!(refusal(&newest), OpenError::MissingSegment { .. }), "even if nothing was published");
    let first = bed.copy();
    for n in 0..segments.len() - 1 {
        std::fs::remove_file(path(&first, n)).unwrap();
    }
    assert!(matches!(refusal(&first), OpenError::Gap { .. }));
}

#[test]
fn differing_tiles_are_not_overwritten_and_signing_goes_on() {
    let bed = grown(&[10, 300]);
    let tile = bed.path("public/tile/0/000");
    let mut bytes = std::fs::read(&tile).unwrap();
    bytes[100] ^= 1;
    std::fs::remove_file(&tile).unwrap();
    put(&tile, &bytes);
    std::fs::remove_file(bed.path("public/checkpoint")).unwrap();
    let (mut log, _) = bed.open();
    log.append(&batch(300, 301)).unwrap();
    let error = log.publish_now().unwrap_err();
    assert!(matches!(&*error, PublishError::Differs { path } if path.ends_with("tile/0/000")), "{error}");
    assert!(log.publisher_status().failure.is_some());
    assert_eq!(log.append(&batch(301, 302)).unwrap().size(), 302);
    assert_eq!(std::fs::read(&tile).unwrap(), bytes);
    // Once the file is removed it is made anew.
    std::fs::remove_file(&tile).unwrap();
    log.publish_now().unwrap();
    assert!(log.publisher_status().failure.is_none());
    let published = crate::StaticLog::open(crate::Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
    published.verify(None, |_| {}).unwrap();
}

#[test]
fn proofs_from_changed_tiles_are_not_handed_out() {
    let bed = grown(&[10, 300]);
    let (log, _) = bed.open();
    let path = bed.path("public/tile/0/000");
    let good = std::fs::read(&path).unwrap();
    log.reader().receipt(3).unwrap();
    let mut bad = good.clone();
    bad[2 * 32] ^= 1;
    put(&path, &bad);
    assert!(matches!(log.reader().receipt(3), Err(ReadError::Damaged { .. })));
    assert!(matches!(log.reader().consistency(3, 300), Err(ReadError::Damaged { .. })));
    put(&path, &good[32..]);
    assert!(matches!(log.reader().receipt(3), Err(ReadError::Damaged { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(log.reader().receipt(3), Err(ReadError::Damaged { path }) if path == "tile/0/000"));
}

#[test]
fn reads_are_served_when_writing_is_refused() {
    let bed = grown(&[10, 20]);
    let old = bed.copy();
    add(&bed, 20, 30);
    std::fs::remove_dir_all(bed.path("wal")).unwrap();
    copy_tree(&old.path("wal"), &bed.path("wal"));
    refusal(&bed);
    let reader = Log::open_read_only(&bed.config.dir, &bed.key.verifier).unwrap();
    assert_eq!(reader.checkpoint().checkpoint.size, 30);
    assert_eq!(reader.entries(0, 100).unwrap(), (0..30).map(leaf).collect::<Vec<_>>());
    let proof: TlogProof = String::from_utf8(reader.receipt(29).unwrap()).unwrap().parse().unwrap();
    proof.verify(&leaf(29), &bed.key.verifier).unwrap();
    assert_eq!(reader.details(5).unwrap().unwrap(), details(5));
    assert!(matches!(reader.details(25), Err(ReadError::Segment { .. })), "lost with the segment");
    assert!(Log::open_read_only(&bed.config.dir, &Key::new(crate::testing::ORIGIN).verifier).is_err());
}

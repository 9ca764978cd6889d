//! The publisher.

use super::*;
use crate::store::faulty::{Faulty, How, Step};
use chancery_tlog::{TileLevel, TilePath};

#[test]
fn entries_are_published_by_themselves() {
    let mut bed = Bed::new();
    bed.config.publish_interval = Duration::from_millis(1);
    let (mut log, _) = bed.open();
    for n in 0..20 {
        log.append(&batch(n * 30, n * 30 + 30)).unwrap();
    }
    let reader = log.reader();
    let mut state = log.shared.lock();
    while state.published.checkpoint.size < 600 {
        state = log.shared.done.wait(state).unwrap();
    }
    drop(state);
    assert_eq!(reader.published(), reader.checkpoint());
    let published = crate::StaticLog::open(crate::Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
    assert_eq!(published.checkpoint().checkpoint.root, root(600));
    published.verify(None, |_| {}).unwrap();
}

#[test]
fn partial_tiles_go_once_the_full_one_is_there() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    for (from, to) in [(0, 7), (7, 250), (250, 300)] {
        log.append(&batch(from, to)).unwrap();
        log.publish_now().unwrap();
        let path = TilePath { level: TileLevel::Entries, index: 0, width: 7 };
        assert_eq!(log.reader().tile(path).is_ok(), to < 256);
    }
    assert!(!bed.path("public/tile/0/000.p").exists());
    assert!(bed.path("public/tile/0/001.p/44").exists());
    assert!(std::fs::read_dir(bed.path("staging")).unwrap().next().is_none());
}

#[test]
fn an_empty_log_is_published_as_such() {
    let bed = Bed::new();
    let (log, _) = bed.open();
    drop(log);
    let published = crate::StaticLog::open(crate::Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
    assert_eq!((published.checkpoint().checkpoint.size, published.checkpoint().checkpoint.root), (0, chancery_tlog::Hash::EMPTY_ROOT));
    let (mut log, recovery) = bed.open();
    assert_eq!(recovery.size, 0);
    log.append(&batch(0, 1)).unwrap();
}

#[test]
fn an_append_waits_for_memory_and_says_when_publishing_fails_for_good() {
    let mut bed = Bed::new();
    bed.config.tail_limit = 10_000;
    bed.config.publish_early = 5_000;
    let faulty = Faulty::new();
    let (mut log, _) = bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>).unwrap();
    for n in 0..100 {
        log.append(&batch(n * 50, n * 50 + 50)).unwrap();
    }
    log.publish_now().unwrap();
    faulty.arm(Step::SyncStaged, 0, How::PowerCut);
    let mut size = 5000;
    let error = loop {
        match log.append(&batch(size, size + 50)) {
            Ok(_) => size += 50,
            Err(error) => break error,
        }
    };
    // The power cut of the store lets nothing through any more, so the writer may notice first.
    assert!(matches!(error, AppendError::Behind { .. }) || error.is_in_doubt(), "{error}");
}

#[test]
fn what_is_behind_is_published_from_the_segments_with_bounded_memory() {
    let mut bed = Bed::new();
    bed.config.segment_bytes = 16 << 10;
    let (mut log, _) = bed.open();
    for n in 0..60 {
        log.append(&batch(n * 50, n * 50 + 50)).unwrap();
    }
    log.close().unwrap();
    std::fs::remove_dir_all(bed.path("public")).unwrap();
    let (log, recovery) = bed.open();
    assert_eq!((recovery.size, recovery.published), (3000, 0));
    assert!(log.shared.lock().tail.bytes() < 64 << 10, "only the newest segment is in memory");
    assert_eq!(log.reader().entries(10, 5).unwrap(), (10..15).map(leaf).collect::<Vec<_>>(), "and the rest can be read meanwhile");
    log.publish_now().unwrap();
    assert_eq!(log.shared.lock().tail.bytes(), 0);
    let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[test]
fn a_lost_tile_is_made_anew() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 300)).unwrap();
    log.close().unwrap();
    for lost in ["tile/0/001.p/44", "tile/entries/001.p/44", "tile/1/000.p/1"] {
        std::fs::remove_file(bed.path("public").join(lost)).unwrap();
        let (mut log, recovery) = bed.open();
        log.append(&batch(recovery.size, recovery.size + 1)).unwrap();
        log.close().unwrap();
        let published = crate::StaticLog::open(crate::Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
        published.verify(None, |_| {}).unwrap();
    }
}

use super::*;
use crate::testing::{Bed, batch, details, leaf, root};
use chancery_tlog::TlogProof;
use proptest::prelude::*;
use std::sync::atomic::{AtomicBool, Ordering};

mod faults;
mod publishing;
mod recovery;
mod space;
mod torn;

#[test]
fn what_was_appended_is_there_after_reopening_with_receipts_and_details() {
    let bed = Bed::new();
    let (mut log, recovery) = bed.open();
    assert!(recovery.created);
    let appended = log.append(&batch(0, 3)).unwrap();
    assert_eq!((appended.first_index(), appended.size()), (0, 3));
    let appended = log.append(&batch(3, 700)).unwrap();
    for (place, index) in (3..700).enumerate() {
        let receipt = String::from_utf8(appended.receipt(place, &leaf(index)).unwrap()).unwrap();
        let proof: TlogProof = receipt.parse().unwrap();
        assert_eq!(proof.index, index);
        assert_eq!(proof.verify(&leaf(index), &bed.key.verifier).unwrap().size, 700);
        assert!(proof.verify(b"other", &bed.key.verifier).is_err());
    }
    assert!(appended.receipt(697, b"").is_none());
    log.close().unwrap();

    let (log, recovery) = bed.open();
    assert_eq!(recovery, Recovery { size: 700, created: false, dropped_bytes: 0, dropped_to: None, published: 700 });
    assert_eq!(log.checkpoint().checkpoint.root, root(700));
    let reader = log.reader();
    assert_eq!(reader.details(699).unwrap().unwrap(), details(699));
    assert_eq!(reader.entries(200, 300).unwrap(), (200..500).map(leaf).collect::<Vec<_>>());
    for index in [0, 255, 256, 511, 699] {
        let proof: TlogProof = String::from_utf8(reader.receipt(index).unwrap()).unwrap().parse().unwrap();
        proof.verify(&leaf(index), &bed.key.verifier).unwrap();
    }
}

/// A vector that four other implementations have verified.
#[test]
fn the_published_checkpoint_is_that_of_the_vector() {
    let mut bed = Bed::new();
    let seed: Vec<u8> = (0..32).collect();
    bed.key = crate::testing::Key::from_seed(crate::testing::ORIGIN, &seed.try_into().unwrap());
    assert_eq!(bed.key.verifier.to_string(), "signer.example/requests+eca62d7a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4");
    let (mut log, _) = bed.open();
    log.append(&batch(0, 123)).unwrap();
    log.append(&batch(123, 300)).unwrap();
    log.close().unwrap();
    let note = "signer.example/requests\n300\nyjk9Apa+xeC43KuYO9H7fRRh9RLnJny4ljGtJv1m2Eg=\n\n\u{2014} signer.example/requests 7KYtekptem1xlUE6/B1+/SpyujGCl245QYvNRYAP7rCdnScETHm8DOF+F4mdor0m7b3xTt88MDimVwFnJqWSBBG38Ac=\n";
    assert_eq!(std::fs::read_to_string(bed.path("public/checkpoint")).unwrap(), note);
}

/// Logs that exist must stay readable: the bytes of a segment are those of the committed file.
#[test]
fn the_segment_is_that_of_the_vector() {
    let mut bed = Bed::new();
    bed.key = crate::testing::Key::from_seed(crate::testing::ORIGIN, &[7; 32]);
    let (mut log, _) = bed.open();
    log.append(&batch(0, 2)).unwrap();
    log.append(&[NewEntry { leaf: leaf(2), details: Vec::new() }]).unwrap();
    drop(log);
    let (path, end) = bed.last_segment();
    let bytes = std::fs::read(path).unwrap();
    let hex: String = bytes[..end as usize].chunks(32).map(|c| c.iter().map(|b| format!("{b:02x}")).collect::<String>() + "\n").collect();
    assert_eq!(hex, include_str!("../../../../tests/vectors/reqlog/segment.hex"));
}

#[test]
fn a_log_moves_between_threads_and_its_readers_are_shared() {
    fn is_send<T: Send>() {}
    fn is_shared<T: Send + Sync + Clone>() {}
    is_send::<Log>();
    is_shared::<Reader>();
}

#[test]
fn readers_see_a_batch_at_once_though_nothing_is_published() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    let reader = log.reader();
    log.append(&batch(0, 300)).unwrap();
    log.append(&batch(300, 301)).unwrap();
    assert_eq!(reader.checkpoint().checkpoint.size, 301);
    assert_eq!(reader.entry(300).unwrap(), leaf(300));
    assert_eq!(reader.details(299).unwrap().unwrap(), details(299));
    let proof: TlogProof = String::from_utf8(reader.receipt(17).unwrap()).unwrap().parse().unwrap();
    assert_eq!(proof.verify(&leaf(17), &bed.key.verifier).unwrap().size, 301);
    for (old, new) in [(0, 301), (1, 301), (255, 256), (256, 300), (300, 300), (299, 301)] {
        let proof = reader.consistency(old, new).unwrap();
        chancery_tlog::verify_consistency(old, &root(old), new, &root(new), &proof).unwrap();
    }
    assert!(matches!(reader.entry(301), Err(ReadError::Beyond { asked: 301, size: 301 })));
    assert!(matches!(reader.consistency(302, 303), Err(ReadError::Beyond { .. })));
    assert!(matches!(reader.recorded(0..302), Err(ReadError::Beyond { .. })));
}

#[test]
fn batches_that_cannot_be_recorded_change_nothing() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    assert!(matches!(log.append(&[]), Err(AppendError::Empty)));
    let long = NewEntry { leaf: vec![0; 65_536], details: Vec::new() };
    let error = log.append(&[long]).unwrap_err();
    assert!(matches!(error, AppendError::TooLarge) && !error.is_in_doubt());
    let longest = NewEntry { leaf: vec![7; 65_535], details: Vec::new() };
    assert_eq!(log.append(&[longest.clone(), NewEntry { leaf: Vec::new(), details: Vec::new() }]).unwrap().size(), 2);
    drop(log);
    let (log, _) = bed.open();
    assert_eq!(log.reader().entries(0, 9).unwrap(), [longest.leaf, Vec::new()]);
    assert_eq!(log.reader().details(1).unwrap(), Some(Vec::new()));
}

#[test]
fn records_longer_than_a_segment_get_segments_of_their_own_size() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    let big = |n: u8| NewEntry { leaf: vec![n], details: vec![n; 600 << 10] };
    for n in 0..4 {
        log.append(&[big(n)]).unwrap();
    }
    log.close().unwrap();
    let (log, _) = bed.open();
    for n in 0..4 {
        assert_eq!(log.reader().details(u64::from(n)).unwrap().unwrap(), big(n).details);
    }
}

#[test]
fn the_last_entries_are_given_for_remembering_across_segments() {
    let mut bed = Bed::new();
    bed.config.segment_bytes = 16 << 10;
    bed.config.remember_requests = 700;
    let (mut log, _) = bed.open();
    for n in 0..100 {
        log.append(&batch(n * 10, n * 10 + 10)).unwrap();
    }
    let check = |log: &Log| {
        let recent: Vec<Recorded> = log.recent().unwrap().map(Result::unwrap).collect();
        assert_eq!(recent.len(), 700);
        for (recorded, index) in recent.iter().zip(300..) {
            assert_eq!(*recorded, Recorded { index, leaf: leaf(index), details: Some(details(index)) });
        }
    };
    check(&log);
    assert!(crate::wal::list_segments(&bed.path("wal")).unwrap().len() > 3, "the test needs several segments");
    drop(log);
    check(&bed.open().0);
}

#[test]
fn only_one_process_writes_a_log() {
    let bed = Bed::new();
    let (log, _) = bed.open();
    assert!(matches!(bed.try_open(), Err(OpenError::Locked { .. })));
    drop(log);
    bed.open();
}

#[test]
fn the_wal_is_private_and_the_public_files_are_readable() {
    use std::os::unix::fs::PermissionsExt;
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 1)).unwrap();
    log.close().unwrap();
    let mode = |name: &str| std::fs::metadata(bed.path(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode("wal"), 0o700);
    assert_eq!(mode("wal/00000000000000000000.wal"), 0o600);
    assert_eq!(mode("staging"), 0o700);
    assert_eq!(mode("public/checkpoint"), 0o644);
    assert_eq!(mode("public/tile/entries/000.p/1"), 0o444);
}

/// Readers run beside the writer and the publisher, and never see anything that does not verify.
#[test]
fn receipts_made_while_the_log_grows_and_is_published_verify() {
    let mut bed = Bed::new();
    bed.config.publish_interval = Duration::ZERO;
    bed.config.segment_bytes = 32 << 10;
    let (mut log, _) = bed.open();
    log.append(&batch(0, 1)).unwrap();
    let done = AtomicBool::new(false);
    let reader = log.reader();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut at = 0;
            while !done.load(Ordering::Relaxed) {
                at = (at * 7 + 13) % reader.checkpoint().checkpoint.size;
                let proof: TlogProof = String::from_utf8(reader.receipt(at).unwrap()).unwrap().parse().unwrap();
                proof.verify(&leaf(at), &bed.key.verifier).unwrap();
                assert_eq!(reader.details(at).unwrap().unwrap(), details(at));
                reader.consistency(at, reader.checkpoint().checkpoint.size).unwrap();
            }
        });
        let mut size = 1;
        while size < 3000 {
            let next = size + 1 + size % 40;
            log.append(&batch(size, next)).unwrap();
            size = next;
        }
        done.store(true, Ordering::Relaxed);
        assert_eq!(reader.checkpoint().checkpoint.root, root(size));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_batches_with_any_restarts_give_the_same_tree(steps in proptest::collection::vec((1u64..60, any::<bool>(), any::<bool>()), 1..12)) {
        let mut bed = Bed::new();
        bed.config.segment_bytes = 8 << 10;
        let (mut log, _) = bed.open();
        let mut size = 0;
        for (count, restart, publish) in steps {
            let appended = log.append(&batch(size, size + count)).unwrap();
            size += count;
            prop_assert_eq!(appended.checkpoint().checkpoint.root, root(size));
            if publish {
                log.publish_now().unwrap();
            }
            if restart {
                drop(log);
                let (again, recovery) = bed.open();
                prop_assert_eq!(recovery.size, size);
                prop_assert_eq!(recovery.dropped_bytes, 0);
                log = again;
            }
        }
        log.publish_now().unwrap();
        let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
        prop_assert!(report.is_sound(), "{:?}", report.findings);
        prop_assert_eq!(report.root, Some(root(size)));
        let published = crate::StaticLog::open(crate::Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
        published.verify(None, |_| {}).unwrap();
    }
}

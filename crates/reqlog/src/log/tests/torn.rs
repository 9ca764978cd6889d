//! A last record whose write was cut off, and damage that only looks like it.

use super::*;
use crate::testing::Key;
use std::os::unix::fs::FileExt;

/// A log of two batches whose second record is at the returned place of the returned file; nothing is published beyond the first.
struct Two {
    bed: Bed,
    path: PathBuf,
    from: u64,
    to: u64,
}

fn two() -> Two {
    let mut bed = Bed::new();
    bed.config.segment_bytes = 8 << 10;
    bed.config.reserve_bytes = 0;
    let (mut log, _) = bed.open();
    log.append(&batch(0, 2)).unwrap();
    log.publish_now().unwrap();
    let (_, from) = bed.last_segment();
    log.append(&batch(2, 5)).unwrap();
    let (path, to) = bed.last_segment();
    // As a crash leaves it: the second batch is not published.
    let copy = bed.copy();
    let path = copy.config.dir.join("wal").join(path.file_name().unwrap());
    Two { bed: copy, path, from, to }
}

impl Two {
    /// Another file content, opened on a fresh copy.
    fn with(&self, change: impl FnOnce(&File)) -> (Bed, Result<(Log, Recovery), OpenError>) {
        let bed = self.bed.copy();
        let file = File::options().write(true).read(true).open(bed.path("wal").join(self.path.file_name().unwrap())).unwrap();
        change(&file);
        let opened = bed.try_open();
        (bed, opened)
    }
}

fn assert_dropped(two: &Two, bed: &Bed, opened: Result<(Log, Recovery), OpenError>, what: &str) {
    let (mut log, recovery) = opened.unwrap_or_else(|e| panic!("{what}: {e}"));
    assert_eq!(recovery.size, 2, "{what}");
    assert!(recovery.dropped_bytes <= two.to - two.from, "{what}");
    if recovery.dropped_bytes % 8 > 0 {
        return;
    }
    // The log goes on as if the batch had never been, and stays sound.
    log.append(&batch(2, 3)).unwrap();
    assert_eq!(log.checkpoint().checkpoint.root, root(3));
    log.close().unwrap();
    let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
    assert!(report.is_sound(), "{what}: {:?}", report.findings);
    assert_eq!(bed.open().1.size, 3, "{what}");
}

#[test]
fn a_write_cut_off_at_any_byte_is_dropped() {
    let two = two();
    for cut in two.from..two.to {
        let (bed, opened) = two.with(|f| f.write_all_at(&vec![0; (two.to - cut) as usize], cut).unwrap());
        assert_dropped(&two, &bed, opened, &format!("zeros from {cut}"));
    }
}

#[test]
fn a_file_cut_off_at_any_byte_of_the_last_record_is_dropped() {
    let two = two();
    for cut in two.from..two.to {
        let (bed, opened) = two.with(|f| f.set_len(cut).unwrap());
        assert_dropped(&two, &bed, opened, &format!("cut at {cut}"));
    }
}

#[test]
fn the_dropped_bytes_are_put_aside() {
    let two = two();
    let mut kept = vec![0; (two.to - 10 - two.from) as usize];
    let (bed, opened) = two.with(|f| {
        f.read_exact_at(&mut kept, two.from).unwrap();
        f.set_len(two.to - 10).unwrap();
    });
    let (log, recovery) = opened.unwrap();
    drop(log);
    assert_eq!(recovery.dropped_bytes, kept.len() as u64);
    assert_eq!(std::fs::read(recovery.dropped_to.unwrap()).unwrap(), kept);
    assert_eq!(bed.open().1.dropped_bytes, 0, "and are gone from the segment");
}

/// A record that spans sectors, any one of which the disk may not have written.
#[test]
fn a_write_that_lacks_any_of_its_sectors_is_dropped() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 2)).unwrap();
    log.publish_now().unwrap();
    let (_, from) = bed.last_segment();
    log.append(&batch(2, 200)).unwrap();
    let (path, to) = bed.last_segment();
    let crashed = bed.copy();
    let two = Two { path: crashed.path("wal").join(path.file_name().unwrap()), bed: crashed, from, to };
    for sector in from / 512..=to / 512 {
        let (start, end) = ((sector * 512).max(from), (sector * 512 + 512).min(to));
        let (bed, opened) = two.with(|f| f.write_all_at(&vec![0; (end - start) as usize], start).unwrap());
        assert_dropped(&two, &bed, opened, &format!("sector {sector}"));
        let (bed, opened) = two.with(|f| {
            f.write_all_at(&vec![0; (end - start) as usize], start).unwrap();
            f.write_all_at(&vec![0; 600], to - 600).unwrap();
        });
        assert_dropped(&two, &bed, opened, &format!("sector {sector} and the end"));
    }
}

#[test]
fn a_flipped_bit_anywhere_is_refused() {
    let two = two();
    for at in 0..two.to {
        for bit in [0x01, 0x80] {
            let (bed, opened) = two.with(|f| {
                let mut byte = [0];
                f.read_exact_at(&mut byte, at).unwrap();
                f.write_all_at(&[byte[0] ^ bit], at).unwrap();
            });
            match opened {
                Err(OpenError::Corrupt { .. } | OpenError::Segment { .. }) => {}
                Err(other) => panic!("byte {at}: {other}"),
                Ok((_, recovery)) => panic!("byte {at} bit {bit:x}: {recovery:?}"),
            }
            // Nothing was changed: putting the byte right again makes the log whole.
            let path = bed.path("wal").join(two.path.file_name().unwrap());
            let file = File::options().write(true).read(true).open(path).unwrap();
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            file.write_all_at(&[byte[0] ^ bit], at).unwrap();
            if at % 97 == 0 {
                assert_eq!(bed.open().1.size, 5);
            }
        }
    }
}

#[test]
fn a_damaged_record_before_others_is_refused_even_if_it_looks_cut_off() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 2)).unwrap();
    log.publish_now().unwrap();
    let (path, from) = bed.last_segment();
    log.append(&batch(2, 100)).unwrap();
    let (_, to) = bed.last_segment();
    log.append(&batch(100, 101)).unwrap();
    let name = path.file_name().unwrap();
    for (start, count) in [(from, 4), (from, to - from), (from + 512, 512), (to - 20, 20)] {
        let crashed = bed.copy();
        let file = File::options().write(true).open(crashed.path("wal").join(name)).unwrap();
        file.write_all_at(&vec![0; count as usize], start).unwrap();
        match crashed.try_open() {
            Err(OpenError::Corrupt { offset, index: 2, .. }) => assert_eq!(offset, from),
            Ok((_, recovery)) => panic!("zeros at {start}: {recovery:?}"),
            Err(other) => panic!("zeros at {start}: {other}"),
        }
    }
}

#[test]
fn two_damaged_records_are_not_one_that_was_cut_off() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 2)).unwrap();
    log.publish_now().unwrap();
    let (path, from) = bed.last_segment();
    log.append(&batch(2, 100)).unwrap();
    log.append(&batch(100, 200)).unwrap();
    let (_, to) = bed.last_segment();
    let crashed = bed.copy();
    let file = File::options().write(true).open(crashed.path("wal").join(path.file_name().unwrap())).unwrap();
    // A sector of each is gone, of entries and of details, but both signed checkpoints are there.
    file.write_all_at(&[0; 512], from.next_multiple_of(512)).unwrap();
    file.write_all_at(&[0; 512], (to - 600).next_multiple_of(512) - 512).unwrap();
    assert!(matches!(crashed.try_open(), Err(OpenError::Corrupt { index: 2, .. })));
}

#[test]
fn a_published_batch_is_never_dropped() {
    let two = two();
    let bed = two.bed.copy();
    let (log, _) = bed.open();
    log.publish_now().unwrap();
    drop(log);
    let file = File::options().write(true).open(bed.path("wal").join(two.path.file_name().unwrap())).unwrap();
    file.set_len(two.to - 1).unwrap();
    let Err(OpenError::Rollback { ours_size: 2, theirs_size: 5, .. }) = bed.try_open() else { panic!("not refused") };
    assert_eq!(file.metadata().unwrap().len(), two.to - 1, "nothing was changed");
}

#[test]
fn garbage_after_the_last_record_is_dropped() {
    let two = two();
    let mut garbage = vec![0; 3000];
    getrandom::fill(&mut garbage).unwrap();
    let bed = two.bed.copy();
    let file = File::options().write(true).open(bed.path("wal").join(two.path.file_name().unwrap())).unwrap();
    file.write_all_at(&garbage, two.to).unwrap();
    let (_, recovery) = bed.open();
    assert_eq!((recovery.size, recovery.dropped_bytes), (5, garbage.iter().rposition(|b| *b != 0).unwrap() as u64 + 1));
}

/// Somebody who got a receipt cannot make the log refuse to start by putting the checkpoint into a request.
#[test]
fn an_old_checkpoint_inside_a_cut_off_record_does_not_count_as_a_later_record() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    let first = log.append(&batch(0, 1)).unwrap();
    log.publish_now().unwrap();
    let second = log.append(&batch(1, 2)).unwrap();
    let (path, _) = bed.last_segment();
    let notes = [first.checkpoint().note.as_bytes(), second.checkpoint().note.as_bytes()].concat();
    log.append(&[NewEntry { leaf: leaf(2), details: [notes.as_slice(), &[1; 2000]].concat() }]).unwrap();
    let (_, to) = bed.last_segment();
    let crashed = bed.copy();
    let file = File::options().write(true).open(crashed.path("wal").join(path.file_name().unwrap())).unwrap();
    file.set_len(to - 100).unwrap();
    assert_eq!(crashed.open().1.size, 2);
}

#[test]
fn another_key_is_refused_by_name_of_the_file() {
    let two = two();
    let mut bed = two.bed.copy();
    bed.key = Key::new(crate::testing::ORIGIN);
    std::fs::remove_file(bed.path("public/checkpoint")).unwrap();
    let Err(OpenError::KeyMismatch { file, .. }) = bed.try_open() else { panic!("not refused") };
    assert_eq!(file.extension().unwrap(), "wal");
}

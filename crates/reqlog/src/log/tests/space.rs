//! A full disk.

use super::*;
use crate::store::faulty::{Faulty, How, Step};

/// A disk that is really full, if we may mount one; `None` where we may not.
struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    fn mount(bytes: u64) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={bytes}"), "chancery-test"]).arg(dir.path());
        mount.stderr(std::process::Stdio::null()).status().ok().filter(|s| s.success()).map(|_| Self { dir })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.dir.path()).status();
    }
}

fn entry(n: u64) -> NewEntry {
    NewEntry { leaf: leaf(n), details: vec![7; 2000] }
}

#[test]
fn a_full_disk_refuses_keeps_room_for_refusals_and_recovers() {
    let Some(disk) = SmallDisk::mount(1 << 20) else {
        // Only root may mount; the next test shows the same with a disk that says it is full.
        return;
    };
    let mut bed = Bed::new();
    bed.config.dir = disk.dir.path().join("log");
    bed.config.segment_bytes = 128 << 10;
    bed.config.reserve_bytes = 32 << 10;
    let (mut log, _) = bed.open();
    log.publish_now().unwrap();
    let mut size = 0;
    let error = loop {
        match log.append(&[entry(size)]) {
            Ok(_) => size += 1,
            Err(error) => break error,
        }
        // The housekeeper makes segments ready meanwhile; what it cannot publish waits.
        let _ = log.publish_now();
    };
    assert!(matches!(error, AppendError::Full), "{error}");
    assert!(size > 100, "only {size} entries on a disk for 300");
    assert!(matches!(log.append(&[entry(size)]), Err(AppendError::Full)), "and so is the next");
    for _ in 0..5 {
        log.append_from_reserve(&[entry(size)]).unwrap();
        size += 1;
    }
    assert!(matches!(log.append(&[entry(size)]), Err(AppendError::Full)), "the reserve is for refusals only");
    drop(log);
    let (mut log, recovery) = bed.open();
    assert_eq!(recovery.size, size);
    assert!(matches!(log.append(&[entry(size)]), Err(AppendError::Full)), "also after a restart");
    let resize = std::process::Command::new("mount").args(["-o", "remount,size=4194304"]).arg(disk.dir.path()).status();
    assert!(resize.unwrap().success());
    log.append(&[entry(size)]).unwrap();
    log.publish_now().unwrap();
    assert!(log.publisher_status().segment_failure.is_none());
    assert!(bed.config.dir.join("wal/reserve").exists(), "the reserve is made anew");
    drop(log);
    let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
    assert!(report.is_sound(), "{:?}", report.findings);
}

#[test]
fn the_reserve_is_used_for_refusals_when_no_segment_can_be_made() {
    let mut bed = Bed::new();
    bed.config.segment_bytes = 8 << 10;
    bed.config.reserve_bytes = 16 << 10;
    let faulty = Faulty::new();
    let (mut log, _) = bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>).unwrap();
    log.publish_now().unwrap();
    log.append(&[entry(0)]).unwrap();
    faulty.arm_always(Step::Allocate, How::Full);
    log.append(&[entry(1)]).unwrap();
    assert!(matches!(log.append(&[entry(2), entry(3)]), Err(AppendError::Full)));
    let appended = log.append_from_reserve(&[entry(2), entry(3)]).unwrap();
    assert_eq!(appended.size(), 4);
    assert!(matches!(log.append(&[entry(4)]), Err(AppendError::Full)));
    faulty.disarm();
    // With space again, normal batches get a normal segment.
    log.append(&[entry(4)]).unwrap();
    assert_eq!(crate::wal::list_segments(&bed.path("wal")).unwrap().len(), 3);
    drop(log);
    assert_eq!(bed.open().1.size, 5);
}

#[test]
fn no_room_for_the_first_segment_is_said_so() {
    let bed = Bed::new();
    let faulty = Faulty::new();
    faulty.arm(Step::Allocate, 0, How::Full);
    assert!(matches!(bed.open_on(faulty), Err(OpenError::Full { .. })));
    bed.open();
}

#[test]
fn what_a_crash_left_in_the_reserve_is_wiped_before_it_is_used() {
    let bed = Bed::new();
    let (log, _) = bed.open();
    log.close().unwrap();
    let reserve = bed.path("wal/reserve");
    let file = File::options().write(true).open(&reserve).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&file, &[7; 4096], 0).unwrap();
    bed.open();
    assert!(std::fs::read(&reserve).unwrap().iter().all(|b| *b == 0));
}

//! The fault table: each step of the disk x each way to fail, at each of its first occurrences.
//!
//! Whatever fails: what was acknowledged is there after a restart, in the same tree, and the log goes on and is sound.

use super::*;
use crate::store::faulty::{Faulty, How, Step};

const HOWS: [How; 5] = [How::Fails, How::FailsButIsDone, How::Full, How::PowerCut, How::Killed];
const BATCHES: u64 = 9;
const BATCH: u64 = 37;

/// What a run until the fault has seen.
struct Outcome {
    happened: bool,
    /// The checkpoints that were acknowledged.
    acknowledged: Vec<Arc<SignedCheckpoint>>,
    /// The error that ended the run.
    fatal: Option<AppendError>,
    /// Whether an append was refused and could be repeated.
    refused: u32,
}

impl Outcome {
    fn size(&self) -> u64 {
        self.acknowledged.last().map_or(0, |c| c.checkpoint.size)
    }
}

fn bed() -> Bed {
    let mut bed = Bed::new();
    // A segment holds two batches, so that segments are changed several times.
    bed.config.segment_bytes = 5 << 10;
    bed.config.reserve_bytes = 4 << 10;
    bed
}

/// Appends and publishes until something fatal happens.
fn run(bed: &Bed, step: Step, nth: u32, how: How) -> Outcome {
    let faulty = Faulty::new();
    faulty.arm(step, nth, how);
    let mut outcome = Outcome { happened: false, acknowledged: Vec::new(), fatal: None, refused: 0 };
    let opened = bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>);
    if let Ok((mut log, _)) = opened {
        while outcome.size() < BATCHES * BATCH && outcome.fatal.is_none() && outcome.refused < 3 {
            let from = outcome.size();
            match log.append(&batch(from, from + BATCH)) {
                Ok(appended) => outcome.acknowledged.push(Arc::clone(appended.checkpoint())),
                Err(error) if error.is_in_doubt() => outcome.fatal = Some(error),
                Err(_) => outcome.refused += 1,
            }
            // A failure of publishing is seen in the status, and must not matter here.
            let _ = log.publish_now();
        }
        if outcome.fatal.is_some() {
            assert!(matches!(log.append(&batch(0, 1)), Err(AppendError::InDoubt)), "a broken log stays broken");
        }
    }
    outcome.happened = faulty.disarm();
    outcome
}

/// Opens what the crash left, and checks that nothing that was acknowledged is lost or changed.
fn check_after_restart(bed: &Bed, outcome: &Outcome, what: &str) {
    check_after_restart_with(bed, outcome, what, outcome.size());
}

/// The same of a log that has at least so many entries.
fn check_after_restart_with(bed: &Bed, outcome: &Outcome, what: &str, size: u64) {
    let (mut log, recovery) = bed.try_open().unwrap_or_else(|e| panic!("{what}: {e:?}"));
    assert!(recovery.size == size || recovery.size == size + BATCH, "{what}: {recovery:?}");
    for entry in log.reader().recorded(0..size).unwrap() {
        let entry = entry.unwrap_or_else(|e| panic!("{what}: {e}"));
        assert_eq!((&entry.leaf, entry.details), (&leaf(entry.index), Some(details(entry.index))), "{what}");
    }
    log.append(&[NewEntry { leaf: b"after".to_vec(), details: Vec::new() }]).unwrap();
    log.close().unwrap_or_else(|e| panic!("{what}: {e}"));
    let report = crate::fsck(&bed.config.dir, &bed.key.verifier, |_| {});
    assert!(report.is_sound(), "{what}: {:?}", report.findings);
    assert_eq!(report.size, recovery.size + 1, "{what}");
    let published = crate::StaticLog::open(crate::Directory::new(bed.path("public")), &bed.key.verifier).unwrap();
    published.verify(None, |_| {}).unwrap_or_else(|e| panic!("{what}: {e}"));
    for acknowledged in &outcome.acknowledged {
        published.check_extends(&acknowledged.checkpoint).unwrap_or_else(|e| panic!("{what}: {e}"));
    }
}

/// Runs a step's row of the table; returns how often the fault happened.
fn row(step: Step, check: impl Fn(How, u32, &Outcome)) -> u32 {
    let mut happened = 0;
    for how in HOWS {
        for nth in 0..6 {
            let bed = bed();
            let what = format!("{step:?} {nth} {how:?}");
            let outcome = run(&bed, step, nth, how);
            check(how, nth, &outcome);
            happened += u32::from(outcome.happened);
            check_after_restart(&bed, &outcome, &what);
        }
    }
    happened
}

/// Steps that only the publisher takes never disturb an append, and a publisher that only fails once catches up.
fn publishing_row(step: Step) {
    let happened = row(step, |how, nth, outcome| {
        if !matches!(how, How::PowerCut | How::Killed) {
            assert!(outcome.fatal.is_none() && outcome.refused == 0, "{step:?} {nth} {how:?}: {:?}", outcome.fatal);
            assert_eq!(outcome.size(), BATCHES * BATCH);
        }
    });
    assert!(happened > 5, "{step:?} happened {happened} times");
}

#[test]
fn write() {
    let happened = row(Step::Write, |how, nth, outcome| {
        if how == How::Full {
            assert!(outcome.fatal.is_none(), "{nth}: nothing was recorded, so there is no need to restart: {:?}", outcome.fatal);
        }
    });
    assert!(happened > 20);
}

#[test]
fn a_record_that_finds_no_space_is_refused_and_the_log_goes_on() {
    let bed = bed();
    let outcome = run(&bed, Step::Write, 1, How::Full);
    assert!(outcome.happened && outcome.fatal.is_none());
    assert_eq!((outcome.refused, outcome.size()), (1, BATCHES * BATCH));
    check_after_restart(&bed, &outcome, "full");
    // Nothing of the refused record is left to be explained.
    let (bed, faulty) = (Bed::new(), Faulty::new());
    let (mut log, _) = bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>).unwrap();
    faulty.arm(Step::Write, 0, How::Full);
    assert!(matches!(log.append(&batch(0, BATCH)), Err(AppendError::Full)));
    drop(log);
    assert_eq!(bed.open().1.dropped_bytes, 0);
}

#[test]
fn sync() {
    let happened = row(Step::Sync, |how, nth, outcome| {
        if outcome.happened {
            assert!(outcome.fatal.is_some() || outcome.size() == 0, "{nth} {how:?}: an error of fdatasync is final");
        }
    });
    assert!(happened > 20);
}

#[test]
fn rename() {
    assert!(row(Step::Rename, |_, _, _| {}) > 20);
}

#[test]
fn sync_dir() {
    assert!(row(Step::SyncDir, |_, _, _| {}) > 20);
}

#[test]
fn allocate() {
    let happened = row(Step::Allocate, |how, nth, outcome| {
        if how == How::Full {
            assert!(outcome.fatal.is_none(), "{nth}: a full disk is no reason to restart: {:?}", outcome.fatal);
        }
    });
    assert!(happened > 20);
}

#[test]
fn seal() {
    publishing_row(Step::Seal);
}

#[test]
fn stage() {
    publishing_row(Step::Stage);
}

#[test]
fn sync_staged() {
    publishing_row(Step::SyncStaged);
}

#[test]
fn checkpoint() {
    publishing_row(Step::Checkpoint);
}

/// Each step of a recovery may be interrupted by the next crash.
#[test]
fn a_recovery_that_is_cut_off_can_be_repeated() {
    for step in [Step::Write, Step::Sync, Step::Allocate, Step::Rename, Step::SyncDir, Step::Stage, Step::SyncStaged, Step::Checkpoint] {
        for nth in 0..3 {
            for how in [How::PowerCut, How::Killed, How::Fails] {
                let bed = bed();
                let outcome = run(&bed, Step::Write, 5, How::Killed);
                assert!(outcome.happened);
                let faulty = Faulty::new();
                faulty.arm(step, nth, how);
                drop(bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>));
                check_after_restart(&bed, &outcome, &format!("{step:?} {nth} {how:?}"));
            }
        }
    }
}

/// A disk that fails and is well again: the log goes on in the same process. What was in doubt is recorded once, and nothing twice.
#[test]
fn a_log_is_mended_in_place_once_the_disk_is_well_again() {
    let mut mended = 0;
    for step in [Step::Write, Step::Sync, Step::Rename, Step::SyncDir, Step::Allocate] {
        for how in [How::Fails, How::FailsButIsDone] {
            for nth in 0..6 {
                let (bed, faulty) = (bed(), Faulty::new());
                let (mut log, _) = bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>).unwrap();
                let (what, mut acknowledged) = (format!("{step:?} {nth} {how:?}"), Vec::new());
                faulty.arm(step, nth, how);
                while log.checkpoint().checkpoint.size < BATCHES * BATCH {
                    let from = log.checkpoint().checkpoint.size;
                    match log.append(&batch(from, from + BATCH)) {
                        Ok(appended) => acknowledged.push(Arc::clone(appended.checkpoint())),
                        Err(error) => {
                            assert!(error.is_in_doubt() && log.is_in_doubt(), "{what}: {error}");
                            assert_eq!(log.checkpoint().checkpoint.size, from, "{what}: nobody sees what is in doubt");
                            faulty.arm_always(step, How::Fails);
                            for _ in 0..2 {
                                // Only the very step that failed has to work for it.
                                let _ = log.mend();
                            }
                            faulty.disarm();
                            log.mend().unwrap_or_else(|e| panic!("{what}: {e}"));
                            assert!(!log.is_in_doubt() && log.checkpoint().checkpoint.size % BATCH == 0, "{what}");
                            mended += 1;
                        }
                    }
                    let _ = log.publish_now();
                }
                drop(log);
                let outcome = Outcome { happened: true, acknowledged, fatal: None, refused: 0 };
                check_after_restart_with(&bed, &outcome, &what, BATCHES * BATCH);
            }
        }
    }
    assert!(mended > 25, "{mended}");
}

/// As long as the disk fails, so does mending; and nothing is recorded meanwhile.
#[test]
fn a_log_in_doubt_records_nothing() {
    for step in [Step::Write, Step::Sync] {
        let (bed, faulty) = (bed(), Faulty::new());
        let (mut log, _) = bed.open_on(Arc::clone(&faulty) as Arc<dyn crate::store::Store>).unwrap();
        faulty.arm_always(step, How::Fails);
        assert!(matches!(log.append(&batch(0, BATCH)), Err(AppendError::Io { .. })));
        for _ in 0..3 {
            assert!(matches!(log.mend(), Err(AppendError::Io { .. })));
            assert!(matches!(log.append(&batch(0, 1)), Err(AppendError::InDoubt)));
            assert!(matches!(log.append_from_reserve(&batch(0, 1)), Err(AppendError::InDoubt)));
            assert_eq!(log.checkpoint().checkpoint.size, 0);
        }
        faulty.disarm();
        log.mend().unwrap();
        assert_eq!(log.checkpoint().checkpoint.root, root(BATCH), "the batch in doubt, as it was");
        log.append(&batch(BATCH, 2 * BATCH)).unwrap();
        assert_eq!(log.checkpoint().checkpoint.root, root(2 * BATCH));
    }
}

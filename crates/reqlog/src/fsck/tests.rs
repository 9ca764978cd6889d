use super::*;
use crate::testing::{Bed, batch, root};
use crate::{Decision, Details, Leaf, NewEntry, Salts, Token};
use std::os::unix::fs::{FileExt, PermissionsExt};

fn checked(bed: &Bed) -> Report {
    fsck(&bed.config.dir, &bed.key.verifier, |_| {})
}

/// Leaves and details as the keeper makes them.
fn real(number: u64) -> NewEntry {
    let values: [(&str, &[u8]); 2] = [("principal", b"spiffe://example.org/publisher/web1"), ("subject", b"prod")];
    let details = Details::new(&values, &mut Salts::random(2).unwrap()).unwrap();
    let mut leaf = Leaf::event(Token::SIGN, Decision::Permit, number);
    leaf.details = Some(details.commitment());
    leaf.principal = details.field("principal").map(crate::Field::commitment);
    leaf.subject = details.field("subject").map(crate::Field::commitment);
    NewEntry { leaf: leaf.to_bytes(), details: details.encode() }
}

/// Several segments, 400 entries, all published.
fn sound() -> Bed {
    let mut bed = Bed::new();
    bed.config.segment_bytes = 48 << 10;
    let (mut log, _) = bed.open();
    for n in 0..40 {
        let entries: Vec<_> = (n * 10..n * 10 + 10).map(real).collect();
        log.append(&entries).unwrap();
    }
    log.close().unwrap();
    bed
}

fn segments(bed: &Bed) -> Vec<std::path::PathBuf> {
    let wal = bed.path("wal");
    crate::wal::list_segments(&wal).unwrap().into_iter().map(|first| crate::wal::segment_path(&wal, first)).collect()
}

fn flip(path: &Path, at: u64) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
    let file = std::fs::File::options().read(true).write(true).open(path).unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 4], at).unwrap();
}

#[test]
fn a_sound_log_has_no_findings() {
    let bed = sound();
    let mut last = 0;
    let report = fsck(&bed.config.dir, &bed.key.verifier, |n| last = n);
    assert!(report.is_sound() && report.findings.is_empty(), "{:?}", report.findings);
    assert_eq!((report.size, report.records, report.redacted, report.published, last), (400, 40, 0, Some(400), 400));
    assert!(report.segments > 3, "{}", report.segments);
    assert_eq!(report.root, Some(bed.open().0.checkpoint().checkpoint.root));
}

#[test]
fn a_flipped_bit_anywhere_in_any_segment_is_found() {
    let bed = sound();
    for path in segments(&bed) {
        let end = bed.last_segment();
        let length = if end.0 == path { end.1 } else { path.metadata().unwrap().len() };
        for at in (0..length).step_by(911) {
            flip(&path, at);
            let report = checked(&bed);
            assert!(!report.is_sound(), "{} byte {at}", path.display());
            let finding = report.findings.iter().find(|f| f.problem.is_damage()).unwrap();
            assert!(finding.file == path || matches!(finding.problem, Problem::Gap), "{finding:?}");
            assert!(!finding.problem.advice().is_empty());
            flip(&path, at);
        }
    }
    assert!(checked(&bed).is_sound());
}

#[test]
fn a_flipped_bit_in_any_published_file_is_found() {
    let bed = sound();
    for path in chancery_tlog::tiles_of(400).map(|p| bed.path("public").join(p.to_string())) {
        flip(&path, 5);
        let report = checked(&bed);
        assert!(report.findings.iter().any(|f| f.file == path && matches!(f.problem, Problem::Differs)), "{}", path.display());
        flip(&path, 5);
        crate::durable::rename(&path, &bed.path("away")).unwrap();
        let report = checked(&bed);
        assert!(report.findings.iter().any(|f| f.file == path && matches!(f.problem, Problem::Missing)), "{}", path.display());
        crate::durable::rename(&bed.path("away"), &path).unwrap();
    }
    flip(&bed.path("public/checkpoint"), 30);
    assert!(checked(&bed).findings.iter().any(|f| matches!(f.problem, Problem::Published(_))));
}

#[test]
fn details_that_are_not_those_of_the_leaf_are_found() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    let (one, two) = (real(0), real(1));
    log.append(&[NewEntry { details: two.details.clone(), ..one.clone() }]).unwrap();
    log.append(&[NewEntry { details: b"nonsense".to_vec(), ..one.clone() }]).unwrap();
    log.append(&[NewEntry { details: Vec::new(), ..one.clone() }]).unwrap();
    let mut other = Leaf::parse(&one.leaf).unwrap();
    other.principal = other.subject;
    log.append(&[NewEntry { leaf: other.to_bytes(), ..one.clone() }]).unwrap();
    log.append(&[one]).unwrap();
    log.close().unwrap();
    let report = checked(&bed);
    let found: Vec<_> = report.findings.iter().map(|f| (f.index, matches!(f.problem, Problem::Details(_)))).collect();
    assert_eq!(found, [(Some(0), false), (Some(1), true), (Some(2), false), (Some(3), false)]);
}

#[test]
fn redacted_details_are_counted_and_are_no_damage() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    let mut entry = real(0);
    let mut details = Details::decode(&entry.details).unwrap();
    details.redact("principal");
    entry.details = details.encode();
    log.append(&[entry]).unwrap();
    log.close().unwrap();
    assert!(checked(&bed).findings.is_empty());
}

#[test]
fn a_missing_segment_a_rollback_and_a_fork_are_told_apart() {
    let bed = sound();
    let paths = segments(&bed);
    let middle = bed.copy();
    std::fs::remove_file(&segments(&middle)[1]).unwrap();
    let report = checked(&middle);
    assert!(report.findings.iter().any(|f| matches!(f.problem, Problem::Gap)));
    assert_eq!(report.size, 400, "the segments after the gap are verified too");
    let last = bed.copy();
    std::fs::remove_file(&segments(&last)[paths.len() - 1]).unwrap();
    assert!(checked(&last).findings.iter().any(|f| matches!(f.problem, Problem::Rollback { published: 400, .. })));
    let twin = Bed { key: bed.key.clone(), ..Bed::new() };
    let (mut log, _) = twin.open();
    log.append(&batch(0, 400)).unwrap();
    log.close().unwrap();
    std::fs::copy(twin.path("public/checkpoint"), bed.path("public/checkpoint")).unwrap();
    assert!(checked(&bed).findings.iter().any(|f| matches!(f.problem, Problem::Fork)));
}

#[test]
fn it_runs_beside_a_writer_and_tells_foreign_leaves_from_damage() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&batch(0, 3)).unwrap();
    log.publish_now().unwrap();
    let report = checked(&bed);
    assert!(report.is_sound());
    assert!(report.findings.iter().any(|f| matches!(f.problem, Problem::InUse)));
    assert_eq!(report.findings.iter().filter(|f| matches!(f.problem, Problem::Leaf(_))).count(), 3);
    assert_eq!(report.root, Some(root(3)));
}

#[test]
fn a_cut_off_record_is_reported_as_such() {
    let bed = Bed::new();
    let (mut log, _) = bed.open();
    log.append(&[real(0)]).unwrap();
    log.publish_now().unwrap();
    log.append(&[real(1)]).unwrap();
    let (path, end) = bed.last_segment();
    let crashed = bed.copy();
    let file = std::fs::File::options().write(true).open(crashed.path("wal").join(path.file_name().unwrap())).unwrap();
    file.write_all_at(&[0; 100], end - 100).unwrap();
    let report = checked(&crashed);
    assert!(report.is_sound() && matches!(report.findings[..], [Finding { problem: Problem::Torn { .. }, .. }]), "{:?}", report.findings);
}

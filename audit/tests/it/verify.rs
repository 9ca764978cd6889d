//! `chancery-audit verify`, from a directory.

use crate::support::{Site, run};
use chancery_tlog::Checkpoint;

const VERIFY: [&str; 4] = ["verify", "log/public", "--state", "seen"];

fn copy(site: &Site, from: &str, to: &str) {
    let done = std::process::Command::new("cp").arg("-r").args([site.path(from), site.path(to)]).status().unwrap();
    assert!(done.success());
}

#[test]
fn a_log_is_verified_and_must_extend_what_was_verified_before() {
    let site = Site::new();
    site.append("log", 300, 1_000);
    let ran = site.audit(&VERIFY);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("verified: signer.example/requests has 300 entries (300 deny)\nroot "), "{ran:?}");
    site.append("log", 5, 2_000);
    let ran = site.audit(&VERIFY);
    assert!(ran.out.starts_with("verified: signer.example/requests has 305 entries, extends the 300 seen before (305 deny)\n"), "{ran:?}");
    let seen = std::fs::read_to_string(site.path("seen")).unwrap();
    assert_eq!(Checkpoint::open(&seen, site.key()).unwrap().size, 305);
}

#[test]
fn json_has_the_same_facts() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    let ran = site.audit(&["verify", "log/public", "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&facts["entries"], &facts["kinds"]["deny"], &facts["unknown"]), (&3.into(), &3.into(), &0.into()));
}

#[test]
fn a_log_that_was_rolled_back_is_noticed_and_both_checkpoints_are_shown() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    copy(&site, "log", "backup");
    site.append("log", 3, 2_000);
    assert_eq!(site.audit(&VERIFY).code, 0);
    let seen = std::fs::read_to_string(site.path("seen")).unwrap();
    let ran = site.audit(&["verify", "backup/public", "--state", "seen"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("ROLLBACK: the log shows 3 entries, but had 6 before"), "{ran:?}");
    let shown = std::fs::read_to_string(site.path("backup/public/checkpoint")).unwrap();
    assert!(ran.err.contains(&seen) && ran.err.contains(&shown), "{ran:?}");
    assert_eq!(std::fs::read_to_string(site.path("seen")).unwrap(), seen, "what was seen is not forgotten");
}

#[test]
fn a_log_with_another_history_is_noticed() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    assert_eq!(site.audit(&VERIFY).code, 0);
    site.append("fork", 5, 9_000);
    let ran = site.audit(&["verify", "fork/public", "--state", "seen", "--json"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("FORK: the log's first 3 entries are not those"), "{ran:?}");
    let facts: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(facts["error"]["exit"], 4);
    assert!(facts["error"]["evidence"]["shown"].as_str().unwrap().starts_with("signer.example/requests\n5\n"));
}

#[test]
fn a_changed_entry_is_found_and_nothing_is_saved() {
    let site = Site::new();
    site.append("log", 300, 1_000);
    let path = site.path("log/public/tile/entries/000");
    let mut bundle = std::fs::read(&path).unwrap();
    let digit = bundle.windows(4).position(|w| w == b"1042").unwrap();
    bundle[digit + 3] = b'3';
    chancery_reqlog::durable::write_atomic(&path, &bundle, 0o644).unwrap();
    let ran = site.audit(&VERIFY);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("tile/entries/000 is not what the log's key signed"), "{ran:?}");
    assert!(!site.path("seen").exists());
}

#[test]
fn a_log_signed_by_another_key_is_not_this_log() {
    let (site, other) = (Site::new(), Site::new());
    site.append("log", 3, 1_000);
    let ran = run(&site.path(""), &["verify", "log/public", "--vkey", &other.key().to_string()]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("no signature by a known key"), "{ran:?}");
}

#[test]
fn a_missing_file_is_named_and_is_no_misbehaviour_yet() {
    let site = Site::new();
    site.append("log", 300, 1_000);
    std::fs::remove_file(site.path("log/public/tile/entries/000")).unwrap();
    let ran = site.audit(&VERIFY);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("tile/entries/000 is missing, though the checkpoint promises it"), "{ran:?}");
}

#[test]
fn a_state_file_that_holds_something_else_stops_the_audit() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    chancery_reqlog::durable::write_atomic(&site.path("seen"), b"nothing\n", 0o644).unwrap();
    let ran = site.audit(&VERIFY);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("seen does not hold a checkpoint of this log"), "{ran:?}");
}

#[test]
fn the_key_may_stand_in_a_file() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    chancery_reqlog::durable::write_atomic(&site.path("vkey"), format!("{}\n", site.key()).as_bytes(), 0o644).unwrap();
    assert_eq!(run(&site.path(""), &["verify", "log/public", "--vkey-file", "vkey"]).code, 0);
}

//! `chancery-audit show`.

use crate::support::Site;

#[test]
fn entries_are_shown_by_index_and_by_range() {
    let site = Site::new();
    site.append("log", 300, 1_000);
    let ran = site.audit(&["show", "log/public", "42"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "      42  1970-01-01T00:00:01.042Z  deny deny    reason ref-not-granted\n"));
    assert_eq!(site.audit(&["show", "log/public", "250..260"]).out.lines().count(), 10);
    assert_eq!(site.audit(&["show", "log/public"]).out.lines().count(), 300);
    for beyond in ["300", "299..301"] {
        let ran = site.audit(&["show", "log/public", beyond]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("the log has 300 entries, numbered from 0"), "{ran:?}");
    }
}

#[test]
fn json_is_the_entry_itself_one_a_line() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    let ran = site.audit(&["show", "log/public", "1..3", "--json"]);
    let lines: Vec<serde_json::Value> = ran.out.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    assert_eq!((&lines[0]["index"], &lines[1]["index"]), (&1.into(), &2.into()));
    assert_eq!((&lines[0]["entry"]["kind"], &lines[0]["entry"]["time"]), (&"deny".into(), &1001.into()));
}

#[test]
fn a_changed_entry_is_not_shown() {
    let site = Site::new();
    site.append("log", 3, 1_000);
    let path = site.path("log/public/tile/entries/000.p/3");
    let bundle = String::from_utf8(std::fs::read(&path).unwrap()).unwrap();
    chancery_reqlog::durable::write_atomic(&path, bundle.replacen("deny", "sign", 1).as_bytes(), 0o644).unwrap();
    let ran = site.audit(&["show", "log/public", "0"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, ""));
}

use super::*;
use crate::time::Moment;

fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
    let mut filter = Filter::default();
    change(&mut filter);
    filter
}

fn index() -> Index {
    let key = VerifierKey::ed25519("log.example/x", &[3; 32]).unwrap();
    let index = Index::open(None, &key).unwrap();
    let sql = "INSERT INTO entry VALUES (?1, ?2, ?3, ?4, NULL, ?5, 1, 'sshsig', ?6, NULL, NULL)";
    for n in 0..100_u8 {
        let deny = n % 10 == 0;
        let (kind, decision) = if deny { ("deny", "deny") } else { ("sign", "permit") };
        index.db.execute(sql, params![n, i64::from(n) * 1000, kind, decision, [n % 3; 32], [n; 32]]).unwrap();
        index.db.execute("INSERT OR IGNORE INTO key(id) VALUES (?1)", [[n % 3; 32]]).unwrap();
        index.db.execute("INSERT INTO field VALUES (?1, 'subject', ?2)", params![n, format!("s{}", n % 5)]).unwrap();
    }
    index
}

#[test]
fn conditions_hold_together_and_the_newest_come_first() {
    let index = index();
    let find = |f: Filter| f.find(&index, None, 1000).unwrap().into_iter().map(|row| row.index).collect::<Vec<_>>();
    assert_eq!(find(Filter::default()).len(), 100);
    assert_eq!(find(filter(|f| f.kind = Some("deny".into()))), [90, 80, 70, 60, 50, 40, 30, 20, 10, 0]);
    assert_eq!(find(filter(|f| f.decision = Some("deny".into()))).len(), 10);
    let both = filter(|f| {
        f.kind = Some("deny".into());
        f.subject = Some("s0".into());
        f.key = Some("01010101".into());
    });
    assert_eq!(find(both), [70, 40, 10]);
    let times = filter(|f| (f.since, f.until) = (Some(Moment(5000)), Some(Moment(7000))));
    assert_eq!(find(times), [6, 5]);
    assert_eq!(find(filter(|f| f.digest = Some("07".repeat(32)))), [7]);
    assert_eq!(filter(|f| f.kind = Some("deny".into())).find(&index, Some(50), 2).unwrap().len(), 2);
}

#[test]
fn values_are_never_taken_for_sql() {
    let index = index();
    for hostile in ["' OR 1=1 --", "s0' OR 'a'='a", "\0", "%"] {
        assert!(filter(|f| f.subject = Some(hostile.into())).find(&index, None, 9).unwrap().is_empty(), "{hostile:?}");
        assert!(filter(|f| f.kind = Some(hostile.into())).find(&index, None, 9).unwrap().is_empty(), "{hostile:?}");
    }
    assert!(filter(|f| f.digest = Some("no hex".into())).find(&index, None, 9).is_err());
}

#[test]
fn an_index_of_another_log_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log.db");
    let key = |name: &str| VerifierKey::ed25519(name, &[3; 32]).unwrap();
    drop(Index::open(Some(&path), &key("a.example")).unwrap());
    drop(Index::open(Some(&path), &key("a.example")).unwrap());
    assert!(matches!(Index::open(Some(&path), &key("b.example")), Err(AuditError::OtherIndex { .. })));
    std::fs::write(&path, "no database").unwrap();
    assert!(matches!(Index::open(Some(&path), &key("a.example")), Err(AuditError::Index { .. })));
}

//! What a person is told about a broken policy, word for word. `UPDATE=1` writes the transcripts anew; read the difference before you
//! commit it.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that cannot read its files fails; transcripts need not survive a power cut"
)]

use chancery_keeper::policy::Policy;
use std::path::{Path, PathBuf};

fn files(dir: &str) -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/policy").join(dir);
    let mut files: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    files
}

fn check(path: &Path, told: &str) {
    let transcript = path.with_extension("txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&transcript, told).unwrap();
    }
    assert_eq!(told, std::fs::read_to_string(&transcript).unwrap_or_default(), "{}", path.display());
}

#[test]
fn a_broken_policy_is_refused_with_all_its_mistakes() {
    let files = files("broken");
    assert!(files.len() >= 6);
    for path in files {
        let errors = Policy::parse(&std::fs::read_to_string(&path).unwrap(), "policy.toml").unwrap_err();
        check(&path, &format!("{errors}\n"));
    }
}

#[test]
fn a_doubtful_policy_is_taken_with_warnings() {
    for path in files("doubtful") {
        let policy = Policy::parse(&std::fs::read_to_string(&path).unwrap(), "policy.toml").unwrap();
        let told: String = policy.warnings().iter().map(|w| format!("{w}\n")).collect();
        check(&path, &told);
    }
}

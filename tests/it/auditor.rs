//! Auditors: ours, and the one on top of Go's x/mod.

use crate::outside::check_log;
use chancery_tests::{Output, program, run};
use std::path::Path;
use std::process::Command;

/// What `chancery-audit verify` says; with a file in which it keeps what it saw before, where there is one.
pub(crate) fn audit(public: &Path, vkey: &str, state: Option<&Path>) -> Output {
    let mut command = Command::new(program("chancery-audit"));
    command.arg("verify").arg(public).args(["--vkey", vkey]);
    if let Some(state) = state {
        command.arg("--state").arg(state);
    }
    run(&mut command)
}

/// How many entries a checkpoint speaks for.
pub(crate) fn size(public: &Path) -> u64 {
    let note = std::fs::read_to_string(public.join("checkpoint")).unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

/// What Go's implementation says of a whole log. `None` when it is to be skipped.
pub(crate) fn go_audit(public: &Path, vkey: &str, old_sizes: &[&str]) -> Option<Output> {
    check_log(&[&["log", vkey], old_sizes].concat(), public)
}

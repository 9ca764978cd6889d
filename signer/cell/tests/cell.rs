//! What a process in the cell can do and cannot, tried out by a process in it (`prisoner/main.rs`).
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test stops at its first fault")]
#![allow(clippy::disallowed_methods, reason = "what a test writes need not outlive it")]

use seccompiler::{SeccompAction, SeccompFilter, apply_filter};
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

const FORBIDDEN: &str = "EPERM: Operation not permitted";
const OUTSIDE: &str = "EACCES: Permission denied";

/// What it tried, and what came of it.
fn try_all(role: &str, accepted: &str) -> BTreeMap<String, String> {
    let dir = tempfile::tempdir().unwrap();
    for name in ["readable", "writable"] {
        std::fs::create_dir(dir.path().join(name)).unwrap();
    }
    std::fs::write(dir.path().join("readable/file"), "x").unwrap();
    std::fs::write(dir.path().join("outside"), "x").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let program: PathBuf = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().join("examples/prisoner");
    let mut command = Command::new(program);
    command.args([role, accepted]).arg(dir.path().join("readable")).arg(dir.path().join("writable")).arg(port);
    let output = command.current_dir(dir.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().filter_map(|line| line.split_once(": ")).map(|(what, came)| (what.to_owned(), came.to_owned())).collect()
}

fn expect(tried: &BTreeMap<String, String>, came: &str, what: &[&str]) {
    for what in what {
        assert_eq!(tried.get(*what).map(String::as_str), Some(came), "{what}; {}", tried["report"]);
    }
}

fn no_dangerous_call_is_let_through(tried: &BTreeMap<String, String>) {
    let calls: Vec<_> = tried.iter().filter(|(what, _)| what.starts_with("call ")).collect();
    assert!(calls.len() > 30);
    let through: Vec<_> = calls.into_iter().filter(|(_, came)| *came != FORBIDDEN).collect();
    assert!(through.is_empty(), "{through:?}");
    expect(tried, FORBIDDEN, &["exec", "spawn", "signal to another", "datagrams", "bind", "local socket"]);
    expect(tried, FORBIDDEN, &["writable code", "code out of what was written"]);
}

#[test]
fn a_process_for_a_library_maps_code_and_never_what_it_can_write() {
    let tried = try_all("library", "network-namespace");
    expect(&tried, "ok", &["read", "make", "append", "rename", "remove", "pair", "thread", "executable memory"]);
    expect(&tried, OUTSIDE, &["system file", "own process", "escape", "temporary file", "make where only reading is allowed"]);
    expect(&tried, FORBIDDEN, &["connect", "end of the child"]);
    no_dangerous_call_is_let_through(&tried);
}

#[test]
fn the_keeper_writes_its_log_and_does_nothing_else() {
    let tried = try_all("keeper", "network-namespace");
    expect(&tried, "ok", &["read", "list", "make", "append", "truncate", "rename", "directory", "sync directory", "remove"]);
    expect(&tried, "ok", &["pair", "thread"]);
    let outside = ["write where only reading is allowed", "make where only reading is allowed", "system file", "own process", "escape"];
    expect(&tried, OUTSIDE, &outside);
    expect(&tried, OUTSIDE, &["temporary file"]);
    expect(&tried, FORBIDDEN, &["connect", "connect elsewhere", "accept", "end of the child", "executable memory"]);
    no_dangerous_call_is_let_through(&tried);
    let report = &tried["report"];
    assert!(report.starts_with("no-new-privileges, no-core-dump, not-dumpable, ") && report.contains("landlock "), "{report}");
}

#[test]
fn the_gateway_serves_and_writes_no_file() {
    let tried = try_all("gateway", "");
    expect(&tried, "ok", &["read", "list", "pair", "thread", "accept", "end of the child"]);
    // Two layers refuse it: whichever is asked first.
    for what in
        ["write where only reading is allowed", "make where only reading is allowed", "make", "append", "truncate", "temporary file"]
    {
        assert!([FORBIDDEN, OUTSIDE].contains(&tried[what].as_str()), "{what}: {}", tried[what]);
    }
    expect(&tried, OUTSIDE, &["system file", "own process", "escape"]);
    expect(&tried, FORBIDDEN, &["rename", "directory", "connect", "connect elsewhere", "executable memory"]);
    no_dangerous_call_is_let_through(&tried);
}

#[test]
fn a_gateway_that_has_to_connect_does_so_to_the_ports_of_the_plan_only() {
    let tried = try_all("dialling", "");
    expect(&tried, "ok", &["connect", "accept"]);
    expect(&tried, OUTSIDE, &["connect elsewhere"]);
    no_dangerous_call_is_let_through(&tried);
}

#[test]
fn a_kernel_without_a_layer_is_accepted_by_name_or_not_at_all() {
    // What this thread may not call, the processes that it starts may not either.
    let unknown = SeccompAction::Errno(libc::ENOSYS.unsigned_abs());
    let calls = BTreeMap::from([(libc::SYS_landlock_create_ruleset, Vec::new())]);
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, unknown, ARCH.try_into().unwrap()).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    let tried = std::thread::spawn(move || {
        apply_filter(&program).unwrap();
        [try_all("keeper", "network-namespace"), try_all("gateway", "landlock")]
    });
    let [refused, accepted] = tried.join().unwrap();
    let why = &refused["refused"];
    assert!(why.contains("no landlock, since this kernel has no Landlock"), "{why}");
    let report = &accepted["report"];
    assert!(report.contains("missing landlock: this kernel has no Landlock (Linux 5.13 brings it"), "{report}");
    expect(&accepted, FORBIDDEN, &["make", "append", "connect", "exec"]);
}

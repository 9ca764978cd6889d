//! The commands, as an operator runs them.
#![allow(clippy::unwrap_used, clippy::disallowed_methods, clippy::panic, reason = "a test that cannot set up its key host fails")]

use chancery_channel::{FromKeeper, split};
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

struct Host {
    dir: TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        host.write("signer.toml", "[keeper]\norigin = \"signer.example/requests\"\n", 0o600);
        host.write("policy.toml", "", 0o600);
        host.write("pass", "correct horse battery\n", 0o600);
        host
    }

    fn with_keyring() -> Self {
        let host = Self::new();
        host.ok(&["init"]);
        host
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chancery-keeper"));
        command.args(arguments).arg("--dir").arg(self.path()).stdin(Stdio::null());
        command
    }

    fn with_passphrase(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.arg("--passphrase-file").arg(self.path().join("pass"));
        command
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let output = self.with_passphrase(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a command without passphrase prints.
    fn public(&self, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap()
    }

    fn fails(&self, arguments: &[&str], code: i32) -> String {
        let output = self.with_passphrase(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        stderr(&output)
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_key_is_made_once_and_listed_and_exported_without_a_passphrase() {
    let host = Host::with_keyring();
    assert!(
        host.ok(&["key", "new", "release", "--for", "ostree-summary,ostree-commit"]).starts_with("made key release for ostree-summary")
    );
    assert!(host.fails(&["key", "new", "release", "--for", "sshsig"], 1).contains("a key is never replaced"));
    let keys: serde_json::Value = serde_json::from_str(&host.public(&["key", "list", "--json"])).unwrap();
    assert_eq!(keys[0]["name"], "release");
    assert_eq!(keys[0]["origin"], "new");
    assert_eq!(keys[0]["constructions"], serde_json::json!(["ostree-summary/ed25519", "ostree-commit/ed25519"]));
    assert!(host.public(&["key", "list"]).contains(keys[0]["public_key"].as_str().unwrap()));

    let forms: serde_json::Value = serde_json::from_str(&host.public(&["key", "export", "release", "--json"])).unwrap();
    for form in ["ostree", "ssh", "pem", "hex"] {
        assert_eq!(host.public(&["key", "export", "release", "--format", form]).trim_end(), forms[form].as_str().unwrap().trim_end());
    }
    assert_eq!(forms["ostree"], keys[0]["public_key"]);
    assert!(host.fails(&["key", "export", "releas"], 1).contains("did you mean release?"));
}

#[test]
fn slips_on_the_command_line_are_guessed_and_cost_no_passphrase() {
    let host = Host::with_keyring();
    std::fs::remove_file(host.path().join("pass")).unwrap();
    assert!(host.fails(&["key", "new", "release", "--for", "ostree-sumary"], 2).contains("write \"ostree-summary\" instead"));
    assert!(host.fails(&["key", "new", "release", "--for", "ostree-summary,sshsig"], 2).contains("cannot share a key"));
    assert!(host.fails(&["key", "new", "Release", "--for", "sshsig"], 2).contains("allowed are a-z"));
    assert!(host.fails(&["init"], 1).contains("there is a keyring in"));
}

#[test]
fn a_wrong_passphrase_is_refused_and_never_repeated() {
    let host = Host::with_keyring();
    host.write("pass", "wrong horse battery\n", 0o600);
    let told = host.fails(&["key", "new", "release", "--for", "sshsig"], 1);
    assert!(told.starts_with("chancery-keeper: the passphrase is wrong, or ") && !told.contains("horse"), "{told}");
    host.write("pass", "correct horse battery\n", 0o644);
    assert!(host.fails(&["key", "new", "release", "--for", "sshsig"], 1).contains("chmod 600"));
}

#[test]
fn without_terminal_file_or_descriptor_there_is_no_passphrase() {
    let host = Host::with_keyring();
    // A session of its own has no terminal to ask on.
    let mut command = Command::new("setsid");
    command.arg("--wait").arg(env!("CARGO_BIN_EXE_chancery-keeper"));
    let output =
        command.args(["key", "new", "release", "--for", "sshsig", "--dir"]).arg(host.path()).stdin(Stdio::null()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("give it with --passphrase-file or --passphrase-fd"), "{}", stderr(&output));
}

#[test]
fn an_imported_key_is_that_of_openssl_and_comes_with_a_warning() {
    let host = Host::with_keyring();
    let made = Command::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(host.path().join("old.pem")).output();
    let Ok(made) = made else { panic!("openssl is needed for this test") };
    assert!(made.status.success());
    std::fs::set_permissions(host.path().join("old.pem"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let from = host.path().join("old.pem");
    let output = host.with_passphrase(&["key", "import", "old", "--for", "sshsig", "--from", from.to_str().unwrap()]).output().unwrap();
    assert!(output.status.success() && stderr(&output).starts_with("warning: this key existed outside"), "{}", stderr(&output));
    let theirs = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&from).output().unwrap().stdout;
    assert_eq!(host.public(&["key", "export", "old", "--format", "pem"]).as_bytes(), theirs);
    assert!(host.public(&["key", "list"]).contains("imported"));
}

#[test]
fn a_policy_is_checked_against_the_keys_that_there_are() {
    let host = Host::with_keyring();
    assert!(host.public(&["policy", "check"]).contains("no grants, so every request will be denied"));
    host.ok(&["key", "new", "release", "--for", "ostree-summary"]);
    let grant = |key: &str| {
        format!(
            "[[grant]]\nprincipal = \"a.org\"\nkey = \"{key}\"\nconstructions = [\"ostree-commit\"]\nsubject = \"prod\"\nrefs = [\"**\"]\n"
        )
    };
    host.write("policy.toml", &(grant("release") + &grant("relaese")), 0o600);
    let output = host.command(&["policy", "check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let told = stderr(&output);
    assert!(told.contains("policy.toml:1:1: warning: key \"release\" was not made for ostree-commit/ed25519"), "{told}");
    assert!(told.contains("policy.toml:7:1: warning: there is no key \"relaese\"\n  write key = \"release\" instead"), "{told}");
    host.write("policy.toml", "[[grnt]]\n", 0o600);
    let output = host.command(&["policy", "check", "--json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["accepted"], &told["findings"][0]["line"]), (&serde_json::json!(false), &serde_json::json!(1)));
}

#[test]
fn a_policy_can_be_checked_where_there_is_no_key_host() {
    let elsewhere = tempfile::tempdir().unwrap();
    let file = elsewhere.path().join("new.toml");
    std::fs::write(&file, "").unwrap();
    let check = Command::new(env!("CARGO_BIN_EXE_chancery-keeper"))
        .args(["policy", "check"])
        .arg(&file)
        .arg("--dir")
        .arg(elsewhere.path())
        .output();
    assert!(check.unwrap().status.success());
}

#[test]
fn a_broken_configuration_is_told_with_its_place() {
    let host = Host::new();
    host.write("signer.toml", "[keeper]\norigin = \"a\"\npolcy = \"p\"\n", 0o600);
    assert!(host.fails(&["key", "list"], 2).contains("signer.toml:3:1: error: [keeper] has no field \"polcy\"\n  write `policy` instead"));
    std::fs::remove_file(host.path().join("signer.toml")).unwrap();
    assert!(host.fails(&["key", "list"], 2).contains("chanceryd init"));
}

#[test]
fn a_running_keeper_is_ready_protected_and_ends_with_its_channel() {
    let host = Host::with_keyring();
    host.ok(&["key", "new", "release", "--for", "sshsig"]);
    assert!(host.fails(&["log", "fsck"], 1).contains("it begins with the first `chanceryd serve`"));
    let (mut ours, its) = UnixStream::pair().unwrap();
    let mut child = host.with_passphrase(&["run"]).stdin(Stdio::from(OwnedFd::from(its))).stderr(Stdio::piped()).spawn().unwrap();
    let mut frame = Vec::new();
    let ready = loop {
        let mut byte = [0; 4096];
        let n = ours.read(&mut byte).unwrap();
        assert!(n > 0, "the keeper ended");
        frame.extend_from_slice(&byte[..n]);
        if let Some((FromKeeper::Ready(ready), _)) = split(&frame).unwrap() {
            break ready;
        }
    };
    assert_eq!((ready.read_only, ready.keys.len()), (None, 1));
    assert_eq!(ready.log_vkey, host.public(&["log", "vkey"]).trim_end());

    let proc = |file: &str| std::fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap();
    assert!(proc("status").contains("NoNewPrivs:\t1") && !proc("status").contains("VmLck:\t       0 kB"));
    assert!(proc("limits").lines().any(|l| l.split_whitespace().collect::<Vec<_>>() == ["Max", "core", "file", "size", "0", "0", "bytes"]));
    assert!(!proc("environ").contains("horse") && !proc("cmdline").contains("horse"));

    drop(ours);
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(child.wait().unwrap().success(), "{log}");
    assert!(host.public(&["log", "fsck"]).starts_with("sound: "));
}

#[test]
fn a_keeper_that_is_run_by_hand_says_who_runs_it() {
    let host = Host::with_keyring();
    assert!(host.fails(&["run"], 2).contains("`chanceryd serve` starts the keeper"));
}

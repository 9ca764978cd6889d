//! A key host without any network: requests and answers as files.

use crate::ledger::leaves;
use chancery_tests::{KeyHost, OstreeRepo, Output, Publisher, Setup, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const STABLE: &str = "app/x86_64/stable";

fn setup() -> Setup {
    Setup::new()
        .key("tarballs", "sshsig")
        .key("release", "ostree-summary,ostree-commit")
        .grant("web1", "tarballs", &["sshsig"], "tool-*", "namespaces = [\"file\"]")
        .grant("web1", "release", &["ostree-summary", "ostree-commit"], "prod", "refs = [\"app/**\"]")
}

/// A key host that does not serve, and a publisher that never reaches it.
struct Gap {
    host: KeyHost,
    publisher: Publisher,
}

impl Gap {
    fn new() -> Self {
        let host = setup().make();
        let publisher = host.publisher_of("web1", "https://127.0.0.1:1");
        Self { host, publisher }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.host.temp().join(name)
    }

    fn export(&self, request: &Path, command: &[&str]) -> Output {
        run(self.publisher.chancery(&["request", "export"]).arg(request).arg("--").args(command))
    }

    /// Has a file answered by processes that see no network at all.
    fn answer(&self, request: &Path) -> Output {
        let mut answer = self.host.chanceryd(&["request", "answer"]);
        let _ = answer.arg(request).arg("--dir").arg(self.host.dir());
        let mut alone = Command::new("unshare");
        alone.arg("--net");
        if !rustix::process::geteuid().is_root() {
            alone.arg("--map-root-user");
        }
        run(alone.arg(answer.get_program()).args(answer.get_args()))
    }

    fn import(&self, request: &Path) -> Output {
        run(self.publisher.chancery(&["request", "import"]).arg(request).arg(answer_of(request)))
    }

    fn leaves(&self) -> Vec<chancery_reqlog::Leaf> {
        leaves(&self.host.public(), &self.host.vkey())
    }
}

fn answer_of(request: &Path) -> PathBuf {
    request.with_added_extension("answer")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_summary_is_signed_by_a_key_host_without_a_network() {
    let gap = Gap::new();
    let Some(repo) = OstreeRepo::make(gap.host.temp(), &[STABLE]) else { return };
    let request = gap.file("summary.request");
    let command = ["ostree", "sign-summary", text(repo.path()), "--key", "release", "--subject", "prod"];
    let said = gap.export(&request, &command).ok().stdout;
    assert!(said.contains("1 request in") && said.contains("publisher/web1"), "{said}");
    assert!(!repo.path().join("summary.sig").exists(), "nothing was written yet");
    let said = gap.answer(&request).ok().stdout;
    assert!(said.contains("publisher/web1 asked: 1 signed, 0 refused"), "{said}");
    assert!(gap.import(&request).ok().stdout.contains("signed summary"));
    let _ = run(gap.publisher.chancery(&["verify", "ostree-summary", "--key", "release"]).arg(repo.path())).ok();

    // The same file again: what is recorded already gives the same, with no second entry.
    let signs = |gap: &Gap| gap.leaves().iter().filter(|l| l.kind.as_str() == "sign").count();
    assert_eq!(signs(&gap), 1);
    let signed = fs::read(repo.path().join("summary.sig")).unwrap();
    let _ = gap.answer(&request).ok();
    let _ = gap.import(&request).ok();
    assert_eq!((signs(&gap), fs::read(repo.path().join("summary.sig")).unwrap()), (1, signed));

    // What was changed since is not signed by an answer to what it was.
    repo.commit(STABLE, "second");
    repo.summary();
    let _ = gap.import(&request).failed(2, "was changed since");
}

#[test]
fn a_digest_fits_into_a_qr_code_and_what_is_refused_comes_back_with_its_entry() {
    let gap = Gap::new();
    for name in ["tool-1", "other"] {
        fs::write(gap.file(name), name).unwrap();
    }
    let sign = |name: &str| ["sign", text(&gap.file(name)), "--key", "tarballs", "--as", "sshsig"].map(str::to_owned);
    let export = |request: &Path, name: &str| gap.export(request, &sign(name).each_ref().map(String::as_str));
    let (good, bad) = (gap.file("good.request"), gap.file("bad.request"));
    let _ = export(&good, "tool-1").ok();
    let size = fs::metadata(&good).unwrap().len();
    assert!(size < 2953, "a QR code holds 2,953 bytes, and this is {size}");
    let _ = gap.answer(&good).ok();
    let _ = gap.import(&good).ok();
    let mut verify = gap.publisher.chancery(&["verify", "sshsig", "--namespace", "file", "--key", "tarballs"]);
    let _ = run(verify.arg(gap.file("tool-1"))).ok();

    let _ = export(&bad, "other").ok();
    assert!(gap.answer(&bad).ok().stdout.contains("0 signed, 1 refused (subject-not-granted)"));
    let refused = gap.import(&bad).failed(1, "subject-not-granted");
    assert!(refused.stderr.contains("entry"), "{refused:?}");
    assert!(!gap.file("other.sig").exists());
    let kinds: Vec<String> = gap.leaves().iter().map(|l| l.kind.to_string()).filter(|k| k == "sign" || k == "deny").collect();
    assert_eq!(kinds, ["sign", "deny"], "each is recorded as over a network");
    let _ = gap.import(&good).ok();
    let mixed = run(gap.publisher.chancery(&["request", "import"]).arg(&good).arg(answer_of(&bad)));
    assert_ne!(mixed.code, 0, "an answer to another request: {mixed:?}");
}

#[test]
fn a_file_that_is_not_by_a_client_of_this_host_or_was_changed_is_not_looked_at() {
    let gap = Gap::new();
    fs::write(gap.file("tool-1"), "tool").unwrap();
    let request = gap.file("a.request");
    let _ = gap.export(&request, &["sign", text(&gap.file("tool-1")), "--key", "tarballs", "--as", "sshsig"]).ok();
    let bytes = fs::read(&request).unwrap();
    let changed = gap.file("changed.request");
    for at in (0..bytes.len()).step_by(bytes.len() / 12) {
        let mut other = bytes.clone();
        other[at] ^= 1;
        fs::write(&changed, other).unwrap();
        let refused = gap.answer(&changed);
        assert!(refused.code == 1 && refused.stderr.contains("nothing of it was looked at"), "byte {at}: {refused:?}");
    }
    for length in [0, 1, bytes.len() / 2, bytes.len() - 1] {
        fs::write(&changed, &bytes[..length]).unwrap();
        assert_eq!(gap.answer(&changed).code, 1, "cut off after {length} bytes");
    }
    assert!(!gap.host.public().join("checkpoint").exists(), "nothing of them is recorded, and no key was opened");
    let other = Gap::new();
    let _ = other.answer(&request).failed(1, "that this key host lets in");
    let _ = run(&mut gap.host.chanceryd_plain(&["revoke", "web1", "--role", "publisher"])).ok();
    let _ = gap.answer(&request).failed(1, "revoked");
}

#[test]
fn an_answer_that_was_changed_is_not_believed() {
    let gap = Gap::new();
    fs::write(gap.file("tool-1"), "tool").unwrap();
    let request = gap.file("a.request");
    let _ = gap.export(&request, &["sign", text(&gap.file("tool-1")), "--key", "tarballs", "--as", "sshsig"]).ok();
    let _ = gap.answer(&request).ok();
    let bytes = fs::read(answer_of(&request)).unwrap();
    for at in (0..bytes.len()).step_by(bytes.len() / 20) {
        let mut other = bytes.clone();
        other[at] ^= 1;
        fs::write(answer_of(&request), other).unwrap();
        // Some bytes say how long a field is, and some say nothing that counts.
        if gap.import(&request).code == 0 {
            let mut verify = gap.publisher.chancery(&["verify", "sshsig", "--namespace", "file", "--key", "tarballs"]);
            let _ = run(verify.arg(gap.file("tool-1"))).ok();
            fs::remove_file(gap.file("tool-1.sig")).unwrap();
        }
        assert!(!gap.file("tool-1.sig").exists(), "byte {at}: nothing is written that was not checked");
    }
    fs::write(answer_of(&request), bytes).unwrap();
    let _ = gap.import(&request).ok();
    let wrong = run(&mut gap.publisher.chancery(&["request", "export", "x", "--", "status"]));
    let _ = wrong.failed(2, "only `sign`, `attest` and `ostree`");
}

#[test]
fn a_key_host_that_went_back_between_two_files_is_noticed() {
    let gap = Gap::new();
    let sign = |name: &str| {
        fs::write(gap.file(name), name).unwrap();
        let request = gap.file(&format!("{name}.request"));
        let _ = gap.export(&request, &["sign", text(&gap.file(name)), "--key", "tarballs", "--as", "sshsig"]).ok();
        let _ = gap.answer(&request).ok();
        gap.import(&request)
    };
    let _ = sign("tool-1").ok();
    let older = gap.file("older");
    let _ = run(Command::new("cp").arg("-a").arg(gap.host.dir().join("log")).arg(&older)).ok();
    let _ = sign("tool-2").ok();
    let _ = sign("tool-3").ok();
    fs::remove_dir_all(gap.host.dir().join("log")).unwrap();
    let _ = run(Command::new("cp").arg("-a").arg(&older).arg(gap.host.dir().join("log"))).ok();
    let noticed = sign("tool-4");
    assert!(noticed.code == 4 && noticed.stderr.contains("keep these two checkpoints as evidence"), "{noticed:?}");
    assert!(!gap.file("tool-4.sig").exists());
}

#[test]
fn an_answer_that_is_taken_for_another_is_a_mistake_and_no_misbehaviour_of_the_key_host() {
    let gap = Gap::new();
    let command = |name: &str| {
        ["sign".to_owned(), text(&gap.file(name)).to_owned(), "--key".into(), "tarballs".into(), "--as".into(), "sshsig".into()]
    };
    for name in ["tool-1.0", "tool-2.0", "other"] {
        fs::write(gap.file(name), name).unwrap();
        let request = gap.file(&format!("{name}.request"));
        let _ = gap.export(&request, &command(name).each_ref().map(String::as_str)).ok();
        let _ = gap.answer(&request).ok();
    }
    let first = gap.file("tool-1.0.request");
    let own = fs::read(answer_of(&first)).unwrap();
    for of_another in ["tool-2.0", "other"] {
        fs::copy(answer_of(&gap.file(&format!("{of_another}.request"))), answer_of(&first)).unwrap();
        let said = gap.import(&first).failed(2, "the answer is one to another request");
        assert!(!said.stderr.contains("sign nothing more"), "{said:?}");
    }
    fs::write(answer_of(&first), own).unwrap();
    assert!(gap.import(&first).ok().stdout.contains("signed"));
}

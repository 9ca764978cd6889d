//! Signing in a repository that OSTree made.

use crate::support::{FakeHost, Fault, KEY, Publisher};
use chancery_formats::ostree::signatures::SignatureSet;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

const REF: &str = "app/org.example.Tool/x86_64/stable";
const SIGN: [&str; 7] = ["ostree", "sign-summary", "repo", "--key", KEY, "--subject", "prod"];

/// A publisher with a repository of one commit, and with a summary that is not signed.
struct Site {
    host: FakeHost,
    publisher: Publisher,
}

impl Site {
    fn new() -> Self {
        let host = FakeHost::start();
        let publisher = Publisher::of(&host);
        let site = Self { host, publisher };
        site.ostree(&["init", "--mode=archive"]);
        std::fs::create_dir(site.publisher.path("tree")).unwrap();
        site.commit("1");
        site
    }

    /// Makes a new commit and a new summary.
    fn commit(&self, subject: &str) -> String {
        let tree = format!("--tree=dir={}", self.publisher.path("tree").display());
        let id = self.ostree(&["commit", "-b", REF, "-s", subject, &tree]);
        // OSTree would remove the signatures of the summary; a publisher who cares puts the new one in place in one step.
        let kept = std::fs::read(self.summary_sig()).ok();
        self.ostree(&["summary", "-u"]);
        kept.iter().for_each(|bytes| self.publisher.write("repo/summary.sig", bytes, 0o644));
        id.trim().to_owned()
    }

    fn ostree(&self, arguments: &[&str]) -> String {
        let repo = format!("--repo={}", self.publisher.path("repo").display());
        let done = Command::new("ostree").arg(repo).args(arguments).output().expect("the ostree program is installed");
        assert!(done.status.success(), "{done:?}");
        String::from_utf8(done.stdout).unwrap()
    }

    fn summary_sig(&self) -> PathBuf {
        self.publisher.path("repo/summary.sig")
    }

    fn files(&self) -> Vec<PathBuf> {
        fn walk(dir: &Path, found: &mut Vec<PathBuf>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { walk(&path, found) } else { found.push(path) }
            }
        }
        let mut found = Vec::new();
        walk(&self.publisher.path("repo"), &mut found);
        found.sort();
        found
    }

    fn verifies(&self) -> bool {
        self.publisher.chancery(&["verify", "ostree-summary", "repo", "--key", KEY]).code == 0
    }
}

fn modified(path: &Path) -> SystemTime {
    std::fs::metadata(path).unwrap().modified().unwrap()
}

#[test]
fn a_summary_is_signed_and_nothing_else_is_put_into_the_repository() {
    let site = Site::new();
    let mut expected = site.files();
    let ran = site.publisher.chancery(&SIGN);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.out, "signed summary -> repo/summary.sig (key release version 1, entry 1)\n");
    assert_eq!(std::fs::metadata(site.summary_sig()).unwrap().len(), 95);
    expected.extend([site.summary_sig(), site.publisher.path("repo/.lock")]);
    expected.sort();
    expected.dedup();
    assert_eq!(site.files(), expected);
    assert!(site.verifies());
    assert!(!site.publisher.made().iter().any(|n| n.ends_with(".tlog-proof")));
}

#[test]
fn the_receipt_goes_where_it_is_wanted() {
    let site = Site::new();
    assert_eq!(site.publisher.chancery(&[&SIGN[..], &["--receipt", "r"]].concat()).code, 0);
    let ran = site.publisher.chancery(&["verify", "ostree-summary", "repo", "--key", KEY, "--receipt", "r"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("recorded as entry 1"), "{ran:?}");
}

#[test]
fn signing_again_leaves_the_file_alone_and_a_new_summary_makes_its_time_grow() {
    let site = Site::new();
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    let future = SystemTime::now() + Duration::from_secs(100);
    File::options().write(true).open(site.summary_sig()).unwrap().set_modified(future).unwrap();
    let ran = site.publisher.chancery(&SIGN);
    assert!(ran.out.contains("held this signature already and was not touched"), "{ran:?}");
    assert_eq!(modified(&site.summary_sig()), future);

    let old = std::fs::read(site.summary_sig()).unwrap();
    site.commit("2");
    assert!(!site.verifies());
    File::options().write(true).open(site.summary_sig()).unwrap().set_modified(future).unwrap();
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    assert!(modified(&site.summary_sig()) >= future + Duration::from_secs(1));
    assert!(site.verifies());
    let (set, _) = SignatureSet::parse(&std::fs::read(site.summary_sig()).unwrap()).unwrap();
    let (before, _) = SignatureSet::parse(&old).unwrap();
    assert!(set.ed25519().starts_with(before.ed25519()), "clients that still have the old summary can verify it");
}

#[test]
fn the_signature_file_is_there_at_every_moment() {
    let site = Site::new();
    let summary = |version: u32| {
        site.commit(&version.to_string());
        site.publisher.read("repo/summary")
    };
    let summaries: Vec<_> = (2..6).map(summary).collect();
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    let (path, done) = (site.summary_sig(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        let watch = scope.spawn(|| {
            let mut looks = 0_u32;
            while !done.load(Ordering::Relaxed) {
                let bytes = std::fs::read(&path).expect("summary.sig is never missing");
                SignatureSet::parse(&bytes).expect("summary.sig is never cut off");
                looks += 1;
            }
            looks
        });
        for summary in summaries {
            site.publisher.write("repo/summary", &summary, 0o644);
            assert_eq!(site.publisher.chancery(&SIGN).code, 0);
        }
        done.store(true, Ordering::Relaxed);
        assert!(watch.join().unwrap() > 100);
    });
}

#[test]
fn a_summary_that_changes_while_it_is_signed_keeps_its_signatures() {
    let site = Site::new();
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    let before = std::fs::read(site.summary_sig()).unwrap();
    site.commit("2");
    let path = site.publisher.path("repo/summary");
    let older = another_summary();
    site.host.state().meanwhile = Some(Box::new(move || chancery_reqlog::durable::write_atomic(&path, &older, 0o644).unwrap()));
    let ran = site.publisher.chancery(&SIGN);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("was changed while it was being signed, so the signature was not written"), "{ran:?}");
    assert_eq!(std::fs::read(site.summary_sig()).unwrap(), before);
}

/// Some other summary.
fn another_summary() -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/ostree/summary")).unwrap()
}

#[test]
fn a_wrong_signature_does_not_get_into_the_repository() {
    let site = Site::new();
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    let (before, time) = (std::fs::read(site.summary_sig()).unwrap(), modified(&site.summary_sig()));
    site.host.misbehave(Fault::WrongSignature);
    assert_eq!(site.publisher.chancery(&SIGN).code, 4);
    let commit = ["ostree", "sign-commit", "repo", REF, "--key", KEY, "--subject", "prod"];
    assert_eq!(site.publisher.chancery(&commit).code, 4);
    assert_eq!((std::fs::read(site.summary_sig()).unwrap(), modified(&site.summary_sig())), (before, time));
    assert!(!site.files().iter().any(|f| f.extension().is_some_and(|e| e == "commitmeta")));
}

#[test]
fn a_commit_is_signed_by_ref_and_by_checksum() {
    let site = Site::new();
    let id = site.commit("2");
    let sign = |what: &str| site.publisher.chancery(&["ostree", "sign-commit", "repo", what, "--key", KEY, "--subject", "prod"]);
    let ran = sign(REF);
    assert_eq!(ran.code, 0, "{ran:?}");
    let meta = format!("repo/objects/{}/{}.commitmeta", &id[..2], &id[2..]);
    assert_eq!(ran.out, format!("signed commit {id} -> {meta} (key release version 1, entry 1)\n"));
    let ran = sign(&id);
    assert!(ran.out.contains("held this signature already"), "{ran:?}");
    assert_eq!(site.publisher.chancery(&["verify", "ostree-commit", "repo", REF, "--key", KEY]).code, 0);
    site.ostree(&["fsck"]);
    assert_eq!(sign("no/such/ref").code, 2);
    assert_eq!(sign(&"0".repeat(64)).code, 2);
}

#[test]
fn what_is_no_summary_is_not_even_sent() {
    let site = Site::new();
    site.publisher.write("repo/summary", b"something", 0o644);
    let ran = site.publisher.chancery(&SIGN);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("this cannot be signed as ostree-summary/ed25519\n  because the summary is not a valid GVariant"), "{ran:?}");
    assert_eq!(site.host.state().asked.len(), 0);
}

#[test]
fn a_prune_that_runs_is_waited_for_but_not_for_ever() {
    let site = Site::new();
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    site.commit("2");
    let before = std::fs::read(site.summary_sig()).unwrap();
    let lock = File::options().read(true).write(true).open(site.publisher.path("repo/.lock")).unwrap();
    let exclusive = libc::flock { l_type: libc::F_WRLCK as i16, l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
    fcntl(&lock, FcntlArg::F_OFD_SETLK(&exclusive)).unwrap();
    let ran = site.publisher.chancery(&[&SIGN[..], &["--lock-timeout=0.2"]].concat());
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("is locked by another process"), "{ran:?}");
    assert_eq!(std::fs::read(site.summary_sig()).unwrap(), before);
    drop(lock);
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
}

#[test]
fn a_large_summary_goes_in_pieces() {
    let site = Site::new();
    let id = site.commit("2");
    let refs = site.publisher.path("repo/refs/heads/app");
    for n in 0..9000 {
        let mut file = File::create(refs.join(format!("org.example.application.with.a.long.name{n}"))).unwrap();
        writeln!(file, "{id}").unwrap();
    }
    site.ostree(&["summary", "-u"]);
    assert!(std::fs::metadata(site.publisher.path("repo/summary")).unwrap().len() > 1024 * 1024);
    assert_eq!(site.publisher.chancery(&SIGN).code, 0);
    assert!(site.verifies());
}

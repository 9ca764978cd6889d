//! The main job, end to end: real content is signed, and tools that others wrote accept it.

use crate::outside::{check_log, openssl_accepts, signatures_in, ssh_keygen_accepts};
use chancery_tests::{KeyHost, OstreeRepo, Output, Publisher, Setup, run};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

const STABLE: &str = "os/x86_64/stable";

fn host() -> KeyHost {
    Setup::new()
        .key("release", "ostree-summary,ostree-commit")
        .key("tarballs", "sshsig")
        .grant("web1", "release", &["ostree-summary", "ostree-commit"], "prod", "refs = [\"os/x86_64/*\"]")
        .grant("web1", "tarballs", &["sshsig"], "tool-*", "namespaces = [\"file\"]")
        .start()
}

fn export(host: &KeyHost, key: &str, format: &str) -> String {
    run(&mut host.chanceryd_plain(&["key", "export", key, "--format", format])).ok().stdout
}

fn sign_summary(publisher: &Publisher, repo: &OstreeRepo) -> Output {
    run(publisher.chancery(&["ostree", "sign-summary", "--key", "release", "--subject", "prod"]).arg(repo.path()))
}

/// Files that `ostree` made.
fn vectors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/ostree")
}

fn flip(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    // Objects of a repository are read-only.
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_signed_summary_is_accepted_by_glib_and_openssl_and_refused_after_one_flipped_bit() {
    let host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE, "os/x86_64/testing"]) else { return };
    let said = sign_summary(&publisher, &repo).ok().stdout;
    assert!(said.contains("signed summary") && said.contains("key release version 1"), "{said}");

    let (summary, container) = (repo.path().join("summary"), repo.path().join("summary.sig"));
    let pem = export(&host, "release", "pem");
    let content = fs::read(&summary).unwrap();
    if let Some(signatures) = signatures_in(&container) {
        let [signature] = signatures.as_slice() else { panic!("{signatures:?}") };
        assert_ne!(openssl_accepts(&pem, &content, signature), Some(false));
        let mut changed = content.clone();
        changed[100] ^= 1;
        assert_ne!(openssl_accepts(&pem, &changed, signature), Some(true));
    }
    let verify = || run(publisher.chancery(&["verify", "ostree-summary", "--key", "release"]).arg(repo.path()));
    assert!(verify().ok().stdout.starts_with("good: the summary of"));
    flip(&summary, 100);
    let _ = verify().failed(1, "has no signature by the given key");
    flip(&summary, 100);
    flip(&container, 40);
    let _ = verify().failed(1, "has no signature by the given key");
}

#[test]
fn debians_ostree_reads_and_pulls_from_a_repository_that_was_signed() {
    let host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE]) else { return };
    let commit = repo.rev(STABLE);
    let _ = run(publisher.chancery(&["ostree", "sign-commit", "--key", "release", "--subject", "prod"]).arg(repo.path()).arg(STABLE)).ok();
    let _ = sign_summary(&publisher, &repo).ok();

    let listed = run(repo.ostree().unwrap().args(["summary", "-v"])).ok().stdout;
    assert!(listed.contains(STABLE) && listed.contains(&commit), "{listed}");
    let _ = run(repo.ostree().unwrap().arg("fsck")).ok();
    let clone = host.temp().join("clone");
    let ostree =
        |arguments: &[&str]| run(chancery_tests::tool("ostree").unwrap().arg(format!("--repo={}", clone.display())).args(arguments));
    let _ = ostree(&["init", "--mode=archive"]).ok();
    let url = format!("file://{}", repo.path().display());
    let _ = ostree(&["remote", "add", "--no-gpg-verify", "origin", &url]).ok();
    let _ = ostree(&["pull", "origin", STABLE]).ok();
    assert_eq!(ostree(&["rev-parse", &format!("origin:{STABLE}")]).ok().stdout.trim(), commit);

    let (directory, name) = commit.split_at(2);
    flip(&repo.path().join("objects").join(directory).join(format!("{name}.commit")), 20);
    let refused = run(repo.ostree().unwrap().arg("fsck"));
    assert_ne!(refused.code, 0, "ostree did not notice the flipped bit: {refused:?}");
}

#[test]
fn a_signed_commit_is_accepted_by_glib_and_openssl_and_refused_after_one_flipped_bit() {
    let host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE]) else { return };
    let commit = repo.rev(STABLE);
    let command = |verb: &[&str], what: &str| run(publisher.chancery(verb).arg(repo.path()).arg(what));
    let _ = command(&["ostree", "sign-commit", "--key", "release", "--subject", "prod"], &commit).ok();

    let (directory, name) = commit.split_at(2);
    let content = fs::read(repo.path().join("objects").join(directory).join(format!("{name}.commit"))).unwrap();
    let pem = export(&host, "release", "pem");
    let container = repo.commitmeta(&commit);
    if let Some(signatures) = signatures_in(&container) {
        let [signature] = signatures.as_slice() else { panic!("{signatures:?}") };
        assert_ne!(openssl_accepts(&pem, &content, signature), Some(false));
        let mut changed = content.clone();
        changed[20] ^= 1;
        assert_ne!(openssl_accepts(&pem, &changed, signature), Some(true));
    }
    let _ = command(&["verify", "ostree-commit", "--key", "release"], STABLE).ok();
    flip(&container, 40);
    let _ = command(&["verify", "ostree-commit", "--key", "release"], STABLE).failed(1, "has no signature by the given key");
}

#[test]
fn ssh_keygen_accepts_the_sshsig_of_a_file_and_refuses_it_after_one_flipped_bit() {
    let host = host();
    let publisher = host.publisher("web1");
    let line = export(&host, "tarballs", "ssh");
    for hash in ["sha256", "sha512"] {
        let file = host.temp().join(format!("tool-{hash}.tar.gz"));
        fs::write(&file, format!("released {hash}")).unwrap();
        let options = ["sign", "--key", "tarballs", "--as", "sshsig", "--namespace", "file", "--hash", hash];
        let _ = run(publisher.chancery(&options).arg(&file)).ok();
        let signature = host.temp().join(format!("tool-{hash}.tar.gz.sig"));
        assert_ne!(ssh_keygen_accepts(&line, "file", &file, &signature), Some(false), "{hash}");
        assert_ne!(ssh_keygen_accepts(&line, "git", &file, &signature), Some(true), "{hash}: another namespace");
        let verify = || run(publisher.chancery(&["verify", "sshsig", "--key", "tarballs", "--namespace", "file"]).arg(&file));
        let _ = verify().ok();
        flip(&file, 3);
        assert_ne!(ssh_keygen_accepts(&line, "file", &file, &signature), Some(true), "{hash}: a changed file");
        let _ = verify().failed(1, "is not well signed");
    }
}

/// The whole way gives the bytes that ostree itself writes; builds of it that know Ed25519 accepted the goldens.
#[test]
fn signatures_are_byte_identical_to_those_that_ostree_made() {
    let golden = |name: &str| fs::read(vectors().join(name)).unwrap();
    let mut host = Setup::new().grant("web1", "golden", &["ostree-summary", "ostree-commit"], "prod", "refs = [\"**\"]").make();
    let seed = host.temp().join("seed");
    fs::write(&seed, hex(&Sha256::digest(b"golden test key A - never use"))).unwrap();
    fs::set_permissions(&seed, fs::Permissions::from_mode(0o600)).unwrap();
    let mut import = host.chanceryd(&["key", "import", "golden", "--for", "ostree-summary,ostree-commit"]);
    let imported = run(import.arg("--from").arg(&seed).arg("--dir").arg(host.dir())).ok();
    assert!(imported.stderr.contains("existed outside"), "{imported:?}");
    host.serve();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[]) else { return };
    fs::write(repo.path().join("summary"), golden("summary")).unwrap();
    let options = ["--key", "golden", "--subject", "prod"];
    let _ = run(publisher.chancery(&["ostree", "sign-summary"]).arg(repo.path()).args(options)).ok();
    assert_eq!(fs::read(repo.path().join("summary.sig")).unwrap(), golden("ed.sig"));

    let commit = golden("dev.commit");
    let id = hex(&Sha256::digest(&commit));
    let meta = repo.commitmeta(&id);
    fs::create_dir_all(meta.parent().unwrap()).unwrap();
    fs::write(meta.with_extension("commit"), &commit).unwrap();
    let _ = run(publisher.chancery(&["ostree", "sign-commit"]).arg(repo.path()).arg(&id).args(options)).ok();
    let bytes = fs::read(&meta).unwrap();
    let bare = golden("commit.ed-a.bin");
    assert!(bytes.windows(bare.len()).any(|w| w == bare), "the signature is not the one that ostree made");
}

#[test]
fn other_signatures_are_kept_and_every_replaced_file_gets_a_later_time() {
    let host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE]) else { return };
    let container = repo.path().join("summary.sig");
    fs::copy(vectors().join("both.sig"), &container).unwrap();
    let before = fs::metadata(&container).unwrap().mtime();
    let said = sign_summary(&publisher, &repo).ok().stdout;
    let after = fs::metadata(&container).unwrap().mtime();
    assert!(after > before, "{before} then {after}: caches compare whole seconds");
    let bytes = fs::read(&container).unwrap();
    for foreign in ["summary.ed-a.bin", "summary.gpg-raw.bin"] {
        let foreign_bytes = fs::read(vectors().join(foreign)).unwrap();
        assert!(bytes.windows(foreign_bytes.len()).any(|w| w == foreign_bytes), "{foreign} is gone: {said}");
    }
    // The same summary again: the same signature, so there is nothing to write.
    let said = sign_summary(&publisher, &repo).ok().stdout;
    assert!(said.contains("held this signature already"), "{said}");
    assert_eq!(fs::metadata(&container).unwrap().mtime(), after);
}

#[test]
fn a_receipt_is_verified_offline_by_go_and_by_the_client() {
    let mut host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE]) else { return };
    let receipt = host.temp().join("summary.tlog-proof");
    let mut sign = publisher.chancery(&["ostree", "sign-summary", "--key", "release", "--subject", "prod", "--receipt"]);
    let _ = run(sign.arg(&receipt).arg(repo.path())).ok();
    let vkey = host.vkey();
    assert_eq!(host.stop(), Some(0));
    let go = || check_log(&["proof", &vkey], &receipt);
    if let Some(output) = go() {
        let said = output.ok().stdout;
        assert!(said.contains("\"kind\":\"sign\"") && said.contains("\"decision\":\"permit\""), "{said}");
    }
    let mut verify = publisher.chancery(&["verify", "ostree-summary", "--key", "release", "--receipt"]);
    let said = run(verify.arg(&receipt).arg(repo.path())).ok().stdout;
    assert!(said.contains("good: recorded as entry"), "{said}");
    let text = fs::read_to_string(&receipt).unwrap();
    fs::write(&receipt, text.replacen("index ", "index 1", 1)).unwrap();
    assert_ne!(go().map(|output| output.code), Some(0));
    let _ = run(publisher.chancery(&["verify", "receipt"]).arg(&receipt)).failed(1, "receipt");
}

#[test]
fn a_ref_that_is_not_granted_is_refused_and_recorded() {
    let mut host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &[STABLE, "evil/x86_64/stable"]) else { return };
    let refused = run(publisher.chancery(&["--json", "ostree", "sign-summary", "--key", "release", "--subject", "prod"]).arg(repo.path()))
        .failed(1, "the summary lists ref \"evil/x86_64/stable\"");
    assert!(!repo.path().join("summary.sig").exists(), "something was written");
    let error: serde_json::Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!(error["error"]["reason"], "ref-not-granted");
    let index = error["error"]["entry"].as_u64().expect("the refusal names its entry");
    let vkey = host.vkey();
    assert_eq!(host.stop(), Some(0));
    let log = chancery_reqlog::StaticLog::open(chancery_reqlog::Directory::new(host.public()), &vkey.parse().unwrap()).unwrap();
    let (_, leaf) = log.entries(index..index + 1).next().unwrap().unwrap();
    let leaf = chancery_reqlog::Leaf::parse(&leaf).unwrap();
    assert_eq!((leaf.kind.as_str(), leaf.reason.unwrap().as_str()), ("deny", "ref-not-granted"));
}

#[test]
fn the_published_log_does_not_say_who_had_what_signed() {
    let mut host = Setup::new()
        .key("quince", "sshsig")
        .grant("damson", "quince", &["sshsig"], "medlar-*", "namespaces = [\"file\"]")
        .config("segment = \"64 MiB\"", "segment = \"1 MiB\"")
        .start();
    let publisher = host.publisher("damson");
    let sign = |name: &str| {
        let file = host.temp().join(name);
        fs::write(&file, "content").unwrap();
        run(publisher.chancery(&["sign", "--key", "quince", "--as", "sshsig"]).arg(file))
    };
    let _ = sign("medlar-1").ok();
    let _ = sign("loquat-1").failed(1, "no grant of");
    assert_eq!(host.stop(), Some(0));
    let telling: [&[u8]; 4] = [b"quince", b"damson", b"medlar", b"loquat"];
    let found = |dir: PathBuf| -> Vec<bool> {
        let files = all_files(&dir);
        assert!(files.len() > 1, "{files:?}");
        let all: Vec<u8> = files.iter().flat_map(|f| fs::read(f).unwrap()).collect();
        telling.iter().map(|word| all.windows(word.len()).any(|w| w == *word)).collect()
    };
    assert_eq!(found(host.public()), [false; 4], "what is published tells");
    assert_eq!(found(host.dir().join("log/wal")), [true; 4], "the private half knows");
}

fn all_files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|e| e.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

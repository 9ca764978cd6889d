//! A key host that cannot or must not go on: mistakes in its files, a wrong passphrase, a log that cannot be written.

use crate::wire::{assert_refused, block_on, digest_header, sign};
use chancery_reqlog::{Decision, Directory, Leaf, StaticLog, StaticLogError};
use chancery_tests::{KeyHost, Setup, run, skipped};
use std::fs;
use std::io::Write as _;
use tonic::Code;
use tonic::transport::Channel;

pub(crate) fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
}

/// The start is refused, and says all of this.
fn assert_no_start(host: &mut KeyHost, says: &[&str]) {
    let said = host.try_serve().expect_err("this must not start");
    assert!(says.iter().all(|s| said.contains(s)), "should say {says:?}:\n{said}");
}

#[test]
fn an_unknown_key_in_the_configuration_is_named_with_its_line() {
    let mut host = setup().make();
    let good = host.read("signer.toml");
    for (before, wrong, meant) in [
        ("listen =", "lissten = \"127.0.0.1:0\"", "listen"),
        ("connections =", "conections = 4", "connections"),
        ("keys =", "key = \"keys\"", "keys"),
        ("spool =", "spol = \"1 MiB\"", "spool"),
        ("[keeper.limits]", "[keeper.limit]", "limits"),
        ("[keeper]", "[kepeer]", "keeper"),
    ] {
        let at = good.lines().position(|l| l.starts_with(before)).unwrap();
        let mut lines: Vec<&str> = good.lines().collect();
        lines.insert(at, wrong);
        host.write("signer.toml", &lines.join("\n"));
        let name = wrong.split([' ', '=']).next().unwrap().trim_matches(['[', ']']).rsplit('.').next().unwrap();
        assert_no_start(&mut host, &[&format!("signer.toml:{}:", at + 1), name, meant]);
    }
    host.write("signer.toml", &good);
    host.serve();
}

#[test]
fn an_unknown_key_in_the_policy_is_named_with_its_line() {
    let mut host = setup().make();
    let good = host.read("policy.toml");
    host.write("policy.toml", &good.replace("subject =", "subjects = "));
    let line = good.lines().position(|l| l.starts_with("subject")).unwrap() + 1;
    assert_no_start(&mut host, &[&format!("policy.toml:{line}:"), "write `subject` instead"]);
    host.write("policy.toml", &good);
    fs::rename(host.dir().join("policy.toml"), host.dir().join("elsewhere")).unwrap();
    assert_no_start(&mut host, &["cannot read", "policy.toml"]);
}

#[test]
fn a_wrong_passphrase_is_refused_with_a_clear_message() {
    let mut host = setup().make();
    let right = fs::read(host.passphrase_file()).unwrap();
    fs::write(host.passphrase_file(), "not the passphrase").unwrap();
    let said = host.try_serve().expect_err("this must not start");
    assert!(said.contains("the passphrase is wrong") && !said.contains("not the passphrase\n"), "{said}");
    let mut new = host.chanceryd(&["key", "new", "other", "--for", "sshsig"]);
    let _ = run(new.arg("--dir").arg(host.dir())).failed(1, "the passphrase is wrong");
    fs::write(host.passphrase_file(), right).unwrap();
    host.serve();
}

/// A reply or a refusal for the `n`th request.
pub(crate) async fn ask(channel: &Channel, n: u64) -> Result<chancery_proto::v1::SignResponse, tonic::Status> {
    sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]).await
}

#[test]
fn a_log_that_cannot_be_written_means_no_signature() {
    if skipped("tmpfs") {
        return;
    }
    let mut host = setup().config("segment = \"64 MiB\"", "segment = \"1 MiB\"").make();
    host.mount_log(Some("mkdir -p \"$LOG\"; mount -t tmpfs -o size=16m tmpfs \"$LOG\""));
    host.serve();
    let publisher = host.publisher("web1");
    let filler = host.inside().join("log/filler");
    let (signed, again) = block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        ask(&channel, 0).await.unwrap();
        fill(&filler);
        let (mut signed, mut refused) = (1, None);
        while refused.is_none() {
            assert!(signed < 20_000, "the disk is full, and yet it signs");
            match ask(&channel, signed).await {
                Ok(_) => signed += 1,
                Err(status) => refused = Some(status),
            }
        }
        let r = assert_refused(Err(refused.unwrap()), Code::Unavailable, "log-unavailable", "the disk is full");
        assert!(r.retry && r.entry_index.is_none(), "{r:?}");

        // A refusal is recorded still, out of the space that is kept for it.
        let denied = sign(channel.clone(), digest_header("tarballs", "elsewhere", 50_000), vec![]).await;
        let r = assert_refused(denied, Code::PermissionDenied, "subject-not-granted", "elsewhere");
        assert!(r.entry_index.is_some(), "{r:?}");

        fs::remove_file(&filler).unwrap();
        // The very request that was refused is signed now.
        let again = ask(&channel, signed).await.unwrap();
        (signed, again.entry_index)
    });
    let inside = host.inside();
    let mut fsck = std::process::Command::new(chancery_tests::program("chanceryd"));
    let sound = run(fsck.args(["log", "fsck", "--dir"]).arg(&inside)).ok();
    assert!(sound.stdout.contains("sound: "), "{sound:?}");
    let permitted = recorded(&host, again);
    assert_eq!(permitted, signed + 1, "as many entries as signatures: the refused one left none");
}

/// Takes all the space there is.
pub(crate) fn fill(filler: &std::path::Path) {
    let mut file = fs::File::create(filler).unwrap();
    for size in [1 << 16, 1 << 8, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
}

/// How many permitted requests the published log of a running key host has, once it has come as far as this entry.
pub(crate) fn recorded(host: &KeyHost, entry: u64) -> u64 {
    let (key, public) = (host.vkey().parse().unwrap(), host.inside().join("log/public"));
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        // A key host says that it is ready before its first checkpoint is published.
        let log = match StaticLog::open(Directory::new(&public), &key) {
            Ok(log) => Some(log),
            Err(StaticLogError::Missing { .. }) => None,
            Err(other) => panic!("{other}"),
        };
        if let Some(log) = log.filter(|log| log.checkpoint().checkpoint.size > entry) {
            let leaves = log.entries(0..entry + 1).map(|e| Leaf::parse(&e.unwrap().1).unwrap());
            return leaves.filter(|leaf| leaf.decision == Decision::Permit).count() as u64;
        }
        assert!(std::time::Instant::now() < deadline, "entry {entry} is not published");
        std::thread::yield_now();
    }
}

#[test]
fn a_log_directory_that_is_read_only_means_no_start() {
    if skipped("tmpfs") {
        return;
    }
    let mut host = setup().start();
    assert_eq!(host.stop(), Some(0));
    host.mount_log(Some("mount --bind \"$LOG\" \"$LOG\"; mount -o remount,bind,ro \"$LOG\""));
    let log = host.dir().join("log").display().to_string();
    assert_no_start(&mut host, &["cannot ", &log, "Read-only file system"]);
    host.mount_log(None);
    host.serve();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        ask(&channel, 1).await.unwrap();
    });
}

#[test]
fn names_that_could_become_paths_are_refused() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        for key in ["../escaped", "/escaped", "escaped/../release", "escaped\0", "Escaped", ".", ""] {
            let header = digest_header(key, "prod", 60);
            let _ = assert_refused(sign(channel.clone(), header, vec![]).await, Code::InvalidArgument, "malformed-request", "key");
        }
        let mut tiles = chancery_proto::v1::request_log_service_client::RequestLogServiceClient::new(channel.clone());
        for path in ["../../keys/keyring.toml", "tile/0/../../../keys/tarballs.toml", "/etc/passwd", "tile/0/000/../001", "checkpoint\0"] {
            let status = tiles.get_tile(chancery_proto::v1::GetTileRequest { path: path.to_owned() }).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::NotFound, "this is not the path of a tile or entry bundle"), "{path:?}");
        }
        ask(&channel, 61).await.unwrap();
    });
    let escaped = run(std::process::Command::new("find").arg(host.temp()).args(["-name", "*escaped*"])).ok();
    assert_eq!(escaped.stdout, "", "a name became a file");
}

#[test]
fn no_private_key_lies_on_the_publisher_or_in_the_log() {
    let mut host = setup().config("segment = \"64 MiB\"", "segment = \"1 MiB\"").make();
    let seed: [u8; 32] = std::array::from_fn(|i| (i * 7 + 1) as u8);
    let hex: String = seed.iter().map(|b| format!("{b:02x}")).collect();
    let file = host.temp().join("seed");
    fs::write(&file, &hex).unwrap();
    let _ = run(std::process::Command::new("chmod").arg("600").arg(&file)).ok();
    let mut import = host.chanceryd(&["key", "import", "imported", "--for", "sshsig"]);
    let imported = run(import.arg("--from").arg(&file).arg("--dir").arg(host.dir())).ok();
    fs::remove_file(&file).unwrap();
    let policy = host.read("policy.toml");
    host.write("policy.toml", &format!("{policy}\n{}", policy.replace("\"tarballs\"", "\"imported\"")));
    host.serve();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel, digest_header("imported", "prod", 70), vec![]).await.unwrap();
    });
    assert_eq!(host.stop(), Some(0));
    assert!(!format!("{imported:?}").contains(&hex), "{imported:?}");
    let mut searched = 0;
    let mut todo = vec![host.temp().to_owned()];
    while let Some(dir) = todo.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path);
                continue;
            }
            let bytes = fs::read(&path).unwrap();
            let holds = |secret: &[u8]| bytes.windows(secret.len()).any(|w| w == secret);
            assert!(!holds(&seed) && !holds(hex.as_bytes()), "{} holds the private key", path.display());
            searched += 1;
        }
    }
    assert!(searched > 10, "{searched} files");
}

//! Keys over the years: backups, restored hosts.

use crate::wire::{self, block_on, digest_header};
use chancery_tests::{KeyHost, Output, Publisher, Setup, run, tool};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

fn host() -> KeyHost {
    let setup = Setup::new().key("tarballs", "sshsig");
    setup.grant("web1", "tarballs", &["sshsig"], "**", "namespaces = [\"file\"]").start()
}

fn sign(host: &KeyHost, publisher: &Publisher, name: &str) -> Output {
    publisher.point_at(&host.endpoint());
    let file = host.temp().join(name);
    fs::write(&file, format!("content of {name}")).unwrap();
    run(publisher.chancery(&["sign", "--key", "tarballs", "--as", "sshsig"]).arg(&file))
}

/// An identity of age, in a file that nobody else can read, and its recipient.
fn age_key(host: &KeyHost, name: &str) -> Option<(PathBuf, String)> {
    let path = host.temp().join(name);
    let _ = run(tool("age-keygen")?.arg("-o").arg(&path)).ok();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let recipient = run(tool("age-keygen")?.arg("-y").arg(&path)).ok().stdout.trim().to_owned();
    Some((path, recipient))
}

fn backup(host: &KeyHost, to: &Path, options: &[&str]) -> Output {
    run(host.chanceryd_plain(&["backup"]).arg("--to").arg(to).args(options))
}

fn restore(host: &KeyHost, backup: &Path, options: &[&str], identity: &Path) -> Output {
    run(host.chanceryd_plain(&["restore"]).arg(backup).arg("--identity").arg(identity).args(options))
}

fn accept(host: &KeyHost, checkpoint: &Path) -> Output {
    run(host.chanceryd(&["log", "accept"]).arg("--dir").arg(host.dir()).arg("--checkpoint").arg(checkpoint))
}

/// The newest checkpoint that a publisher saw, which it keeps beside its profile.
fn kept_by(publisher: &Publisher) -> PathBuf {
    let all: Vec<PathBuf> = fs::read_dir(publisher.dir()).unwrap().map(|e| e.unwrap().path()).collect();
    all.into_iter().find(|p| p.extension().is_some_and(|e| e == "checkpoint")).expect("the publisher keeps a checkpoint")
}

fn copy_of(path: &Path, name: &str) -> PathBuf {
    let copy = path.with_file_name(name);
    fs::copy(path, &copy).unwrap();
    copy
}

/// A key host that does not sign answers, and says why.
fn refusal_to_sign(host: &KeyHost, publisher: &Publisher) -> String {
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let refused = wire::sign(channel, digest_header("tarballs", "prod", 999), vec![]).await;
        refused.expect_err("this must not be signed").message().to_owned()
    })
}

#[test]
fn a_restored_key_host_signs_only_after_a_checkpoint_of_others_fits() {
    let mut host = host();
    let Some((identity, recipient)) = age_key(&host, "backup.key") else { return };
    let publisher = host.publisher("web1");
    let _ = sign(&host, &publisher, "first").ok();
    let early = copy_of(&kept_by(&publisher), "early.note");
    let sealed = host.temp().join("keyhost.age");
    let made = backup(&host, &sealed, &["--recipient", &recipient, "--with-log", "--with-pki-keys"]).ok();
    assert!(made.stdout.contains("the passphrase is not in it"), "{made:?}");
    let _ = backup(&host, &sealed, &["--recipient", &recipient]).failed(1, "exists already");
    assert_eq!(fs::metadata(&sealed).unwrap().permissions().mode() & 0o777, 0o600);
    let fits = copy_of(&host.public().join("checkpoint"), "../../fits.note");
    // What the backup lacks, the publisher saw.
    let _ = sign(&host, &publisher, "second").ok();
    let newer = copy_of(&kept_by(&publisher), "newer.note");
    assert_eq!(host.stop(), Some(0));
    let _ = restore(&host, &sealed, &[], &identity).failed(1, "is not empty");
    fs::remove_dir_all(host.dir()).unwrap();

    let said = restore(&host, &sealed, &[], &identity).ok().stdout;
    assert!(said.contains("nothing is signed yet") && said.contains("log accept"), "{said}");
    host.serve();
    let refused = refusal_to_sign(&host, &publisher);
    assert!(refused.contains("came out of a backup"), "{refused}");
    assert_eq!(host.stop(), Some(0));

    let no = accept(&host, &newer).failed(4, "does not fit the checkpoint");
    assert!(no.stderr.contains("ROLLBACK"), "{no:?}");
    let _ = accept(&host, Path::new("/dev/null")).failed(1, "has no checkpoint of this log");
    host.serve();
    assert_eq!(refusal_to_sign(&host, &publisher), refused, "what was refused changes nothing");
    assert_eq!(host.stop(), Some(0));

    let _ = accept(&host, &early).ok();
    let _ = accept(&host, &fits).failed(1, "nothing to accept");
    host.serve();
    let fresh = host.publisher("web2");
    assert_eq!(sign(&host, &fresh, "third").code, 1, "web2 has no grant");
    let reply = sign(&host, &publisher, "third");
    assert_eq!(reply.code, 4, "the publisher still holds what the backup lacks: {reply:?}");
    fs::remove_file(kept_by(&publisher)).unwrap();
    let _ = sign(&host, &publisher, "third").ok();
    assert_eq!(host.stop(), Some(0));
    let _ = run(&mut host.chanceryd_plain(&["log", "fsck"])).ok();
    assert!(entries(&host).contains("\"kind\":\"restore\""));
}

/// All leaves that the log shows.
fn entries(host: &KeyHost) -> String {
    let mut all = String::new();
    let mut todo = vec![host.public().join("tile/entries")];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(path).unwrap().map(|e| e.unwrap().path()));
        } else {
            all.push_str(&String::from_utf8_lossy(&fs::read(path).unwrap()));
        }
    }
    all
}

#[test]
fn the_age_of_others_opens_a_backup_and_refuses_it_after_one_flipped_bit() {
    let mut host = host();
    let (Some((identity, recipient)), Some((other, second))) = (age_key(&host, "backup.key"), age_key(&host, "other.key")) else { return };
    let (stranger, _) = age_key(&host, "stranger.key").unwrap();
    assert_eq!(host.stop(), Some(0));
    let sealed = host.temp().join("keyhost.age");
    let _ = backup(&host, &sealed, &["--recipient", &recipient, "--recipient", &second]).ok();
    let age =
        |identity: &Path, file: &Path, out: &Path| run(tool("age").unwrap().arg("-d").arg("-i").arg(identity).arg("-o").arg(out).arg(file));
    for identity in [&identity, &other] {
        let tar = host.temp().join("inside.tar");
        let _ = age(identity, &sealed, &tar).ok();
        let listed = run(Command::new("tar").arg("tf").arg(&tar)).ok().stdout;
        assert!(listed.starts_with("backup.toml\n") && listed.contains("keys/tarballs.toml"), "{listed}");
        assert!(!listed.contains("ca.key") && !listed.contains("log/wal"), "only what was asked for: {listed}");
    }
    assert_ne!(age(&stranger, &sealed, &host.temp().join("no.tar")).code, 0);
    let whole = fs::read(&sealed).unwrap();
    let (changed, gone) = (host.temp().join("changed.age"), host.temp().join("gone"));
    for at in [10, 200, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&changed, bytes).unwrap();
        assert_ne!(age(&identity, &changed, &host.temp().join("no.tar")).code, 0, "byte {at}");
        let ours = run(host.chanceryd_plain(&["restore"]).arg(&changed).arg("--identity").arg(&identity).arg("--dir").arg(&gone));
        assert_eq!(ours.code, 1, "byte {at}: {ours:?}");
        assert!(!gone.exists(), "byte {at}: half a key host was left");
    }
    let ours = run(host.chanceryd_plain(&["restore"]).arg(&sealed).arg("--identity").arg(&stranger).arg("--dir").arg(&gone));
    let _ = ours.failed(1, "another recipient");
}

#[test]
fn a_backup_that_others_made_leads_nowhere_else() {
    let mut host = host();
    let Some((identity, recipient)) = age_key(&host, "backup.key") else { return };
    assert_eq!(host.stop(), Some(0));
    let sealed = host.temp().join("keyhost.age");
    let _ = backup(&host, &sealed, &["--recipient", &recipient]).ok();
    let inside = host.temp().join("inside");
    fs::create_dir(&inside).unwrap();
    let tar = host.temp().join("inside.tar");
    let _ = run(tool("age").unwrap().arg("-d").arg("-i").arg(&identity).arg("-o").arg(&tar).arg(&sealed)).ok();
    let _ = run(Command::new("tar").arg("xf").arg(&tar).arg("-C").arg(&inside)).ok();
    fs::write(inside.join("evil"), "evil").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", inside.join("keys/link.toml")).unwrap();
    let gone = host.temp().join("gone");
    for (rename, file, says) in [
        ("s,evil,../evil,", "evil", "../evil"),
        ("s,evil,/tmp/evil,", "evil", "/tmp/evil"),
        ("s,evil,keys/../../evil.toml,", "evil", "keys/../../evil.toml"),
        ("s,evil,log/lock,", "evil", "log/lock"),
        ("s,evil,signer.toml,", "evil", "twice"),
        ("s,evil,evil,", "keys/link.toml", "is no file"),
    ] {
        let forged = host.temp().join("forged.tar");
        let forged_age = host.temp().join("forged.age");
        let mut pack = Command::new("tar");
        pack.arg("-cPf").arg(&forged).arg("--transform").arg(rename).arg("-C").arg(&inside);
        let names = ["backup.toml", "signer.toml", "policy.toml", "keys/keyring.toml", "keys/log.toml", "log/public/checkpoint", file];
        let _ = run(pack.args(names)).ok();
        let _ = run(tool("age").unwrap().arg("-r").arg(&recipient).arg("-o").arg(&forged_age).arg(&forged)).ok();
        let ours = run(host.chanceryd_plain(&["restore"]).arg(&forged_age).arg("--identity").arg(&identity).arg("--dir").arg(&gone));
        let _ = ours.failed(1, says);
        assert!(!gone.exists() && !host.temp().join("evil").exists());
    }
}

#[test]
fn three_of_five_people_restore_a_key_host() {
    let mut host = host();
    assert_eq!(host.stop(), Some(0));
    let (sealed, shares, gone) = (host.temp().join("keyhost.age"), host.temp().join("shares"), host.temp().join("gone"));
    let mut make = Command::new(chancery_tests::program("chanceryd"));
    make.args(["backup", "--split", "3", "--of", "5", "--shares"]).arg(&shares).arg("--to").arg(&sealed).arg("--dir").arg(host.dir());
    let made = run(&mut make).ok().stdout;
    assert!(made.contains("share-5.txt"), "{made}");
    let share = |n: u32| shares.join(format!("share-{n}.txt"));
    let restore = |numbers: &[u32]| {
        let mut command = host.chanceryd_plain(&["restore"]);
        for n in numbers {
            command.arg("--share").arg(share(*n));
        }
        run(command.arg(&sealed).arg("--dir").arg(&gone))
    };
    let _ = restore(&[2, 5]).failed(1, "2 shares are given, and 3 are needed");
    let text = fs::read_to_string(share(4)).unwrap();
    assert!(text.starts_with("This is one share of what opens a backup of a Chancery key host. 3 of 5"), "{text}");
    fs::write(share(4), text.replace("needed 3", "needed 2")).unwrap();
    let _ = restore(&[1, 4, 5]).failed(1, "share-4.txt was changed");
    let _ = restore(&[5, 1, 3]).ok();
    assert!(gone.join("keys/tarballs.toml").is_file());
}

#[test]
fn a_key_is_rotated_while_both_versions_are_believed_and_signs_nothing_after_its_end() {
    let setup = Setup::new().key("tarballs", "sshsig");
    let setup = setup.grant("web1", "tarballs", &["sshsig"], "**", "namespaces = [\"file\"]");
    let mut host = setup.grant("web2", "tarballs", &["sshsig"], "**", "namespaces = [\"file\"]").start();
    let before = host.publisher("web1");
    let _ = sign(&host, &before, "old").ok();
    let key = |host: &KeyHost, arguments: &[&str]| run(host.chanceryd(&["key"]).args(arguments).arg("--dir").arg(host.dir()));
    let verify = |publisher: &Publisher, name: &str| {
        run(publisher.chancery(&["verify", "sshsig", "--key", "tarballs"]).arg(host_file(publisher, name)))
    };

    assert_eq!(host.stop(), Some(0));
    let said = key(&host, &["rotate", "tarballs", "--retire", "2999-01-01"]).ok().stdout;
    assert!(said.contains("made version 2") && said.contains("2999-01-01T00:00:00Z"), "{said}");
    host.serve();
    let after = host.publisher("web2");
    let said = sign(&host, &after, "overlap").ok();
    assert!(said.stdout.contains("version 1"), "{said:?}");
    let keys = run(&mut after.chancery(&["keys"])).ok().stdout;
    assert!(keys.contains("version 1  open, retired from 2999-01-01") && keys.contains("version 2  open  the pinned key"), "{keys}");
    before.point_at(&host.endpoint());
    assert!(run(&mut before.chancery(&["keys"])).stdout.contains("not pinned"));
    assert_eq!(host.stop(), Some(0));

    for past in ["2020-01-01", "2020-01-01T12:00:00Z"] {
        let _ = key(&host, &["retire", "tarballs", "--version", "1", "--on", past]).failed(2, "is over already");
        let _ = key(&host, &["rotate", "tarballs", "--retire", past]).failed(2, "write now");
    }
    let _ = key(&host, &["retire", "tarballs", "--version", "1", "--on", "now"]).ok();
    let _ = key(&host, &["retire", "tarballs", "--version", "1", "--on", "2999-01-01"]).failed(1, "does not come back");
    host.serve();
    let said = sign(&host, &after, "new").ok();
    assert!(said.stdout.contains("version 2"), "{said:?}");
    for name in ["old", "overlap", "new"] {
        let _ = verify(&after, name).ok();
    }
    assert_ne!(sign(&host, &before, "unknown").code, 0, "its profile does not pin version 2");
    assert!(!host.temp().join("unknown.sig").exists());
    assert_eq!(host.stop(), Some(0));

    let _ = key(&host, &["retire", "tarballs", "--on", "now"]).ok();
    host.serve();
    let refused = sign(&host, &after, "late").failed(1, "key-retired");
    assert!(refused.stderr.contains("ask the operator of the key host for a new version"), "{refused:?}");
    let _ = verify(&after, "old").ok();
    assert_eq!(host.stop(), Some(0));
    assert!(entries(&host).contains("\"reason\":\"key-retired\""));
    let _ = run(&mut host.chanceryd_plain(&["log", "fsck"])).ok();
}

fn host_file(publisher: &Publisher, name: &str) -> PathBuf {
    publisher.dir().parent().unwrap().join(name)
}

#[test]
fn a_key_host_whose_log_is_elsewhere_is_backed_up_and_restored_to_the_same_places() {
    let setup = Setup::new().key("tarballs", "sshsig");
    let mut host = setup.grant("web1", "tarballs", &["sshsig"], "**", "namespaces = [\"file\"]").make();
    let log = host.temp().join("state/log");
    fs::create_dir_all(log.parent().unwrap()).unwrap();
    let config = host.read("signer.toml");
    let elsewhere = config.replace("\nlog = \"log\"", &format!("\nlog = \"{}\"", log.display()));
    assert_ne!(config, elsewhere);
    host.write("signer.toml", &elsewhere);
    host.serve();
    let publisher = host.publisher("web1");
    let _ = sign(&host, &publisher, "before").ok();
    let Some((identity, recipient)) = age_key(&host, "backup.key") else { return };
    let sealed = host.temp().join("host.age");
    let _ = backup(&host, &sealed, &["--recipient", &recipient, "--with-log", "--with-pki-keys"]).ok();
    assert_eq!(host.stop(), Some(0));
    let checkpoint = kept_by(&publisher);
    fs::remove_dir_all(host.dir()).unwrap();
    fs::remove_dir_all(&log).unwrap();
    let said = restore(&host, &sealed, &[], &identity).failed(1, "restore it there: --log ");
    assert!(!host.dir().exists(), "half a key host is left: {said:?}");
    let there = log.to_str().unwrap();
    let _ = restore(&host, &sealed, &["--log", there], &identity).ok();
    assert!(log.join("wal").is_dir() && !host.dir().join("log").exists());
    let _ = accept(&host, &checkpoint).ok();
    host.serve();
    let _ = sign(&host, &publisher, "after").ok();
}

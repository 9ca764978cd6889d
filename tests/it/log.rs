//! The request log, held against an implementation of others; and what becomes of it when it is changed.

use crate::auditor::{audit, go_audit, size};
use crate::bad_host::recorded;
use crate::outside::check_log;
use crate::wire::{block_on, digest_header, sign};
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{SignBatchRequest, SignResponse};
use chancery_tests::{KeyHost, Publisher, Setup, program, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

const STREAMS: u64 = 4;
const IN_FLIGHT: u64 = 256;
/// More than one full tile of the second level, which covers 65,536 entries.
const ENTRIES: u64 = 70_000;

fn host() -> KeyHost {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]").start()
}

/// Signs the requests of these numbers over one stream; gives the replies to some of them.
async fn sign_many(channel: Channel, numbers: std::ops::Range<u64>) -> Vec<SignResponse> {
    let (requests, outgoing) = mpsc::channel(IN_FLIGHT as usize);
    let request =
        |number| SignBatchRequest { number, header: Some(digest_header("tarballs", "prod", number)), content: Default::default() };
    let mut waiting = numbers.clone();
    for number in waiting.by_ref().take(IN_FLIGHT as usize) {
        requests.send(request(number)).await.unwrap();
    }
    let mut replies = SigningServiceClient::new(channel).sign_batch(ReceiverStream::new(outgoing)).await.unwrap().into_inner();
    let mut requests = Some(requests);
    let (mut count, mut kept) = (0, Vec::new());
    while let Some(reply) = replies.message().await.unwrap() {
        let Some(Outcome::Signed(signed)) = reply.outcome else { panic!("{reply:?}") };
        count += 1;
        if count % 4000 == 1 {
            kept.push(signed);
        }
        match (waiting.next(), &requests) {
            (Some(number), Some(requests)) => requests.send(request(number)).await.unwrap(),
            _ => requests = None,
        }
    }
    assert_eq!(count, numbers.end - numbers.start, "every request has a reply");
    kept
}

fn sign_on_streams(host: &KeyHost, publisher: &Publisher, count: u64) -> Vec<SignResponse> {
    block_on(async {
        let channels = publisher.connections(&host.endpoint(), STREAMS as usize).await;
        let share = count / STREAMS;
        let streams: Vec<_> =
            channels.into_iter().zip(0..).map(|(channel, i)| tokio::spawn(sign_many(channel, i * share..(i + 1) * share))).collect();
        let mut kept = Vec::new();
        for stream in streams {
            kept.extend(stream.await.unwrap());
        }
        kept
    })
}

fn sign_some(host: &KeyHost, publisher: &Publisher, numbers: std::ops::Range<u64>) {
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        for n in numbers {
            sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]).await.unwrap();
        }
    });
}

/// A key host whose log is not whole answers, and says why it signs nothing.
fn refusal_to_sign(host: &KeyHost, publisher: &Publisher) -> String {
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let status = sign(channel, digest_header("tarballs", "prod", 999), vec![]).await.expect_err("this must not be signed");
        status.message().to_owned()
    })
}

fn copy(from: &Path, to: &Path) {
    let _ = run(Command::new("rm").arg("-rf").arg(to)).ok();
    let _ = run(Command::new("cp").arg("-a").arg(from).arg(to)).ok();
}

#[test]
fn the_log_is_verified_from_static_files_alone() {
    let mut host = host();
    let publisher = host.publisher("web1");
    sign_some(&host, &publisher, 1_000_000..1_000_003);
    assert_eq!(host.stop(), Some(0));
    let (vkey, state) = (host.vkey(), host.temp().join("seen.checkpoint"));
    let early = size(&host.public());
    let _ = audit(&host.public(), &vkey, Some(&state)).ok();
    host.serve();
    let receipts = sign_on_streams(&host, &publisher, ENTRIES);
    assert_eq!(host.stop(), Some(0));
    // Nothing but the public files, somewhere else.
    let public = host.temp().join("mirror");
    copy(&host.public(), &public);
    fs::rename(host.dir(), host.temp().join("gone")).unwrap();

    let size = size(&public);
    assert!(size > ENTRIES, "{size} entries");
    let said = audit(&public, &vkey, Some(&state)).ok().stdout;
    assert!(said.contains(&format!("{size} entries")), "{said}");
    if let Some(said) = go_audit(&public, &vkey, &[&early.to_string(), "1", "255", "256", "257", "65536", "65537", "69999"]) {
        let said = said.ok().stdout;
        assert!(said.starts_with(&format!("ok: {size} entries")), "{said}");
    }
    assert!(receipts.len() >= 16, "{} receipts", receipts.len());
    for receipt in &receipts {
        let file = host.temp().join("receipt");
        fs::write(&file, &receipt.receipt).unwrap();
        let Some(said) = check_log(&["proof", &vkey], &file) else { return };
        let said = said.ok().stdout;
        assert!(said.starts_with(&format!("ok: entry {} of ", receipt.entry_index)), "{said}");
        let mut changed = receipt.receipt.to_vec();
        // Within the entry's base64.
        let at = 60;
        changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
        fs::write(&file, changed).unwrap();
        assert_ne!(check_log(&["proof", &vkey], &file).unwrap().code, 0, "a changed receipt");
    }
}

#[test]
fn a_rolled_back_log_is_refused_by_keeper_and_auditor() {
    let mut host = host();
    let publisher = host.publisher("web1");
    sign_some(&host, &publisher, 0..5);
    assert_eq!(host.stop(), Some(0));
    let (wal, older_wal) = (host.dir().join("log/wal"), host.temp().join("older-wal"));
    let (public, older_public) = (host.public(), host.temp().join("older-public"));
    copy(&wal, &older_wal);
    copy(&public, &older_public);
    host.serve();
    sign_some(&host, &publisher, 5..10);
    assert_eq!(host.stop(), Some(0));
    let newest = fs::read_to_string(public.join("checkpoint")).unwrap();

    copy(&older_wal, &wal);
    host.serve();
    let said = refusal_to_sign(&host, &publisher);
    assert!(said.contains("ROLLBACK"), "{said}");
    assert_eq!(host.stop(), Some(0));
    let fsck = run(&mut host.chanceryd_plain(&["log", "fsck", "--explain"]));
    assert!(fsck.code == 4 && fsck.stdout.contains("ROLLBACK"), "{fsck:?}");
    assert_eq!(fs::read_to_string(public.join("checkpoint")).unwrap(), newest, "nothing was published over it");

    let state = host.temp().join("seen.checkpoint");
    let _ = audit(&older_public, &host.vkey(), None).ok();
    let _ = audit(&public, &host.vkey(), Some(&state)).ok();
    let _ = audit(&older_public, &host.vkey(), Some(&state)).failed(4, "ROLLBACK");
}

#[test]
fn a_client_that_saw_more_refuses_a_key_host_whose_whole_directory_was_rolled_back() {
    let mut host = host();
    let publisher = host.publisher("web1");
    let file = host.temp().join("prod");
    fs::write(&file, "1").unwrap();
    let sign = |publisher: &Publisher| run(publisher.chancery(&["sign", "--key", "tarballs", "--as", "sshsig"]).arg(&file));
    let _ = sign(&publisher).ok();
    assert_eq!(host.stop(), Some(0));
    let (log, older) = (host.dir().join("log"), host.temp().join("older"));
    copy(&log, &older);
    for round in 0..3 {
        host.serve();
        publisher.point_at(&host.endpoint());
        fs::write(&file, format!("round {round}")).unwrap();
        let _ = sign(&publisher).ok();
        assert_eq!(host.stop(), Some(0));
    }
    copy(&older, &log);
    host.serve();
    publisher.point_at(&host.endpoint());
    let signature = host.temp().join("prod.sig");
    let before = fs::read(&signature).unwrap();
    fs::write(&file, "after the rollback").unwrap();
    let refused = sign(&publisher);
    assert_eq!(refused.code, 4, "the log misbehaved: {refused:?}");
    assert_eq!(fs::read(&signature).unwrap(), before, "nothing was written");
}

/// Changes one byte of a file.
fn change(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn an_auditor_names_what_was_tampered_with() {
    let mut host = host();
    let publisher = host.publisher("web1");
    let _ = sign_on_streams(&host, &publisher, 600);
    assert_eq!(host.stop(), Some(0));
    let vkey = host.vkey();
    let _ = audit(&host.public(), &vkey, None).ok();
    let size = size(&host.public());
    let partial = |level: &str, index: u64| format!("tile/{level}/{index:03}.p/{}", size % 256);
    let files = [
        ("tile/entries/000".to_owned(), 300),
        ("tile/0/001".to_owned(), 40),
        (partial("entries", size / 256), 30),
        (partial("0", size / 256), 3),
        (format!("tile/1/000.p/{}", size / 256), 35),
    ];
    for (name, at) in &files {
        let mirror: PathBuf = host.temp().join("mirror");
        copy(&host.public(), &mirror);
        change(&mirror.join(name), *at);
        let said = audit(&mirror, &vkey, None).failed(4, "").stderr;
        // The hashes at the right edge make the root together: which file of them is wrong cannot be known.
        let edge = !name.contains("entries") && name.contains(".p/") && said.contains("tile/1/");
        assert!(said.contains(name.as_str()) || edge, "{name} was changed: {said}");
        if let Some(go) = go_audit(&mirror, &vkey, &[]) {
            assert_ne!(go.code, 0, "{name} was changed: {go:?}");
        }
        fs::remove_file(mirror.join(name)).unwrap();
        let said = audit(&mirror, &vkey, None);
        assert!(said.code != 0 && said.stderr.contains(&format!("{name} is missing")), "{name} was removed: {said:?}");
    }
    let mirror = host.temp().join("mirror");
    copy(&host.public(), &mirror);
    change(&mirror.join("checkpoint"), "localhost/requests\n".len());
    let _ = audit(&mirror, &vkey, None).failed(4, "checkpoint");
}

#[test]
fn the_log_is_scrubbed_while_it_grows() {
    let host = host();
    let publisher = host.publisher("web1");
    std::thread::scope(|threads| {
        let load = threads.spawn(|| sign_on_streams(&host, &publisher, 3000));
        let mut scrubs = 0;
        while !load.is_finished() || scrubs == 0 {
            let scrubbed = run(&mut host.chanceryd_plain(&["log", "scrub"])).ok();
            assert!(scrubbed.stdout.contains("sound:"), "{scrubbed:?}");
            scrubs += 1;
        }
        let _ = load.join().unwrap();
    });
}

#[test]
fn fsck_on_the_key_host_names_the_damaged_record_and_the_changed_file() {
    let mut host = host();
    let publisher = host.publisher("web1");
    sign_some(&host, &publisher, 0..20);
    assert_eq!(host.stop(), Some(0));
    let segment = "log/wal/00000000000000000000.wal";
    let pristine = host.temp().join("pristine");
    copy(&host.dir().join("log"), &pristine);
    change(&host.dir().join(segment), 3000);
    let damaged = run(&mut host.chanceryd_plain(&["log", "fsck"]));
    assert!(damaged.code == 4 && damaged.stdout.contains("00000000000000000000.wal at byte "), "{damaged:?}");
    host.serve();
    let said = refusal_to_sign(&host, &publisher);
    assert!(said.contains("fsck"), "it says what to do: {said}");
    assert_eq!(host.stop(), Some(0));
    copy(&pristine, &host.dir().join("log"));
    let tile = format!("tile/entries/000.p/{}", size(&host.public()));
    change(&host.public().join(&tile), 10);
    let differs = run(&mut host.chanceryd_plain(&["log", "fsck"]));
    assert!(differs.code == 4 && differs.stdout.contains(&tile), "{differs:?}");
}

#[test]
fn a_log_is_rotated_and_each_of_the_two_names_the_other() {
    let mut host = host();
    let publisher = host.publisher("web1");
    sign_some(&host, &publisher, 0..5);
    let old_vkey = host.vkey();
    let running =
        run(host.chanceryd(&["log", "rotate", "localhost/requests-2"]).arg(host.dir().join("log-2")).arg("--dir").arg(host.dir()));
    let _ = running.failed(1, "another process is writing the log");
    assert_eq!(host.stop(), Some(0));
    let rotate =
        |origin: &str, to: &str| run(host.chanceryd(&["log", "rotate", origin]).arg(host.dir().join(to)).arg("--dir").arg(host.dir()));
    let _ = rotate("localhost/requests", "log-2").failed(2, "needs a name of its own");
    let _ = rotate("localhost/requests-2", "log").failed(2, "exists already");
    let _ = rotate("localhost/requests-2", "log-2").ok();
    let vkey = host.vkey();
    assert_ne!(vkey, old_vkey);

    // Until the configuration says where it goes on, nothing is signed.
    assert!(host.try_serve().is_err());
    let config =
        host.read("signer.toml").replace("\"localhost/requests\"", "\"localhost/requests-2\"").replace("log = \"log\"", "log = \"log-2\"");
    host.write("signer.toml", &config);
    host.serve();
    let publisher = host.publisher("web2");
    let refused = block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel, digest_header("tarballs", "prod", 1), vec![]).await.unwrap_err()
    });
    assert_eq!(refused.code(), tonic::Code::PermissionDenied, "web2 has no grant, and the new log records it");
    assert_eq!(host.stop(), Some(0));

    let (old, new) = (host.dir().join("log/public"), host.dir().join("log-2/public"));
    let bound = |old: &Path, new: &Path, keys: [&str; 2]| {
        let mut bound = Command::new(program("chancery-audit"));
        run(bound.arg("bound").arg(old).arg(new).args(["--vkey", keys[0], "--next-vkey", keys[1]]))
    };
    let said = bound(&old, &new, [&old_vkey, &vkey]).ok().stdout;
    assert!(said.contains("goes on as localhost/requests-2"), "{said}");
    for (log, key) in [(&old, &old_vkey), (&new, &vkey)] {
        let _ = audit(log, key, None).ok();
        if let Some(go) = go_audit(log, key, &[]) {
            let _ = go.ok();
        }
    }
    let stranger = self::host();
    let _ = recorded(&stranger, 0);
    let other = stranger.vkey();
    let _ = bound(&old, &stranger.public(), [&old_vkey, &other]).failed(4, "does not say that it goes on");
    let _ = bound(&stranger.public(), &new, [&other, &vkey]).failed(4, "does not say that it goes on");
}

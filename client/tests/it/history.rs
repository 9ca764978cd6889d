//! The log must be the one that was seen before.

use crate::support::{FakeHost, KEY, Publisher, block_on};
use chancery::{Error, HashAlgorithm, Misbehaviour, StateStore};

const SIGN: [&str; 6] = ["sign", "a", "--key", KEY, "--as", "sshsig"];

fn publisher_that_signed_once(host: &FakeHost) -> Publisher {
    let publisher = Publisher::of(host);
    publisher.write("a", b"alpha", 0o644);
    (0..3).for_each(|_| host.state().log.grow());
    assert_eq!(publisher.chancery(&SIGN).code, 0);
    std::fs::remove_file(publisher.path("a.sig")).unwrap();
    std::fs::remove_file(publisher.path("a.sig.tlog-proof")).unwrap();
    publisher
}

fn nothing_written(publisher: &Publisher) {
    assert_eq!(publisher.made(), ["a", "web1.toml.checkpoint", "web1.toml.checkpoint.lock"]);
}

#[test]
fn the_newest_checkpoint_is_kept_from_run_to_run() {
    let host = FakeHost::start();
    let publisher = publisher_that_signed_once(&host);
    let first = String::from_utf8(publisher.read("web1.toml.checkpoint")).unwrap();
    assert!(first.starts_with("signer.example/requests\n5\n"), "{first}");
    assert_eq!(publisher.chancery(&SIGN).code, 0);
    let second = String::from_utf8(publisher.read("web1.toml.checkpoint")).unwrap();
    assert!(second.starts_with("signer.example/requests\n6\n"), "{second}");
    assert_eq!(host.state().proofs, 1, "that the log grew was proved");
}

#[test]
fn a_log_that_was_rolled_back_is_noticed() {
    let host = FakeHost::start();
    let publisher = publisher_that_signed_once(&host);
    let kept = publisher.read("web1.toml.checkpoint");
    host.state().log.truncate(2);
    let ran = publisher.chancery(&SIGN);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("ROLLBACK: the request log had 5 entries when it was last seen, now the key host shows one of 3"), "{ran:?}");
    assert!(ran.err.contains(std::str::from_utf8(&kept).unwrap()), "the evidence is shown: {ran:?}");
    assert_eq!(publisher.read("web1.toml.checkpoint"), kept);
    nothing_written(&publisher);
}

#[test]
fn a_log_that_tells_another_history_is_noticed() {
    let host = FakeHost::start();
    let publisher = publisher_that_signed_once(&host);
    host.state().log.rewrite();
    let ran = publisher.chancery(&SIGN);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("FORK: the checkpoint of 6 entries"), "{ran:?}");
    nothing_written(&publisher);
    // Also when both histories are of one length.
    host.state().log.truncate(4);
    let ran = publisher.chancery(&SIGN);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("FORK: the checkpoint of 5 entries that the key host shows is not of the log that had 5"), "{ran:?}");
    nothing_written(&publisher);
}

#[test]
fn a_checkpoint_file_that_holds_something_else_stops_everything() {
    let host = FakeHost::start();
    let publisher = publisher_that_signed_once(&host);
    publisher.write("web1.toml.checkpoint", b"nothing\n", 0o644);
    let ran = publisher.chancery(&SIGN);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("web1.toml.checkpoint does not hold a checkpoint of the pinned log"), "{ran:?}");
    assert_eq!(host.state().asked.len(), 1, "nothing more was asked");
}

#[test]
fn replies_may_come_in_any_order() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    block_on(async {
        let client = publisher.client(StateStore::Memory).await;
        let sign = async |n: u8| client.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &[n; 64]).await;
        let (a, b, c) = tokio::join!(sign(1), sign(2), sign(3));
        for signature in [a, b, c] {
            signature.unwrap();
        }
    });
}

#[test]
fn a_process_that_saw_a_newer_checkpoint_is_heeded() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    let store = StateStore::File(publisher.path("seen"));
    block_on(async {
        let (first, second) = (publisher.client(store.clone()).await, publisher.client(store.clone()).await);
        let digest = [3; 64];
        first.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &digest).await.unwrap();
        second.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &digest).await.unwrap();
        // The first has seen 2 entries, the second 3; a log of 3 others is a fork for the first only because of the file.
        host.state().log.rewrite();
        host.state().log.truncate(1);
        let fresh = publisher.client(StateStore::Memory).await;
        fresh.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &digest).await.unwrap();
        let error = first.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &digest).await.unwrap_err();
        assert!(matches!(&error, Error::Misbehaved(m) if matches!(**m, Misbehaviour::Fork { .. })), "{error}");
    });
    let kept = String::from_utf8(publisher.read("seen")).unwrap();
    assert!(kept.starts_with("signer.example/requests\n3\n"), "{kept}");
}

//! Refusals, lost replies, and key hosts that cannot be reached.

use crate::support::{FakeHost, Fault, KEY, Pki, Publisher, block_on, expired};
use chancery::{Error, HashAlgorithm, StateStore, Trouble};
use std::net::TcpListener;

const SIGN: [&str; 7] = ["sign", "a", "--key", KEY, "--as", "sshsig", "--timeout=5"];

/// An endpoint where nothing listens.
fn nobody() -> String {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    format!("https://{address}")
}

#[test]
fn a_refusal_names_its_reason_and_its_entry() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    publisher.write("a", b"alpha", 0o644);
    host.misbehave(Fault::Refuse);
    let ran = publisher.chancery(&SIGN);
    assert_eq!(ran.code, 1);
    assert_eq!(ran.err, "error: refused: no grant covers this\u{fffd}[2J; ask for one (reason ref-not-granted, entry 1)\n");
    assert!(!publisher.made().iter().any(|n| n.contains(".sig")));
    let ran = publisher.chancery(&[&SIGN[..], &["--json"]].concat());
    let facts: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&facts["error"]["reason"], &facts["error"]["exit"]), (&"ref-not-granted".into(), &1.into()));
}

#[test]
fn after_a_lost_reply_the_same_request_is_sent_again() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.state().lose = 3;
    let signature = block_on(async {
        let client = publisher.client(StateStore::Memory).await;
        client.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &[3; 64]).await.unwrap()
    });
    let state = host.state();
    assert_eq!(state.asked.len(), 4);
    assert!(state.asked.iter().all(|id| *id == state.asked[0]), "{:?}", state.asked);
    assert_eq!((state.log.size(), signature.receipt().index()), (2, 1), "there is one entry");
}

#[test]
fn what_is_refused_for_now_is_tried_again_until_the_time_is_up() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.misbehave(Fault::Busy);
    publisher.write("a", b"alpha", 0o644);
    let ran = publisher.chancery(&["sign", "a", "--key", KEY, "--as", "sshsig", "--timeout=0.5"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("too much at once (reason busy, may succeed later)"), "{ran:?}");
    assert!(host.state().asked.len() > 1);
}

#[test]
fn the_next_endpoint_is_tried_when_one_does_not_answer() {
    let host = FakeHost::start();
    let publisher = Publisher::with(&host, &host.pki, &[nobody(), host.endpoint()]);
    publisher.write("a", b"alpha", 0o644);
    let ran = publisher.chancery(&SIGN);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn the_next_endpoint_is_tried_when_one_takes_connections_and_says_nothing() {
    let host = FakeHost::start();
    // The kernel takes connections for it; nobody ever looks at them.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoints = [format!("https://{}", silent.local_addr().unwrap()), host.endpoint()];
    let publisher = Publisher::with(&host, &host.pki, &endpoints);
    publisher.write("a", b"alpha", 0o644);
    let ran = publisher.chancery(&["sign", "a", "--key", KEY, "--as", "sshsig", "--timeout=3"]);
    assert_eq!(ran.code, 0, "{ran:?}");
}

#[test]
fn an_unreachable_key_host_is_named_with_what_to_do() {
    let host = FakeHost::start();
    let endpoint = nobody();
    let publisher = Publisher::with(&host, &host.pki, std::slice::from_ref(&endpoint));
    publisher.write("a", b"alpha", 0o644);
    let ran = publisher.chancery(&["sign", "a", "--key", KEY, "--as", "sshsig", "--timeout=0.2"]);
    assert_eq!(ran.code, 3);
    let start = format!("error: cannot reach the key host at {endpoint}: nothing listens there; check that chanceryd serves");
    assert!(ran.err.starts_with(&start), "{ran:?}");
}

fn trouble(publisher: &Publisher) -> Trouble {
    block_on(async {
        let client = publisher.client(StateStore::Memory).await;
        let error = client.sign_digest(KEY, "tool", "file", HashAlgorithm::Sha512, &[3; 64]).await.unwrap_err();
        let Error::Unreachable(unreachable) = error else { panic!("{error:?}") };
        assert!(unreachable.tries <= 2, "certificates do not mend themselves: {unreachable:?}");
        unreachable.trouble
    })
}

#[test]
fn faults_of_certificates_are_told_apart() {
    let host = FakeHost::start();
    let endpoints = [host.endpoint()];
    assert_eq!(trouble(&Publisher::with(&host, &expired(&host.pki), &endpoints)), Trouble::CertificateExpired);
    assert_eq!(trouble(&Publisher::with(&host, &Pki::new(), &endpoints)), Trouble::CertificateRefused);
    let other = host.door(Pki::new());
    assert_eq!(trouble(&Publisher::with(&host, &host.pki, &[other.endpoint()])), Trouble::ForeignServer);
    let late = host.door(expired(&host.pki));
    assert_eq!(trouble(&Publisher::with(&host, &host.pki, &[late.endpoint()])), Trouble::ServerExpired);
}

#[test]
fn a_key_that_the_profile_does_not_pin_is_not_even_asked_for() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    publisher.write("a", b"alpha", 0o644);
    let ran = publisher.chancery(&["sign", "a", "--key", "relaese", "--as", "sshsig"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("pins no key named \"relaese\"; it pins release"), "{ran:?}");
    assert_eq!(host.state().asked.len(), 0);
}

//! `chancery status` and `chancery keys`.

use crate::support::{FakeHost, Fault, Publisher};
use std::net::TcpListener;

#[test]
fn a_healthy_key_host_is_shown_with_its_keys() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    let ran = publisher.chancery(&["status"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("principal spiffe://example.org/publisher/web1\ncertificate valid until 20"), "{ran:?}");
    assert!(ran.out.contains("the log has 1 entries and is seen for the first time"), "{ran:?}");
    assert!(ran.out.contains("  release version 1  open  the pinned key\n"), "{ran:?}");
    assert!(ran.out.contains("  new-one version 1  locked  not pinned"), "{ran:?}");
    host.state().log.grow();
    let ran = publisher.chancery(&["status"]);
    assert!(ran.out.contains("the log has 2 entries and is the one that had 1 when it was last seen"), "{ran:?}");
}

#[test]
fn status_notices_a_log_that_was_rolled_back() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    host.state().log.grow();
    host.state().log.grow();
    assert_eq!(publisher.chancery(&["status"]).code, 0);
    host.state().log.truncate(2);
    let ran = publisher.chancery(&["status"]);
    assert_eq!(ran.code, 4);
    assert!(ran.err.contains("ROLLBACK"), "{ran:?}");
}

#[test]
fn one_endpoint_that_does_not_answer_is_reported_and_the_others_are_shown() {
    let host = FakeHost::start();
    let nobody = format!("https://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let publisher = Publisher::with(&host, &host.pki, &[nobody.clone(), host.endpoint()]);
    let ran = publisher.chancery(&["status", "--json"]);
    assert_eq!(ran.code, 3);
    let facts: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(facts["endpoints"][0]["reached"], false);
    assert_eq!(facts["endpoints"][1]["keys"][0]["verdict"], "pinned");
}

#[test]
fn a_key_that_differs_from_the_pinned_one_is_loud() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    assert_eq!(publisher.chancery(&["keys"]).code, 0);
    host.misbehave(Fault::OtherPublicKey);
    for command in ["keys", "status"] {
        let ran = publisher.chancery(&[command]);
        assert_eq!(ran.code, 4);
        assert!(ran.out.contains("DIFFERS FROM THE PINNED KEY"), "{ran:?}");
        assert!(ran.err.contains("another public key for release version 1 than this profile pins"), "{ran:?}");
    }
}

//! `chancery status` and `chancery keys`.

use crate::support::{FakeHost, Fault, LogKey, Publisher};
use chancery_tlog::{Note, cosign};
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

#[test]
fn witnesses_are_shown_with_the_age_of_their_cosignatures_and_a_forged_one_is_loud() {
    let host = FakeHost::start();
    let publisher = Publisher::of(&host);
    let [known, absent, stranger, forger] = ["known", "absent", "stranger", "known"].map(|n| LogKey::witness(&format!("{n}.example/w1")));
    publisher.pin_witnesses(&[known.vkey(), absent.vkey()]);
    let text = {
        let note = host.state().log.checkpoint(1);
        Note::parse(&note).unwrap().text().to_owned()
    };
    let good = cosign(&text, 1_700_000_000, &known) + &cosign(&text, 4_000_000_000, &stranger);
    host.state().log.cosignatures = good.clone();
    let ran = publisher.chancery(&["status"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    for line in [
        "  witness known.example/w1  cosigned all 1 entries ",
        " s ago, verified with the pinned key\n",
        "  witness absent.example/w1  has not cosigned the newest entries\n",
        "  witness stranger.example/w1  cosigned all 1 entries 0 s ago, unverified: the profile does not pin its key\n",
    ] {
        assert!(ran.out.contains(line), "{line}: {ran:?}");
    }
    let ran = publisher.chancery(&["status", "--json"]);
    let facts: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let [first, second, third] = facts["endpoints"][0]["witnesses"].as_array().unwrap().as_slice() else { panic!("{facts}") };
    assert_eq!((&first["verdict"], &first["size"], &first["cosigned"]), (&"verified".into(), &1.into(), &"2023-11-14T22:13:20Z".into()));
    assert!(first["age_s"].as_u64().unwrap() > 50_000_000, "{first}");
    assert_eq!((&second["verdict"], &second["size"]), (&"absent".into(), &serde_json::Value::Null));
    assert_eq!(third["verdict"], "not-pinned");

    // A cosignature for another checkpoint, and one by another key of the same name.
    host.state().log.cosignatures = cosign(&text, 1_700_000_000, &forger);
    assert!(publisher.chancery(&["status"]).out.contains("known.example/w1  has not cosigned the newest entries"));
    host.state().log.grow();
    host.state().log.cosignatures = good;
    let ran = publisher.chancery(&["status"]);
    assert_eq!(ran.code, 4, "{ran:?}");
    assert!(
        ran.out.contains("ITS COSIGNATURE DOES NOT FIT") && ran.err.contains("a cosignature of the witness known.example/w1"),
        "{ran:?}"
    );
}

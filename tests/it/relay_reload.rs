//! A relay that reads its profiles again while it serves.

use crate::metrics::relay_until;
use crate::relay::{dial, may_park, setup, sign};
use chancery_tests::{KeyHost, Relay};
use std::fs;

fn may(relay: &Relay, authority: &KeyHost, host: &KeyHost) -> bool {
    let pki = |host: &KeyHost, file: &str| host.dir().join("pki").join(file);
    may_park(relay, &pki(authority, "ca.crt"), Some((&pki(host, "server.crt"), &pki(host, "server.key"))))
}

#[test]
fn a_relay_that_is_told_to_reads_its_profiles_again_and_keeps_the_old_ones_when_they_are_wrong() {
    let mut host = setup().make();
    let elsewhere = setup().named("signer-b.example").make();
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &["--metrics", "127.0.0.1:0"]);
    dial(&host, &[relay.signer()]);
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    let _ = sign(&publisher, "tool-1").ok();
    let said = relay.reload();
    assert!(said.contains("INFO"), "{said}");
    let _ = sign(&publisher, "tool-2").ok();
    let key = relay.profile().with_extension("key");
    let (good_profile, good_key) = (fs::read(relay.profile()).unwrap(), fs::read(&key).unwrap());
    let wrong = |said: String, words: &[&str]| {
        assert!(said.contains("ERROR") && words.iter().all(|word| said.contains(word)), "{words:?}: {said}");
        assert!(may(&relay, &host, &host), "the old ones do not stay");
    };
    fs::write(&key, fs::read(host.dir().join("pki/server.key")).unwrap()).unwrap();
    wrong(relay.reload(), &["relay1.toml", "cannot be used together"]);
    fs::write(&key, "no key").unwrap();
    wrong(relay.reload(), &["relay1.toml", "cannot be used together"]);
    fs::remove_file(&key).unwrap();
    wrong(relay.reload(), &["relay1.toml", "the key of"]);
    fs::write(&key, &good_key).unwrap();
    fs::write(relay.profile(), "no profile").unwrap();
    wrong(relay.reload(), &["relay1.toml:1"]);
    fs::remove_file(relay.profile()).unwrap();
    wrong(relay.reload(), &["relay1.toml", "there is no profile"]);
    relay.enroll_anew(&elsewhere);
    wrong(relay.reload(), &["relay1.toml", "signer-b.example"]);
    fs::write(relay.profile(), good_profile).unwrap();
    fs::write(&key, good_key).unwrap();
    assert!(relay.reload().contains("INFO"));
    let _ = sign(&publisher, "tool-3").ok();
    let _ = relay_until(&relay, &host, |of| of("parked_lost_total{why=authority-replaced}") <= 0.0);
}

#[test]
fn a_new_authority_keeps_out_who_was_let_in_by_the_old_one() {
    let mut host = setup().make();
    let renewed = setup().make();
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &["--metrics", "127.0.0.1:0"]);
    dial(&host, &[relay.signer()]);
    host.serve();
    let _ = relay_until(&relay, &host, |of| of("parked{key_host=localhost}") == 4.0);
    relay.enroll_anew(&renewed);
    assert!(relay.reload().contains("INFO"));
    let _ =
        relay_until(&relay, &host, |of| of("parked{key_host=localhost}") == 0.0 && of("parked_lost_total{why=authority-replaced}") == 4.0);
    assert!(!may(&relay, &renewed, &host), "a stolen certificate lets in still");
    assert!(may(&relay, &renewed, &renewed));
}

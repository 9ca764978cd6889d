//! Python-tuf makes role metadata that we read, and accepts our signatures of it.

use super::helpers::{hex, python, unhex};
use chancery_formats::ed25519::PublicKey;
use chancery_formats::tuf::{Metadata, Role, key_id, signature_hex};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

#[test]
fn python_tuf_accepts_our_signatures_of_the_roles_it_makes() {
    if super::skipped("python-tuf") {
        return;
    }
    let public = PublicKey::from_bytes(key(1).verifying_key().as_bytes()).unwrap();
    let id = key_id(&public);
    let made = python("tuf_roles.py", &json!([{ "make": hex(public.as_bytes()) }]));
    assert_eq!(made[0]["keyid"].as_str(), Some(id.as_str()), "the id of a key");
    let roles: Vec<_> = made[0]["roles"].as_array().unwrap().iter().map(|role| unhex(role[1].as_str().unwrap())).collect();
    let mut cases = Vec::new();
    let mut expected = Vec::new();
    for (role, bytes) in made[0]["roles"].as_array().unwrap().iter().zip(&roles) {
        let read = Metadata::parse(bytes).unwrap();
        assert_eq!(read.role.name(), role[0].as_str().unwrap());
        assert_eq!(read.expires.as_str(), "2031-02-03T04:05:06Z");
        assert_eq!(read.expires.seconds(), 1_927_857_906);
        check_facts(&read);
        let text = std::str::from_utf8(bytes).unwrap();
        let mut case = |signed: &str, seed, good: bool| {
            let signature = signature_hex(&key(seed).sign(bytes).to_bytes());
            cases.push(json!({ "root": std::str::from_utf8(&roles[0]).unwrap(), "signed": signed, "sig": signature, "keyid": id }));
            expected.push(good);
        };
        case(text, 1, true);
        case(text, 2, false);
        case(&text.replace("2031-02-03T04:05:06Z", "2031-02-03T04:05:07Z"), 1, false);
    }
    assert_eq!((cases.len(), python("tuf_roles.py", &json!(cases))), (12, json!(expected)));
}

fn check_facts(read: &Metadata<'_>) {
    match &read.role {
        Role::Root(root) => {
            assert_eq!((read.version, root.consistent_snapshot, root.keys.len(), root.roles.len()), (4, Some(true), 1, 4));
            assert!(root.keys[0].id_is_digest && root.roles.iter().all(|role| role.threshold == 1 && role.key_ids.len() == 1));
        }
        Role::Timestamp(file) => assert_eq!((read.version, file.version), (8, Some(7))),
        Role::Snapshot(files) => {
            assert_eq!((read.version, files.len(), files[1].length, files[1].digests.len()), (7, 2, Some(4), 1));
        }
        Role::Targets(targets) => {
            assert_eq!((read.version, targets.files.len(), targets.delegations.len()), (6, 20, 1));
            assert_eq!(targets.files[0].name, "releases/é \"0\"\\.tar");
            assert_eq!(targets.files[0].digests.iter().map(|d| d.algorithm.as_ref()).collect::<Vec<_>>(), ["sha256", "sha512"]);
            assert_eq!(targets.delegations[0].paths, ["nightly/*"]);
        }
    }
}

#[test]
fn securesystemslib_says_the_same_of_what_is_canonical() {
    if super::skipped("python-tuf") {
        return;
    }
    let values = [
        "0",
        "-1",
        "-0",
        "01",
        "1.0",
        "1e2",
        "true",
        "True",
        "null",
        "[]",
        "[ ]",
        "[1,2]",
        "[1, 2]",
        "[1,]",
        "{}",
        "{\"a\":1,\"b\":2}",
        "{\"b\":1,\"a\":2}",
        "{\"a\":1,\"a\":2}",
        "{\"B\":1,\"a\":2}",
        "{\"a\":1,\"B\":2}",
        "{\"é\":1,\"z\":2}",
        "{\"z\":1,\"é\":2}",
        "{\"\u{ffff}\":1,\"\u{10000}\":2}",
        "{\"\u{10000}\":1,\"\u{ffff}\":2}",
        "\"\\\"\\\\\"",
        "\"\\/\"",
        "\"\\n\"",
        "\"\n\"",
        "\"\\u00e9\"",
        "\"é\"",
        "\"/\"",
        "1 ",
        " 1",
        "",
        "9223372036854775807",
        "{\"a\\\"\":1,\"a#\":2}",
        "{\"a#\":1,\"a\\\"\":2}",
        "{\"a\\\\\":1,\"a]\":2}",
        "[[[[[]]]]]",
        "\"",
        "[",
        "NaN",
    ];
    let texts = values.map(|value| {
        format!(
            "{{\"_type\":\"timestamp\",\"expires\":\"2030-01-01T00:00:00Z\",\"meta\":{{\"snapshot.json\":{{\"version\":1}}}},\
             \"spec_version\":\"1.0.31\",\"version\":1,\"x\":{value}}}"
        )
    });
    let answers = python("tuf_roles.py", &Value::from_iter(texts.iter().map(|text| json!({ "canonical": text }))));
    for ((text, value), answer) in texts.iter().zip(values).zip(answers.as_array().unwrap()) {
        assert_eq!(Metadata::parse(text.as_bytes()).is_ok(), answer.as_bool().unwrap(), "{value:?}");
    }
}

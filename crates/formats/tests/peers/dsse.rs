//! Securesystemslib, in-toto and sigstore check our envelopes, and we check securesystemslib's.

use super::helpers::{hex, node, python};
use chancery_formats::dsse::{Envelope, PAYLOAD_TYPE, Statement, Subject, bundle_json, envelope_json};
use chancery_formats::ed25519::PublicKey;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};

const RELEASE: &str = "https://example.org/release/v1";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn statement() -> Statement {
    let subject = |name: &str, sha512| Subject { name: name.to_owned(), sha256: [0x1f; 32], sha512 };
    let subjects = vec![subject("a \"quoted\" \\ é \u{2028}.tar", None), subject("b", Some([0xe2; 64]))];
    let predicate = [("release", "stable \"1\""), ("version", "1.0")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    Statement::new(subjects, RELEASE, predicate.into()).unwrap()
}

/// Changes one bit of the payload in an envelope, in its base64 form.
fn with_changed_payload(envelope: &str) -> String {
    let at = envelope.find("\"payload\":\"").unwrap() + 40;
    let mut bytes = envelope.as_bytes().to_vec();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    String::from_utf8(bytes).unwrap()
}

#[test]
fn securesystemslib_and_in_toto_read_our_statements() {
    if super::skipped("python-tuf") {
        return;
    }
    let statement = statement();
    let signature = key(1).sign(&statement.pae()).to_bytes();
    let envelope = envelope_json(&statement, "the-key", &signature).unwrap();
    let case =
        |envelope: &str, seed: u8| json!({ "envelope": envelope, "public": hex(key(seed).verifying_key().as_bytes()), "keyid": "the-key" });
    let other_type = envelope.replace(PAYLOAD_TYPE, "application/vnd.in-toto+jsom");
    let shortened = envelope_json(&statement, "the-key", &key(1).sign(&statement.pae()[..40]).to_bytes()).unwrap();
    let cases =
        [case(&envelope, 1), case(&with_changed_payload(&envelope), 1), case(&envelope, 2), case(&other_type, 1), case(&shortened, 1)];
    let expected = json!({
        "type": PAYLOAD_TYPE,
        "predicate_type": RELEASE,
        "predicate": { "release": "stable \"1\"", "version": "1.0" },
        "subjects": [
            ["a \"quoted\" \\ é \u{2028}.tar", { "sha256": "1f".repeat(32) }],
            ["b", { "sha256": "1f".repeat(32), "sha512": "e2".repeat(64) }],
        ],
    });
    assert_eq!(python("dsse.py", &json!(cases)), json!([expected, null, null, null, null]));
}

#[test]
fn we_believe_the_envelopes_of_securesystemslib() {
    if super::skipped("python-tuf") {
        return;
    }
    let case = json!([{ "payload": statement().to_json(), "private": hex(&[3; 32]) }]);
    let answer = python("dsse.py", &case);
    let envelope = Envelope::parse(answer[0].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(envelope.verify(key(3).verifying_key().as_bytes()), Ok(statement()));
    assert!(envelope.verify(key(1).verifying_key().as_bytes()).is_err(), "another key");
}

#[test]
fn sigstore_believes_our_bundles() {
    if super::skipped("npm") {
        return;
    }
    let statement = statement();
    let signature = key(1).sign(&statement.pae()).to_bytes();
    let bundle = bundle_json(&statement, "the-key", &signature).unwrap();
    let mut wrong = signature;
    wrong[3] ^= 1;
    let spki = |seed| hex(&PublicKey::from_bytes(key(seed).verifying_key().as_bytes()).unwrap().to_spki_der());
    let case = |bundle: &str, hint: &str, seed| json!({ "bundle": bundle, "hint": hint, "spki": spki(seed) });
    let cases = json!([
        case(&bundle, "the-key", 1),
        case(&with_changed_payload(&bundle), "the-key", 1),
        case(&bundle, "the-key", 2),
        case(&bundle, "another-key", 1),
        case(&bundle_json(&statement, "the-key", &wrong).unwrap(), "the-key", 1),
    ]);
    let answers = node("sigstore.js", &cases);
    let answers = answers.as_array().unwrap();
    assert_eq!(answers[0], Value::Null);
    assert!(answers[1..].iter().all(Value::is_string) && answers.len() == 5, "{answers:?}");
}

use super::*;
use crate::vectors::signing_key;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use ed25519_dalek::Signer;
use proptest::prelude::*;
use std::collections::BTreeMap;

const RELEASE: &str = "https://example.org/release/v1";

fn subject(name: &str) -> Subject {
    Subject { name: name.to_owned(), sha256: [0xab; 32], sha512: None }
}

fn predicate(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn statement() -> Statement {
    let both = Subject { sha512: Some([1; 64]), ..subject("b \"quoted\" \\ é") };
    Statement::new(vec![subject("a.tar"), both], RELEASE, predicate(&[("version", "1.0"), ("release", "stable")])).unwrap()
}

fn sign(bytes: &[u8]) -> [u8; 64] {
    signing_key('A').sign(bytes).to_bytes()
}

fn public_key() -> [u8; 32] {
    signing_key('A').verifying_key().to_bytes()
}

#[test]
fn a_statement_has_exactly_one_form() {
    let expected = format!(
        r#"{{"_type":"https://in-toto.io/Statement/v1","subject":[{{"name":"a.tar","digest":{{"sha256":"{}"}}}},{{"name":"b \"quoted\" \\ é","digest":{{"sha256":"{}","sha512":"{}"}}}}],"predicateType":"{RELEASE}","predicate":{{"release":"stable","version":"1.0"}}}}"#,
        "ab".repeat(32),
        "ab".repeat(32),
        "01".repeat(64)
    );
    assert_eq!(statement().to_json(), expected);
    assert_eq!(Statement::parse(expected.as_bytes()).unwrap(), statement());
    for (from, to) in [
        (":[", ": ["),
        ("Statement/v1", "Statement/v0.1"),
        ("\"release\":\"stable\",\"version\":\"1.0\"", "\"version\":\"1.0\",\"release\":\"stable\""),
        ("\"release\":\"stable\"", "\"release\":\"stable\",\"release\":\"stable\""),
        ("\"release\":\"stable\"", "\"release\":1"),
        ("é", "\\u00e9"),
        ("abab", "ABAB"),
        ("abab", "ab"),
        ("\"sha256\"", "\"sha1\":\"\",\"sha256\""),
        ("}}", "}} "),
    ] {
        assert!(expected.contains(from), "{from}");
        assert_eq!(Statement::parse(expected.replacen(from, to, 1).as_bytes()), Err(StatementError::Form), "{from} -> {to}");
    }
}

#[test]
fn a_statement_of_unusable_parts_is_refused() {
    let make = |subjects, predicate_type: &str, fields: &[(&str, &str)]| Statement::new(subjects, predicate_type, predicate(fields));
    let one = || vec![subject("a")];
    let numbered = |count: usize| (0..count).map(|n| subject(&n.to_string())).collect::<Vec<_>>();
    assert_eq!(make(vec![], RELEASE, &[]), Err(StatementError::SubjectCount { found: 0 }));
    assert!(make(numbered(1024), RELEASE, &[]).is_ok());
    assert_eq!(make(numbered(1025), RELEASE, &[]), Err(StatementError::SubjectCount { found: 1025 }));
    assert_eq!(make(vec![subject("a"), subject("b"), subject("a")], RELEASE, &[]), Err(StatementError::SubjectTwice { index: 2 }));
    for name in ["", "a\nb", "a\u{85}", "\0", &"x".repeat(1025)] {
        assert_eq!(make(vec![subject("a"), subject(name)], RELEASE, &[]), Err(StatementError::SubjectName { index: 1 }), "{name:?}");
    }
    for good in ["https://slsa.dev/provenance/v1", "urn:x", "a+b:c%20d"] {
        assert!(make(one(), good, &[]).is_ok(), "{good}");
    }
    for bad in [
        "",
        "release/v1",
        ":x",
        "https:",
        "1a:b",
        "https://a b",
        "https://é",
        "https://a%2",
        "https://a\"",
        &format!("a:{}", "b".repeat(1023)),
    ] {
        assert_eq!(make(one(), bad, &[]), Err(StatementError::PredicateType), "{bad}");
    }
    for bad in [("", "x"), ("a b", "x"), ("a", "x\ny"), (&"a".repeat(65), ""), ("a", &"x".repeat(1025))] {
        assert_eq!(make(one(), RELEASE, &[bad]), Err(StatementError::Predicate), "{bad:?}");
    }
    let fields = (0..65).map(|n| (format!("f{n}"), String::new())).collect();
    assert_eq!(Statement::new(one(), RELEASE, fields), Err(StatementError::Predicate));
}

#[test]
fn what_is_signed_says_what_it_is() {
    // protocol.md, "Test Vectors".
    assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    assert_eq!(pae("é", b""), "DSSEv1 2 é 0 ".as_bytes(), "lengths are counted in bytes");
    let json = statement().to_json();
    assert_eq!(statement().pae(), format!("DSSEv1 28 application/vnd.in-toto+json {} {json}", json.len()).into_bytes());
}

#[test]
fn an_envelope_is_believed_for_its_key_and_payload_only() {
    let signature = sign(&statement().pae());
    let text = envelope_json(&statement(), "key-1", &signature).unwrap();
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    assert_eq!(envelope.signatures, [EnvelopeSignature { key_id: "key-1".to_owned(), signature: signature.to_vec() }]);
    assert_eq!(envelope.verify(&public_key()), Ok(statement()));
    assert_eq!(envelope.verify(signing_key('B').verifying_key().as_bytes()), Err(EnvelopeError::Signature));
    let bundle = bundle_json(&statement(), "key-1", &signature).unwrap();
    assert_eq!(Envelope::parse_bundle(bundle.as_bytes()).as_ref(), Ok(&envelope));
    assert_eq!(Envelope::parse_bundle(bundle.replace("v0.3", "v0.2").as_bytes()), Err(EnvelopeError::MediaType));

    let mut changed = envelope.clone();
    changed.payload[20] ^= 1;
    assert_eq!(changed.verify(&public_key()), Err(EnvelopeError::Signature));
    let changed = Envelope { payload_type: "application/json".to_owned(), ..envelope.clone() };
    assert_eq!(changed.verify(&public_key()), Err(EnvelopeError::Signature));
    let mut short = envelope.clone();
    short.signatures[0].signature.pop();
    assert_eq!(short.verify(&public_key()), Err(EnvelopeError::Signature));
    let mut among_others = envelope;
    among_others.signatures.insert(0, EnvelopeSignature { key_id: String::new(), signature: b"of another kind".to_vec() });
    assert_eq!(among_others.verify(&public_key()), Ok(statement()));
}

#[test]
fn what_is_signed_but_no_statement_is_not_used() {
    let signed = |payload_type: &str, payload: &[u8]| {
        let signature = EnvelopeSignature { key_id: String::new(), signature: sign(&pae(payload_type, payload)).to_vec() };
        Envelope { payload_type: payload_type.to_owned(), payload: payload.to_vec(), signatures: vec![signature] }.verify(&public_key())
    };
    assert_eq!(signed("text/plain", b"hello"), Err(EnvelopeError::PayloadType));
    assert_eq!(signed(PAYLOAD_TYPE, b"{}"), Err(EnvelopeError::Statement(StatementError::Form)));
    assert_eq!(signed(PAYLOAD_TYPE, statement().to_json().as_bytes()), Ok(statement()));
}

#[test]
fn envelopes_are_read_as_the_specification_has_them() {
    let payload = statement().to_json();
    let (standard, url_safe) = (STANDARD.encode([0xff; 64]), URL_SAFE.encode([0xff; 64]));
    let text = format!(
        r#" {{ "signatures" : [ {{"sig":"{standard}","extension":{{}}}}, {{"sig":"{url_safe}","keyid":"\u006b"}} ], "more": [1.5],
        "payloadType":"x", "payload":"{}"}} "#,
        URL_SAFE.encode(&payload)
    );
    let read = Envelope::parse(text.as_bytes()).unwrap();
    assert_eq!((read.payload, read.payload_type), (payload.into_bytes(), "x".to_owned()));
    assert_eq!(read.signatures.iter().map(|s| s.key_id.as_str()).collect::<Vec<_>>(), ["", "k"]);
    assert!(read.signatures.iter().all(|s| s.signature == [0xff; 64]));

    let parse = |text: &str| Envelope::parse(text.as_bytes());
    assert_eq!(parse(r#"{"payload":"","payloadType":"","signatures":[]}"#), Err(EnvelopeError::SignatureCount { found: 0 }));
    let many = vec![r#"{"sig":""}"#; 65].join(",");
    let text = format!(r#"{{"payload":"","payloadType":"","signatures":[{many}]}}"#);
    assert_eq!(parse(&text), Err(EnvelopeError::SignatureCount { found: 65 }));
    for bad in ["=", "YQ", "YR==", "YQ==\\n", "+-=="] {
        let text = format!(r#"{{"payload":"{bad}","payloadType":"","signatures":[{{"sig":""}}]}}"#);
        assert_eq!(parse(&text), Err(EnvelopeError::Base64), "{bad}");
    }
    for bad in [
        "",
        "[]",
        r#"["","",[{"sig":""}]]"#,
        r#"{"payload":"","payloadType":"","signatures":[[""]]}"#,
        r#"{"payload":"","payloadType":""}"#,
        r#"{"payload":"","payload":"","payloadType":"","signatures":[{"sig":""}]}"#,
        r#"{"payload":"","payloadType":"","signatures":[{"sig":"","sig":""}]}"#,
        r#"{"payload":"","payloadType":"","signatures":[{"keyid":""}]}"#,
        r#"{"payload":"","payloadType":"","signatures":[{"sig":""}]}x"#,
    ] {
        assert!(matches!(parse(bad), Err(EnvelopeError::Json { .. })), "{bad}");
    }
    let deep = format!(r#"{{"x":{}"#, "[".repeat(100_000));
    assert!(matches!(parse(&deep), Err(EnvelopeError::Json { .. })));
    assert_eq!(parse(&" ".repeat(8 * 1024 * 1024 + 1)), Err(EnvelopeError::Size));
    assert_eq!(parse("{\n\"payload\": 1").unwrap_err().to_string(), "not a DSSE envelope: line 2, column 12 is not as expected");
}

#[test]
fn key_ids_are_short_and_printable() {
    for bad in ["", "a b", "é", &"x".repeat(256)] {
        assert_eq!(envelope_json(&statement(), bad, &[0; 64]), Err(EnvelopeError::KeyId), "{bad}");
        assert_eq!(bundle_json(&statement(), bad, &[0; 64]), Err(EnvelopeError::KeyId), "{bad}");
    }
    let text = envelope_json(&statement(), "a\"\\b", &[0; 64]).unwrap();
    assert_eq!(Envelope::parse(text.as_bytes()).unwrap().signatures[0].key_id, "a\"\\b");
}

proptest! {
    #[test]
    fn strings_are_what_other_readers_of_json_read(text in ".*\\PC*[\\x00-\\x7f]*") {
        let mut out = String::new();
        json::put_string(&mut out, &text);
        prop_assert_eq!(serde_json::from_str::<String>(&out).unwrap(), text);
    }

    #[test]
    fn statements_are_read_back(names in proptest::collection::btree_set("\\PC{1,20}", 1..5), fields in proptest::collection::btree_map("[a-z._-]{1,9}", "\\PC{0,20}", 0..5),
        long in any::<bool>()) {
        let subjects = names.into_iter().map(|name| Subject { name, sha256: [3; 32], sha512: long.then_some([4; 64]) }).collect();
        let statement = Statement::new(subjects, RELEASE, fields).unwrap();
        prop_assert_eq!(Statement::parse(statement.to_json().as_bytes()), Ok(statement.clone()));
        let text = bundle_json(&statement, "k", &sign(&statement.pae())).unwrap();
        prop_assert_eq!(Envelope::parse_bundle(text.as_bytes()).unwrap().verify(&public_key()), Ok(statement));
    }

    #[test]
    fn a_changed_envelope_is_never_another_statement(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut text = envelope_json(&statement(), "key", &sign(&statement().pae())).unwrap().into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if let Ok(read) = Envelope::parse(&text).and_then(|envelope| envelope.verify(&public_key())) {
            prop_assert_eq!(read, statement());
        }
    }
}

use super::*;
use crate::content::{ContentError, ContentFault, Document};
use crate::vectors::signing_key;
use proptest::prelude::*;

const EXPIRES: &str = "2030-01-02T03:04:05Z";

fn timestamp() -> String {
    format!(
        r#"{{"_type":"timestamp","expires":"{EXPIRES}","meta":{{"snapshot.json":{{"version":7}}}},"spec_version":"1.0.31","version":3}}"#
    )
}

fn snapshot() -> String {
    let hash = "ab".repeat(32);
    let meta = format!(r#"{{"a.json":{{"hashes":{{"sha256":"{hash}"}},"length":9,"version":1}},"targets.json":{{"version":2}}}}"#);
    format!(r#"{{"_type":"snapshot","expires":"{EXPIRES}","meta":{meta},"spec_version":"1.0","version":3}}"#)
}

fn public_key() -> PublicKey {
    PublicKey::from_bytes(signing_key('A').verifying_key().as_bytes()).unwrap()
}

fn root() -> String {
    let (id, key) = (key_id(&public_key()), key_json(&public_key()));
    let role = format!(r#"{{"keyids":["{id}"],"threshold":1}}"#);
    let roles = format!(r#"{{"root":{role},"snapshot":{role},"targets":{role},"timestamp":{role}}}"#);
    let pem = r#"{"keytype":"rsa","keyval":{"public":"-----BEGIN PUBLIC KEY-----
AAAA"},"scheme":"rsassa-pss-sha256"}"#;
    format!(
        r#"{{"_type":"root","consistent_snapshot":true,"expires":"{EXPIRES}","keys":{{"{id}":{key},"~old":{pem}}},"roles":{roles},"spec_version":"1.0.31","version":1,"x-more":[1,null,{{}}]}}"#
    )
}

fn targets() -> String {
    let (id, key) = (key_id(&public_key()), key_json(&public_key()));
    let hash = "01".repeat(64);
    let role = format!(r#"{{"keyids":["{id}"],"name":"nightly","paths":["nightly/*"],"terminating":true,"threshold":1}}"#);
    let delegations = format!(r#"{{"keys":{{"{id}":{key}}},"roles":[{role}]}}"#);
    let files = format!(r#"{{"a \"b\" \\.tar":{{"custom":{{"n":-1}},"hashes":{{"sha512":"{hash}"}},"length":0}}}}"#);
    format!(
        r#"{{"_type":"targets","delegations":{delegations},"expires":"{EXPIRES}","spec_version":"1.0.31","targets":{files},"version":12}}"#
    )
}

fn fault(text: &[u8]) -> (Fault, usize) {
    match Metadata::parse(text).unwrap_err() {
        ContentError { document: Document::Tuf, fault: ContentFault::Tuf(fault), offset } => (fault, offset),
        other => panic!("{other}"),
    }
}

#[test]
fn each_role_says_what_it_is_for() {
    let (text, id) = (root(), key_id(&public_key()));
    let read = Metadata::parse(text.as_bytes()).unwrap();
    assert_eq!((read.version, read.spec_version.as_ref(), read.expires.seconds()), (1, "1.0.31", 1_893_553_445));
    let Role::Root(root) = &read.role else { panic!("{read:?}") };
    assert_eq!((read.role.name(), root.consistent_snapshot), ("root", Some(true)));
    let keys: Vec<_> = root.keys.iter().map(|k| (k.id.as_ref(), k.id_is_digest, k.key_type.as_ref(), k.scheme.as_ref())).collect();
    assert_eq!(keys, [(id.as_str(), true, "ed25519", "ed25519"), ("~old", false, "rsa", "rsassa-pss-sha256")]);
    assert_eq!(
        root.roles.iter().map(|r| (r.name.as_ref(), r.threshold)).collect::<Vec<_>>(),
        ["root", "snapshot", "targets", "timestamp"].map(|r| (r, 1))
    );

    let text = targets();
    let read = Metadata::parse(text.as_bytes()).unwrap();
    let Role::Targets(targets) = &read.role else { panic!("{read:?}") };
    assert_eq!((targets.files[0].name.as_ref(), targets.files[0].length), ("a \"b\" \\.tar", Some(0)));
    assert_eq!((targets.files[0].digests[0].algorithm.as_ref(), targets.files[0].digests[0].hex.len()), ("sha512", 128));
    assert_eq!(
        (targets.delegations[0].role.name.as_ref(), targets.delegations[0].paths.as_slice()),
        ("nightly", ["nightly/*".into()].as_slice())
    );

    let text = timestamp();
    let read = Metadata::parse(text.as_bytes()).unwrap();
    let Role::Timestamp(file) = &read.role else { panic!("{read:?}") };
    assert_eq!((file.name.as_ref(), file.version, read.role.name()), ("snapshot.json", Some(7), "timestamp"));
    let text = snapshot();
    let read = Metadata::parse(text.as_bytes()).unwrap();
    let Role::Snapshot(files) = &read.role else { panic!("{read:?}") };
    assert_eq!(
        files.iter().map(|f| (f.version, f.length, f.digests.len())).collect::<Vec<_>>(),
        [(Some(1), Some(9), 1), (Some(2), None, 0)]
    );
}

#[test]
fn only_the_canonical_form_is_read() {
    let good = timestamp();
    let at = |text: &str| good.find(text).unwrap();
    for (from, to, expected) in [
        ("\"expires\":", "\"expires\": ", (Fault::Syntax, at("\"2030"))),
        (",\"meta\"", ", \"meta\"", (Fault::Syntax, at("\"meta\""))),
        ("\"version\":3", "\"version\":03", (Fault::Integer, at("3}"))),
        ("\"version\":3", "\"version\":+3", (Fault::Syntax, at("3}"))),
        ("\"version\":3", "\"version\":3.0", (Fault::Integer, at("3}"))),
        ("\"version\":3", "\"version\":3e0", (Fault::Integer, at("3}"))),
        ("\"version\":3", "\"version\":-0", (Fault::Integer, at("3}"))),
        ("\"version\":3", "\"version\":9223372036854775808", (Fault::Integer, at("3}"))),
        ("\"version\":3", "\"version\":0", (Fault::Range, at("3}"))),
        ("\"version\":3", "\"version\":-3", (Fault::Range, at("3}"))),
        ("\"version\":3", "\"version\":\"3\"", (Fault::Field { name: "version" }, at("3}"))),
        ("\"version\":3", "\"version\":3,\"version\":3", (Fault::KeyOrder, at("3}") + 2)),
        ("\"version\":3", "\"version\":3,\"a\":3", (Fault::KeyOrder, at("3}") + 2)),
        ("\"version\":3", "\"version\":3,", (Fault::Syntax, at("3}") + 2)),
        ("\"version\":3", "\"version\":3,\"x\":NaN", (Fault::Syntax, at("3}") + 6)),
        ("\"version\":3", "\"version\":3,\"x\":\"\\u0041\"", (Fault::Text, at("3}") + 8)),
        ("\"version\":3", "\"version\":3,\"x\":\"\\/\"", (Fault::Text, at("3}") + 8)),
        ("\"version\":3", "\"version\":3,\"x\":\"\t\"", (Fault::Text, at("3}") + 7)),
        ("\"version\":3}", "\"version\":3}\n", (Fault::Syntax, good.len())),
        ("\"version\":3}", "\"version\":3", (Fault::Syntax, good.len() - 1)),
        (",\"spec_version\":\"1.0.31\"", "", (Fault::Field { name: "spec_version" }, 0)),
    ] {
        assert!(good.contains(from), "{from}");
        assert_eq!(fault(good.replacen(from, to, 1).as_bytes()), expected, "{from} -> {to}");
    }
    assert_eq!(fault(&[&good.as_bytes()[..10], b"\xff", &good.as_bytes()[10..]].concat()), (Fault::Text, 10));
    let nested =
        |depth: usize| good.replacen("\"version\":3", &format!("\"version\":3,\"x\":{}{}", "[".repeat(depth), "]".repeat(depth)), 1);
    assert!(Metadata::parse(nested(31).as_bytes()).is_ok());
    assert_eq!(fault(nested(32).as_bytes()).0, Fault::Depth);
    assert_eq!(fault(nested(100_000).as_bytes()).0, Fault::Depth);
    let many = format!("{good}[{}", "1,".repeat(200_000)).replacen("3}[", "3,\"x\":[", 1);
    assert_eq!(fault(many.as_bytes()).0, Fault::TooMany);
    assert_eq!(fault(&vec![b' '; MAX_METADATA + 1]), (Fault::Size, MAX_METADATA));
}

#[test]
fn what_clients_would_not_use_is_refused() {
    let hash = "ab".repeat(32);
    let id = key_id(&public_key());
    for (text, from, to, expected) in [
        (timestamp(), "timestamp", "mirrors", Fault::Role),
        (timestamp(), "{\"_type", "{\"A\":1,\"_type", Fault::Role),
        (timestamp(), "1.0.31", "2.0", Fault::SpecVersion),
        (timestamp(), "1.0.31", "1", Fault::SpecVersion),
        (timestamp(), "1.0.31", "1.0.0.1", Fault::SpecVersion),
        (timestamp(), "05Z", "05", Fault::Expires),
        (timestamp(), "2030-01-02", "2030-02-29", Fault::Expires),
        (timestamp(), "snapshot.json", "targets.json", Fault::MetaFiles),
        (timestamp(), "{\"version\":7}", "{\"version\":7},\"z.json\":{\"version\":1}", Fault::MetaFiles),
        (timestamp(), "{\"version\":7}", "{}", Fault::Field { name: "version" }),
        (snapshot(), "targets.json", "others.json", Fault::MetaFiles),
        (snapshot(), "a.json", "a.txt", Fault::MetaFiles),
        (snapshot(), hash.as_str(), "AB", Fault::Digest),
        (snapshot(), "\"length\":9", "\"length\":-9", Fault::Range),
        (root(), "\"threshold\":1", "\"threshold\":2", Fault::Roles),
        (root(), "\"threshold\":1", "\"threshold\":0", Fault::Range),
        (root(), "\"timestamp\":", "\"timestamps\":", Fault::Roles),
        (root(), "\"timestamp\":", "\"tuf\":", Fault::Roles),
        (root(), "[\"", "[\"~old\",\"~old\",\"", Fault::KeyId),
        (root(), "[\"", "[\"unknown\",\"", Fault::KeyId),
        (root(), "~old", "~ old", Fault::KeyId),
        (root(), "\"scheme\":\"ed25519\"", "\"scheme\":1", Fault::Field { name: "scheme" }),
        (targets(), "a \\\"b", "a\nb", Fault::Name),
        (targets(), "\"length\":0", "\"length\":null", Fault::Field { name: "length" }),
        (targets(), "sha512", "sha256", Fault::Digest),
        (targets(), "\"nightly\"", "\"targets\"", Fault::Roles),
        (targets(), &format!("\"keyids\":[\"{id}\"]"), "\"keyids\":[]", Fault::Roles),
    ] {
        assert!(text.contains(from), "{from}");
        assert_eq!(fault(text.replacen(from, to, 1).as_bytes()).0, expected, "{from} -> {to}");
    }
    let without = targets().replace(&format!("{{\"sha512\":\"{}\"}}", "01".repeat(64)), "{}");
    assert_eq!(fault(without.as_bytes()).0, Fault::Digest);
    let error = Metadata::parse(b"{}").unwrap_err();
    assert_eq!(error.to_string(), "the TUF metadata does not begin with the type of a TUF role at byte 0");
}

#[test]
fn succinct_delegations_are_read() {
    let (id, key) = (key_id(&public_key()), key_json(&public_key()));
    let succinct = format!(r#"{{"bit_length":8,"keyids":["{id}"],"name_prefix":"bins","threshold":1}}"#);
    let text = format!(
        r#"{{"_type":"targets","delegations":{{"keys":{{"{id}":{key}}},"succinct_roles":{succinct}}},"expires":"{EXPIRES}","spec_version":"1.0.31","targets":{{}},"version":12}}"#
    );
    let Role::Targets(targets) = Metadata::parse(text.as_bytes()).unwrap().role else { panic!("{text}") };
    assert_eq!((targets.delegations[0].role.name.as_ref(), targets.delegations[0].paths.len()), ("bins", 0));
}

#[test]
fn times_of_expiry_are_times_of_the_calendar() {
    for (text, seconds) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2000-02-29T00:00:00Z", 951_782_400),
        ("2000-03-01T00:00:00Z", 951_868_800),
        ("2024-12-31T23:59:59Z", 1_735_689_599),
        ("9999-12-31T23:59:59Z", 253_402_300_799),
    ] {
        let read = Expiry::parse(text).unwrap();
        assert_eq!((read.seconds(), read.as_str()), (seconds, text));
    }
    for bad in [
        "",
        "1969-12-31T23:59:59Z",
        "2100-02-29T00:00:00Z",
        "2030-04-31T00:00:00Z",
        "2030-00-01T00:00:00Z",
        "2030-13-01T00:00:00Z",
        "2030-01-00T00:00:00Z",
        "2030-01-01T24:00:00Z",
        "2030-01-01T00:60:00Z",
        "2030-01-01T00:00:60Z",
        "2030-01-01T00:00:00+00:00",
        "2030-01-01T00:00:00.5Z",
        "2030-01-01t00:00:00z",
        "2030-1-01T00:00:00Z",
        "2030-01-01 00:00:00Z",
        "2030-01-01T00-00-00Z",
        "2030-01-01T00:00Z",
        "+203-01-01T00:00:00Z",
    ] {
        assert_eq!(Expiry::parse(bad), None, "{bad}");
    }
}

#[test]
fn the_id_of_a_key_is_the_digest_of_its_canonical_json() {
    let digits = public_key().as_bytes().iter().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(key_json(&public_key()), format!(r#"{{"keytype":"ed25519","keyval":{{"public":"{digits}"}},"scheme":"ed25519"}}"#));
    assert_eq!(key_id(&public_key()).len(), 64);
    assert_eq!(signature_hex(&[0xa0; 64]), "a0".repeat(64));
}

/// JSON as securesystemslib writes it, with all that may stand in a string.
fn any_json() -> impl Strategy<Value = String> {
    let text = "([^\\p{Cc}\"\\\\]|\n|\\\\\\\\|\\\\\"){0,8}".prop_map(|text| format!("\"{text}\""));
    let leaf = prop_oneof![
        any::<i64>().prop_map(|n| n.to_string()),
        text,
        prop::sample::select(vec!["true", "false", "null"]).prop_map(str::to_owned)
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        let object = proptest::collection::btree_map("[a-z é]{0,5}", inner.clone(), 0..5)
            .prop_map(|members| format!("{{{}}}", members.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect::<Vec<_>>().join(",")));
        prop_oneof![proptest::collection::vec(inner, 0..5).prop_map(|items| format!("[{}]", items.join(","))), object]
    })
}

proptest! {
    #[test]
    fn unknown_fields_may_be_anything_canonical(json in any_json()) {
        let text = timestamp().replacen("\"version\":3", &format!("\"version\":3,\"x\":{json}"), 1);
        prop_assert!(Metadata::parse(text.as_bytes()).is_ok(), "{}", text);
    }

    #[test]
    fn any_bytes_are_read_or_refused_inside_them(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in any::<prop::sample::Index>()) {
        for bytes in [bytes.clone(), [br#"{"_type":""#.as_slice(), &bytes].concat()] {
            if let Err(error) = Metadata::parse(&bytes) {
                prop_assert!(error.offset <= bytes.len());
            }
        }
        let mut text = root().into_bytes();
        let at = at.index(text.len());
        text[at] = *bytes.first().unwrap_or(&0);
        if let Err(error) = Metadata::parse(&text) {
            prop_assert!(error.offset <= text.len());
        }
    }
}

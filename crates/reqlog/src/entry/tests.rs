use super::*;
use proptest::prelude::*;

fn token() -> impl Strategy<Value = Token> {
    "[A-Za-z0-9._/-]{1,64}".prop_map(|t| Token::new(&t).unwrap())
}

prop_compose! {
    fn leaf()(
        a in (proptest::option::of(token()), 0..3usize, proptest::option::of(any::<[u8; 32]>()), proptest::option::of(any::<[u8; 32]>())),
        b in (proptest::option::of(any::<u32>()), token(), proptest::option::of(any::<[u8; 32]>()), proptest::option::of(any::<[u8; 32]>())),
        c in (proptest::option::of(token()), proptest::option::of(any::<[u8; 16]>()), proptest::option::of(any::<[u8; 32]>())),
        d in (proptest::option::of(any::<[u8; 32]>()), 0..=MAX_TIME),
    ) -> Leaf {
        Leaf {
            construction: a.0,
            decision: [Decision::Permit, Decision::Deny, Decision::None][a.1],
            details: a.2.map(Hash),
            key: a.3,
            key_version: b.0,
            kind: b.1,
            policy: b.2,
            principal: b.3.map(Hash),
            reason: c.0,
            rid: c.1,
            subject: c.2.map(Hash),
            tbs: d.0,
            time: d.1,
        }
    }
}

fn full() -> Leaf {
    Leaf {
        construction: Some(Token::new("ostree-summary/ed25519").unwrap()),
        decision: Decision::Permit,
        details: Some(Hash([1; 32])),
        key: Some([2; 32]),
        key_version: Some(3),
        kind: Token::SIGN,
        policy: Some([4; 32]),
        principal: Some(Hash([5; 32])),
        reason: Some(Token::new("ok").unwrap()),
        rid: Some([6; 16]),
        subject: Some(Hash([7; 32])),
        tbs: Some([8; 32]),
        time: 1_763_856_000_123,
    }
}

proptest! {
    #[test]
    fn what_is_written_reads_back(leaf in leaf()) {
        prop_assert_eq!(Leaf::parse(&leaf.to_bytes()).unwrap(), leaf);
    }

    /// serde_json's map is sorted by key and its writer puts no spaces: the canonical form of RFC 8785 for our values.
    #[test]
    fn bytes_equal_those_of_serde_json(leaf in leaf()) {
        let bytes = leaf.to_bytes();
        let value: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&bytes).unwrap();
        let sorted: std::collections::BTreeMap<_, _> = value.into_iter().collect();
        prop_assert_eq!(serde_json::to_vec(&sorted).unwrap(), bytes.clone());
        prop_assert!(bytes.len() <= MAX_LEAF);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Leaf::parse(&bytes);
    }
}

#[test]
fn a_leaf_looks_like_the_documented_one() {
    let text = String::from_utf8(full().to_bytes()).unwrap();
    assert_eq!(
        text,
        r#"{"construction":"ostree-summary/ed25519","decision":"permit","details":"AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=","key":"0202020202020202020202020202020202020202020202020202020202020202","key_version":3,"kind":"sign","policy":"0404040404040404040404040404040404040404040404040404040404040404","principal":"BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=","reason":"ok","rid":"06060606060606060606060606060606","subject":"BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=","tbs":"0808080808080808080808080808080808080808080808080808080808080808","time":1763856000123,"v":1}"#
    );
    assert!(text.len() <= 700, "a full leaf stays small: {}", text.len());
    assert_eq!(Leaf::event(Token::STOP, Decision::None, 5).to_bytes(), br#"{"decision":"none","kind":"stop","time":5,"v":1}"#);
}

#[test]
fn other_spellings_are_refused() {
    let good = String::from_utf8(full().to_bytes()).unwrap();
    let refused = |text: String| Leaf::parse(text.as_bytes()).unwrap_err().to_string();
    assert!(refused(good.replace("\"kind\":", "\"kind\": ")).contains("canonical"));
    assert!(refused(good.replace("\"sign\"", "\"si\\u0067n\"")).contains("canonical"));
    assert!(refused(good.replace(r#""reason":"ok","#, "").replace(r#"{"con"#, r#"{"reason":"ok","con"#)).contains("canonical"));
    assert!(refused(good.replace(r#""v":1"#, r#""v":1,"w":1"#)).contains("known fields"));
    assert!(refused(good.replace(r#""v":1"#, r#""v":1,"v":1"#)).contains("known fields"));
    assert!(refused(good.replace(r#""v":1"#, r#""v":2,"w":1"#)).contains("version 2"));
    assert!(refused(good.replace(r#""v":1"#, r#""v":2"#)).contains("version 2"));
    assert!(refused(good.replace(r#""reason":"ok""#, r#""reason":null"#)).contains("canonical"));
    assert!(refused(good.replace(r#""ok""#, r#""""#)).contains("reason"));
    assert!(refused(good.replace(r#""ok""#, r#""o k""#)).contains("reason"));
    assert!(refused(good.replace("0404", "0A04")).contains("policy"));
    assert!(refused(good.replace("0404", "04")).contains("policy"));
    assert!(refused(good.replace("BQU=", "BQV=")).contains("principal"));
    assert!(refused(good.replace("permit", "allow")).contains("decision"));
    assert!(refused(good.replace("1763856000123", "9007199254740992")).contains("time"));
    assert!(refused(good.replace("1763856000123", "-1")).contains("known fields"));
    assert!(refused(format!("{good}\n")).contains("canonical"));
    assert!(refused(format!("{good}{}", " ".repeat(1000))).contains("at most"));
}

#[test]
fn codes_keep_to_their_alphabet() {
    assert!(Token::new(&"a".repeat(64)).is_ok());
    for bad in ["", "a b", "a\"", "a\\", "ä", "a\n", &"a".repeat(65)] {
        assert_eq!(Token::new(bad), Err(TokenError), "{bad:?}");
    }
}

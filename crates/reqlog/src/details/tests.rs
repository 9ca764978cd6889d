use super::*;
use proptest::prelude::*;

fn details(names: &[&str]) -> Details {
    let values: Vec<(&str, &[u8])> = names.iter().map(|n| (*n, n.as_bytes())).collect();
    Details::new(&values, &mut Salts::random(names.len()).unwrap()).unwrap()
}

/// The same root by the log's own tree code, so that any tlog implementation can check a disclosure.
fn tlog_root(details: &Details) -> Hash {
    let mut edge = chancery_tlog::Edge::new();
    for field in details.fields() {
        edge.push(field.commitment());
    }
    edge.root()
}

#[test]
fn the_commitment_is_the_tree_root_over_the_documented_leaf_bytes() {
    let field = Field::new("ref", [7; 32], b"main").unwrap();
    let mut leaf = b"\x03ref".to_vec();
    leaf.extend_from_slice(&[7; 32]);
    leaf.extend_from_slice(b"\0\0\0\x04main");
    assert_eq!(field.commitment(), chancery_tlog::leaf_hash(&leaf));
    for count in 0..10 {
        let names: Vec<String> = (0..count).map(|i| format!("field{i}")).collect();
        let details = details(&names.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(details.commitment(), tlog_root(&details), "{count} fields");
    }
}

#[test]
fn stored_bytes_and_commitment_are_those_of_the_vector() {
    let fields =
        vec![Field::new("subject", [2; 32], b"prod").unwrap(), Field::new("principal", [1; 32], b"spiffe://example.org/a").unwrap()];
    let mut details = Details::from_fields(fields).unwrap();
    let show = |d: &Details| d.encode().iter().map(|b| format!("{b:02x}")).collect::<String>();
    let open = show(&details);
    details.redact("principal");
    let text = format!("open {open}\nredacted {}\ncommitment {}\n", show(&details), details.commitment());
    assert_eq!(text, include_str!("../../../../tests/vectors/reqlog/details.txt"));
}

#[test]
fn fields_are_sorted_whatever_order_they_come_in() {
    let details = details(&["subject", "address", "principal"]);
    assert_eq!(details.fields().iter().map(Field::name).collect::<Vec<_>>(), ["address", "principal", "subject"]);
}

#[test]
fn a_field_can_be_shown_alone_and_only_with_its_true_value() {
    let details = details(&["a", "b", "c", "d", "e"]);
    let root = details.commitment();
    for name in ["a", "b", "c", "d", "e"] {
        let shown = details.disclose(name).unwrap();
        assert!(shown.verify(&root));
        let mut lie = shown.clone();
        lie.field = Field::new(name, *shown.field.salt().unwrap(), b"other").unwrap();
        assert!(!lie.verify(&root));
    }
    assert!(details.disclose("z").is_none());
}

#[test]
fn redaction_removes_salt_and_value_and_keeps_the_rest_provable() {
    let mut details = details(&["address", "principal", "subject"]);
    let root = details.commitment();
    let salt = *details.field("principal").unwrap().salt().unwrap();
    assert!(details.redact("principal"));
    assert!(!details.redact("nothing"));
    let stored = details.encode();
    assert!(!stored.windows(32).any(|w| w == salt), "the salt is gone from the stored bytes");
    let details = Details::decode(&stored).unwrap();
    assert_eq!(details.commitment(), root);
    assert!(details.disclose("principal").is_none());
    assert!(details.disclose("subject").unwrap().verify(&root));
}

#[test]
fn what_is_no_details_is_refused() {
    let field = |n: &str| Field::new(n, [0; 32], b"").unwrap();
    assert_eq!(Details::from_fields(vec![field("a"), field("a")]), Err(DetailsError::Duplicate));
    assert_eq!(Field::new("", [0; 32], b""), Err(DetailsError::TooBig));
    assert_eq!(Details::from_fields((0..65).map(|i| field(&format!("{i}"))).collect()), Err(DetailsError::TooBig));
    assert_eq!(Details::new(&[("a", b""), ("b", b"")], &mut Salts::random(1).unwrap()), Err(DetailsError::TooFewSalts));
    let stored = Details::from_fields(vec![field("a"), field("b")]).unwrap().encode();
    for cut in 0..stored.len() {
        assert_eq!(Details::decode(&stored[..cut]), Err(DetailsError::Malformed));
    }
    let longer = [stored.as_slice(), b"x"].concat();
    assert_eq!(Details::decode(&longer), Err(DetailsError::Malformed));
    let unsorted = [&[2][..], &[0, 1, b'b'], &[0; 36], &[0, 1, b'a'], &[0; 36]].concat();
    assert_eq!(Details::decode(&unsorted), Err(DetailsError::Malformed));
}

#[test]
fn no_salt_is_given_twice() {
    let mut salts = Salts::random(3).unwrap();
    let drawn: std::collections::HashSet<_> = std::iter::from_fn(|| salts.draw()).collect();
    assert_eq!(drawn.len(), 3);
}

proptest! {
    #[test]
    fn stored_details_read_back(values in proptest::collection::btree_map("[a-z]{1,8}", proptest::collection::vec(any::<u8>(), 0..40), 0..20)) {
        let list: Vec<(&str, &[u8])> = values.iter().map(|(n, v)| (n.as_str(), v.as_slice())).collect();
        let details = Details::new(&list, &mut Salts::random(list.len()).unwrap()).unwrap();
        prop_assert_eq!(Details::decode(&details.encode()).unwrap(), details);
    }

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Details::decode(&bytes);
    }
}

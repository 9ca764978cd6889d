use super::*;
use crate::testing::Key;
use chancery_formats::ostree::{ED25519_KEY, OPENPGP_KEY};

const SUMMARY: &[u8] = b"what the summary says now";

fn set(bytes: &[u8]) -> SignatureSet {
    let (set, dropped) = SignatureSet::parse(bytes).unwrap();
    assert!(dropped.is_empty(), "{dropped:?}");
    set
}

fn with_all(signatures: &[[u8; 64]]) -> Vec<u8> {
    let mut set = SignatureSet::new();
    signatures.iter().for_each(|s| set.put_ed25519(*s, Others::Keep));
    set.encode()
}

/// A file with a good OpenPGP signature, an entry of another program, and a signature of 63 bytes, which makes clients refuse it all.
fn vector(name: &str) -> Vec<u8> {
    std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/ostree/").to_owned() + name).unwrap()
}

#[test]
fn the_first_signature_makes_the_file_that_ostree_makes() {
    let key = Key::new("ostree");
    let ours = key.sign(SUMMARY);
    let merged = merge_summary(None, SUMMARY, &[Ours::Ed25519(ours)], &[key.pinned()]);
    assert_eq!((merged.bytes.len(), merged.kept), (95, 0));
    assert!(merged.bytes.starts_with(ED25519_KEY.as_bytes()));
    assert_eq!(set(&merged.bytes).ed25519(), [ours]);
}

#[test]
fn signatures_of_others_stay() {
    let (ours, other) = (Key::new("ostree"), Key::new("other"));
    let existing = with_all(&[other.sign(SUMMARY)]);
    let merged = merge_summary(Some(&existing), SUMMARY, &[Ours::Ed25519(ours.sign(SUMMARY))], &[ours.pinned()]);
    assert_eq!(set(&merged.bytes).ed25519(), [other.sign(SUMMARY), ours.sign(SUMMARY)]);
    assert_eq!(merged.kept, 1);
    assert_eq!(merged.dropped, Vec::<String>::new());
}

#[test]
fn openpgp_signatures_stay_to_the_byte() {
    let gpg = vector("gpg.sig");
    let merged = merge_commit(Some(&gpg), &[Ours::Ed25519([7; 64])]);
    let key = merged.bytes.windows(OPENPGP_KEY.len()).position(|w| w == OPENPGP_KEY.as_bytes());
    assert_eq!(key, Some(0));
    let packet = &gpg[16..gpg.len() - 8];
    assert!(merged.bytes.windows(packet.len()).any(|w| w == packet));
    assert_eq!(set(&merged.bytes).ed25519(), [[7; 64]]);
}

#[test]
fn a_signature_of_63_bytes_is_dropped_and_the_others_stay() {
    let merged = merge_commit(Some(&vector("ed-63-then-good.sig")), &[Ours::Ed25519([7; 64])]);
    assert_eq!((merged.kept, merged.dropped.len()), (1, 1));
    assert!(merged.dropped[0].contains("63 bytes instead of 64"), "{:?}", merged.dropped);
    assert_eq!(set(&merged.bytes).ed25519().len(), 2);
}

#[test]
fn a_file_that_no_client_can_read_is_replaced() {
    let merged = merge_commit(Some(b"no GVariant at all"), &[Ours::Ed25519([7; 64])]);
    assert_eq!(set(&merged.bytes).ed25519(), [[7; 64]]);
    assert!(merged.dropped[0].starts_with("the whole file"), "{:?}", merged.dropped);
}

#[test]
fn signing_again_changes_nothing() {
    let once = merge_commit(Some(&vector("both.sig")), &[Ours::Ed25519([7; 64])]).bytes;
    assert_eq!(merge_commit(Some(&once), &[Ours::Ed25519([7; 64])]).bytes, once);
}

#[test]
fn the_file_does_not_grow_for_ever() {
    let (key, other) = (Key::new("ostree"), Key::new("other"));
    let mut file = None;
    for version in 0..40_u8 {
        let summary = [version; 3];
        let first = with_all(&[other.sign(&summary)]);
        let before = file.take().map_or(first, |bytes: Vec<u8>| {
            let mut set = set(&bytes);
            set.put_ed25519(other.sign(&summary), Others::Keep);
            set.encode()
        });
        let merged = merge_summary(Some(&before), &summary, &[Ours::Ed25519(key.sign(&summary))], &[key.pinned()]);
        let signatures = set(&merged.bytes);
        assert!(signatures.ed25519().contains(&other.sign(&summary)), "the other publisher's signature of this summary stays");
        assert!(signatures.ed25519().len() <= MAX_UNKNOWN + 1);
        file = Some(merged.bytes);
    }
}

use super::{DropReason, Others, SignatureSet};
use crate::ed25519::verify;
use crate::gvariant::{Type, Value, array, dict_entry, variant};
use crate::ostree::{ED25519_KEY, OPENPGP_KEY};
use crate::vectors::{signing_key, vector};
use ed25519_dalek::Signer;
use proptest::prelude::*;

fn ostree(name: &str) -> Vec<u8> {
    vector(&format!("ostree/{name}"))
}

fn signature(name: &str) -> [u8; 64] {
    ostree(name).try_into().unwrap()
}

fn parsed(bytes: &[u8]) -> SignatureSet {
    let (set, dropped) = SignatureSet::parse(bytes).unwrap();
    assert_eq!(dropped, [], "nothing was to be dropped");
    set
}

fn file(entries: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(key, ty, data)| dict_entry(key, &variant(ty, data))).collect();
    array(8, &entries)
}

fn reasons(bytes: &[u8]) -> Vec<DropReason> {
    SignatureSet::parse(bytes).unwrap().1.into_iter().map(|d| d.reason).collect()
}

#[test]
fn our_signatures_are_those_that_ostree_made() {
    let key = signing_key('A');
    for (content, expected) in [("summary", "summary.ed-a.bin"), ("summary.other", "other.ed-a.bin"), ("dev.commit", "commit.ed-a.bin")] {
        let content = ostree(content);
        assert_eq!(key.sign(&content).to_bytes(), signature(expected));
        verify(key.verifying_key().as_bytes(), &content, &signature(expected)).unwrap();
    }
}

#[test]
fn a_flipped_bit_of_content_or_signature_is_noticed() {
    let key = signing_key('A').verifying_key();
    let (content, good) = (ostree("summary"), signature("summary.ed-a.bin"));
    assert!(verify(key.as_bytes(), &ostree("summary.bitflip"), &good).is_err());
    assert!(verify(signing_key('B').verifying_key().as_bytes(), &content, &good).is_err());
    for bit in 0..512 {
        let mut bad = good;
        bad[bit / 8] ^= 1 << (bit % 8);
        assert!(verify(key.as_bytes(), &content, &bad).is_err(), "bit {bit}");
    }
}

#[test]
fn one_signature_makes_the_file_of_95_bytes() {
    let mut set = SignatureSet::new();
    set.put_ed25519(signature("summary.ed-a.bin"), Others::Keep);
    let file = set.encode();
    assert_eq!((file.len(), &file), (95, &ostree("ed.sig")));
}

#[test]
fn a_signature_is_put_beside_those_of_others() {
    let mut set = parsed(&ostree("gpg.sig"));
    set.put_ed25519(signature("summary.ed-a.bin"), Others::Drop);
    assert_eq!(set.encode(), ostree("both.sig"), "OpenPGP is not ours to drop");

    let mut set = parsed(&ostree("ed-otherkey.sig"));
    set.put_ed25519(signature("summary.ed-a.bin"), Others::Keep);
    assert_eq!(set.encode(), ostree("ed-otherkey-then-good.sig"));
}

#[test]
fn the_overlap_of_two_summaries_is_made_and_ended() {
    let mut set = SignatureSet::new();
    set.put_ed25519(signature("other.ed-a.bin"), Others::Keep);
    set.put_ed25519(signature("summary.ed-a.bin"), Others::Keep);
    assert_eq!(set.encode(), ostree("ed-overlap.sig"));
    set.put_ed25519(signature("summary.ed-a.bin"), Others::Drop);
    assert_eq!(set.encode(), ostree("ed.sig"));
}

#[test]
fn a_signature_put_twice_is_there_once() {
    for name in ["ed.sig", "both.sig", "ed-overlap.sig", "ed-otherkey-then-good.sig"] {
        let mut set = parsed(&ostree(name));
        set.put_ed25519(signature("summary.ed-a.bin"), Others::Keep);
        assert_eq!(set.encode(), ostree(name), "{name}");
    }
}

#[test]
fn files_of_real_tools_are_kept_to_the_byte() {
    let names =
        ["ed.sig", "both.sig", "gpg.sig", "gpg-gnupg.sig", "gpg-overlap-bad-first.sig", "dev.commitmeta", "flatpak-appstream.commitmeta"];
    for name in names {
        assert_eq!(parsed(&ostree(name)).encode(), ostree(name), "{name}");
    }
    let mut set = parsed(&ostree("dev.commitmeta"));
    assert_eq!(set.ed25519(), [signature("commit.ed-a.bin")]);
    set.put_ed25519(signature("commit.ed-a.bin"), Others::Drop);
    assert_eq!(set.encode(), ostree("dev.commitmeta"), "ours stands before the OpenPGP signature, and stays there");
}

#[test]
fn what_poisons_the_file_for_clients_is_dropped() {
    let (set, dropped) = SignatureSet::parse(&ostree("ed-63-then-good.sig")).unwrap();
    assert_eq!(set.encode(), ostree("ed.sig"));
    assert_eq!(
        dropped[0].to_string(),
        "dropped from ostree.sign.ed25519 at byte 24: a signature of 63 bytes instead of 64, for which clients refuse the whole file"
    );
    let (set, dropped) = SignatureSet::parse(&ostree("gpg-garbage-then-good.sig")).unwrap();
    assert_eq!(set.encode(), ostree("gpg.sig"));
    assert_eq!((dropped.len(), dropped[0].reason), (1, DropReason::NotOpenpgp));
}

#[test]
fn each_thing_dropped_has_its_reason() {
    let cases: [(Vec<u8>, DropReason); 6] = [
        (file(&[(ED25519_KEY, "as", b"")]), DropReason::NotAList),
        (file(&[(ED25519_KEY, "aay", &array(1, &[b""]))]), DropReason::Length(0)),
        (file(&[(ED25519_KEY, "aay", &array(1, &[[7; 65]]))]), DropReason::Length(65)),
        (file(&[(OPENPGP_KEY, "aay", &array(1, &[b""]))]), DropReason::NotOpenpgp),
        (file(&[(OPENPGP_KEY, "ay", b"\x88\x01\x00")]), DropReason::NotAList),
        (file(&[(ED25519_KEY, "aay", b"")]), DropReason::Empty),
    ];
    for (bytes, reason) in cases {
        let (set, dropped) = SignatureSet::parse(&bytes).unwrap();
        assert_eq!((dropped.len(), dropped[0].reason), (1, reason));
        assert_eq!(set, SignatureSet::new(), "an entry without signatures is not written");
    }
    let keys = file(&[("x", "s", b"1\0"), ("x", "s", b"2\0")]);
    assert_eq!(reasons(&keys), [DropReason::KeyTwice]);
    assert_eq!(SignatureSet::parse(&keys).unwrap().0.encode(), file(&[("x", "s", b"1\0")]), "the one that clients look at");
}

#[test]
fn openpgp_packets_are_told_from_garbage() {
    let kept = |packet: &[u8]| reasons(&file(&[(OPENPGP_KEY, "aay", &array(1, &[packet]))])).is_empty();
    let gpg = ostree("summary.gpg-a.bin");
    assert!(kept(&gpg) && kept(&[gpg.clone(), gpg.clone()].concat()), "one packet, or two in one");
    assert!(kept(b"-----BEGIN PGP SIGNATURE-----\n\nwhatever"), "clients take armor too");
    assert!(kept(&[0x89, 0, 2, 1, 1]) && kept(&[0x8a, 0, 0, 0, 1, 1]) && kept(&[0xc2, 1, 1]) && kept(&[0xc2, 255, 0, 0, 0, 1, 1]));
    assert!(kept(&[&[0xc2, 192, 0], [1; 192].as_slice()].concat()));
    assert!(!kept(&gpg[..gpg.len() - 1]) && !kept(&[gpg.as_slice(), &[0x88]].concat()), "cut off, or with something behind");
    assert!(!kept(&[0xc2, 224, 1]) && !kept(&[0xc2, 192]) && !kept(&[0x8b, 1]) && !kept(&[0x99, 0, 0]), "not a signature's header");
}

#[test]
fn a_file_that_nobody_can_read_is_an_error() {
    for bytes in [b"garbage".as_slice(), &ostree("ed.sig")[..94], &[0]] {
        let error = SignatureSet::parse(bytes).unwrap_err();
        assert!(error.to_string().starts_with("the signature file is not a valid GVariant: "), "{error}");
    }
    assert_eq!(parsed(b""), SignatureSet::new(), "no entries take no bytes");
}

#[test]
fn signatures_of_old_content_are_sorted_out() {
    let (summary, key) = (ostree("summary"), signing_key('A').verifying_key());
    let mut set = parsed(&ostree("ed-overlap.sig"));
    set.retain_ed25519(|s| verify(key.as_bytes(), &summary, s).is_ok());
    assert_eq!(set.encode(), ostree("ed.sig"));
    set.retain_ed25519(|_| false);
    assert_eq!(set.encode(), b"");
}

#[test]
fn offsets_widen_at_the_right_size() {
    for length in (160..=190).chain(65_440..=65_470) {
        let padding = vec![b'x'; length];
        let mut set = parsed(&file(&[("pad", "ay", &padding)]));
        set.put_ed25519([9; 64], Others::Keep);
        let written = set.encode();
        assert!(Value::parse(Type::parse("a{sv}").unwrap(), &written).is_ok(), "{length}");
        assert_eq!(parsed(&written), set, "{length}");
    }
}

fn any_set() -> impl Strategy<Value = SignatureSet> {
    let foreign = ("[a-z.]{1,20}", prop::collection::vec(any::<u8>(), 0..300));
    let ours = prop::collection::vec(any::<[u8; 32]>(), 0..6);
    (prop::collection::btree_map(foreign.0, foreign.1, 0..5), ours, any::<bool>()).prop_map(|(foreign, ours, first)| {
        let entries: Vec<_> = foreign.iter().map(|(k, v)| (k.as_str(), "ay", v.as_slice())).collect();
        let mut set = if first { SignatureSet::new() } else { parsed(&file(&entries)) };
        ours.iter().for_each(|half| set.put_ed25519([*half, *half].concat().try_into().unwrap(), Others::Keep));
        set
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(set in any_set()) {
        let written = set.encode();
        prop_assert_eq!(&parsed(&written), &set);
        prop_assert_eq!(parsed(&written).encode(), written);
    }

    #[test]
    fn any_bytes_give_an_answer(which in 0..4_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5)) {
        let mut bytes = ostree(["ed.sig", "both.sig", "dev.commitmeta", "gpg-overlap-good-first.sig"][which]);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok((set, dropped)) = SignatureSet::parse(&bytes) {
            prop_assert_eq!(&parsed(&set.encode()), &set, "what was dropped stays dropped");
            prop_assert!(dropped.iter().all(|d| d.offset <= bytes.len()));
        }
    }
}

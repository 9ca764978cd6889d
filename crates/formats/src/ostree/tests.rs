//! Summaries and commits, as real tools wrote them and as an attacker might.

use super::commit::Commit;
use super::summary::{DeltaName, Summary};
use super::{is_collection_id, is_ref_name};
use crate::content::{ContentError, ContentFault};
use crate::gvariant::{Fault, Type, Value, array, dict_entry, variant};
use crate::sshsig;
use crate::vectors::vector;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

const SUMMARIES: [&str; 5] = ["summary", "summary.other", "flatpak.summary", "flatpak.subsummary", "collections.summary"];
const COMMITS: [&str; 7] = [
    "dev.commit",
    "dev-first.commit",
    "prod.commit",
    "collection-bound.commit",
    "flatpak-app.commit",
    "flatpak-runtime.commit",
    "flatpak-appstream.commit",
];

fn ostree(name: &str) -> Vec<u8> {
    vector(&format!("ostree/{name}"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// A tuple of members that are all of variable size: the offsets stand at the end, the last one first.
fn tuple(alignments: &[usize], members: &[&[u8]]) -> Vec<u8> {
    let (mut body, mut ends) = (Vec::new(), Vec::new());
    for (alignment, member) in alignments.iter().zip(members) {
        body.resize(body.len().next_multiple_of(*alignment), 0);
        body.extend_from_slice(member);
        ends.push(body.len());
    }
    ends.pop();
    let width = [1, 2, 4].into_iter().find(|w| body.len() + ends.len() * w < 1 << (8 * w)).unwrap();
    for end in ends.iter().rev() {
        body.extend_from_slice(&end.to_le_bytes()[..width]);
    }
    body
}

/// One element of the refs of a summary, without padding at its end.
fn summary_ref(name: &str, size: u64, commit: &[u8], metadata: &[u8]) -> Vec<u8> {
    let target = [&size.to_le_bytes(), commit].concat();
    let target = tuple(&[8, 8], &[&target, metadata]);
    tuple(&[1, 8], &[&[name.as_bytes(), &[0]].concat(), &target])
}

fn metadata(entries: &[(&str, &str, &[u8])]) -> Vec<u8> {
    let entries: Vec<_> = entries.iter().map(|(key, ty, data)| dict_entry(key, &variant(ty, data))).collect();
    array(8, &entries)
}

fn summary_of(refs: &[Vec<u8>], metadata: &[u8]) -> Vec<u8> {
    tuple(&[8, 8], &[&array(8, refs), metadata])
}

fn plain_ref(name: &str) -> Vec<u8> {
    summary_ref(name, 1, &[7; 32], &[])
}

fn refused(bytes: &[u8]) -> ContentError {
    Summary::parse(bytes).unwrap_err()
}

#[test]
fn a_summary_says_what_ostree_says() {
    let bytes = ostree("summary");
    let summary = Summary::parse(&bytes).unwrap();
    let [dev, prod] = summary.refs.as_slice() else { panic!("{summary:?}") };
    assert_eq!((dev.name, dev.size, dev.version), ("os/x86_64/dev", 182, Some("1.1")));
    assert_eq!(dev.timestamp, Some(1_767_312_000), "2026-01-02, big-endian in the file");
    assert_eq!(hex(&dev.commit), hex(&Sha256::digest(ostree("dev.commit"))));
    assert_eq!((prod.name, prod.size, prod.version, prod.timestamp), ("os/x86_64/prod", 134, None, Some(1_767_398_400)));
    assert_eq!(summary.last_modified, Some(0x6b03_9553));
    assert_eq!((summary.expires, summary.collection_id, summary.collection_map.len(), summary.deltas.len()), (None, None, 0, 0));
    let keys = ["mode", "last-modified", "tombstone-commits", "indexed-deltas"].map(|k| format!("ostree.summary.{k}"));
    assert_eq!(summary.metadata_keys, keys);
}

#[test]
fn a_summary_of_collections_shows_every_ref_and_delta() {
    let bytes = ostree("collections.summary");
    let summary = Summary::parse(&bytes).unwrap();
    let refs: Vec<_> = summary.all_refs().map(|(collection, r)| (collection.unwrap(), r.name)).collect();
    let own = [("org.example.Own", "os/x86_64/dev"), ("org.example.Own", "ostree-metadata")];
    let other = [("org.example.Other", "os/x86_64/a"), ("org.example.Other", "os/x86_64/b")];
    assert_eq!(refs, [own, other].concat());
    assert_eq!(summary.expires, Some(4_102_444_800), "2100-01-01");
    let to: [u8; 32] = Sha256::digest(ostree("collection-bound.commit")).into();
    let from = Commit::parse(&ostree("collection-bound.commit")).unwrap().parent;
    assert!(from.is_some());
    assert_eq!(summary.deltas, [DeltaName { from: None, to }, DeltaName { from, to }]);
}

#[test]
fn flatpak_summaries_are_read() {
    let bytes = ostree("flatpak.summary");
    let names: Vec<_> = Summary::parse(&bytes).unwrap().refs.iter().map(|r| r.name.to_owned()).collect();
    let expected =
        ["app/org.example.Hello/x86_64/stable", "appstream/x86_64", "appstream2/x86_64", "runtime/org.example.Platform/x86_64/1"];
    assert_eq!(names, expected);
    assert!(Summary::parse(&ostree("flatpak.subsummary")).is_ok());
}

#[test]
fn a_commit_says_what_ostree_says() {
    let bytes = ostree("dev.commit");
    let commit = Commit::parse(&bytes).unwrap();
    assert_eq!(commit.parent, Some(Sha256::digest(ostree("dev-first.commit")).into()));
    assert_eq!((commit.subject, commit.body, commit.timestamp), ("dev 2", "", 1_767_312_000));
    assert_eq!(hex(&commit.root_tree), "b099fb61c50fc2d6e90af89894cba6a325c0f872f43d56bf77311a93eb58af90");
    assert_eq!(hex(&commit.root_meta), "446a0ef11b7cc167f3b603e585c7eeeeb675faa412d5ec73f62988eb0b6c5488");
    assert_eq!((commit.version, commit.collection_binding), (Some("1.1"), None));
    assert_eq!(commit.ref_bindings, ["os/x86_64/dev"]);
    assert_eq!(commit.metadata_keys, ["version", "ostree.ref-binding"]);
    assert_eq!(Commit::parse(&ostree("dev-first.commit")).unwrap().parent, None);
}

#[test]
fn a_commit_may_be_bound_to_several_refs_of_a_collection() {
    let bytes = ostree("collection-bound.commit");
    let commit = Commit::parse(&bytes).unwrap();
    assert_eq!(commit.collection_binding, Some("org.example.Own"));
    assert_eq!(commit.ref_bindings, ["os/x86_64/dev", "os/x86_64/next"]);
}

#[test]
fn a_commit_of_flatpak_has_an_empty_collection() {
    let bytes = ostree("flatpak-app.commit");
    let commit = Commit::parse(&bytes).unwrap();
    assert_eq!((commit.collection_binding, commit.parent), (None, None));
    assert_eq!(commit.ref_bindings, ["app/org.example.Hello/x86_64/stable"]);
    assert_eq!(commit.subject, "Export org.example.Hello");
}

#[test]
fn each_object_is_of_exactly_one_kind() {
    let index = Type::parse("(a{s(ayaaya{sv})}a{sv})").unwrap();
    let kinds = |name: &str| {
        let bytes = ostree(name);
        [Summary::parse(&bytes).is_ok(), Commit::parse(&bytes).is_ok(), Value::parse(index, &bytes).is_ok()]
    };
    for name in SUMMARIES {
        assert_eq!(kinds(name), [true, false, false], "{name}");
    }
    for name in COMMITS {
        assert_eq!(kinds(name), [false, true, false], "{name}");
    }
    assert_eq!(kinds("flatpak.summary.idx"), [false, false, true]);
    assert_eq!(kinds("delta.superblock"), [false, false, false]);
}

#[test]
fn a_file_cut_off_anywhere_is_refused_with_a_place() {
    for name in SUMMARIES.into_iter().chain(COMMITS) {
        let bytes = ostree(name);
        for length in 0..bytes.len() {
            let cut = &bytes[..length];
            for error in [Summary::parse(cut).err(), Commit::parse(cut).err()] {
                let error = error.unwrap_or_else(|| panic!("{name} was read when cut to {length} bytes"));
                assert!(error.offset <= length, "{name} cut to {length}: {error}");
            }
        }
    }
}

#[test]
fn a_byte_more_is_refused() {
    for name in SUMMARIES {
        assert!(Summary::parse(&[ostree(name), vec![0]].concat()).is_err(), "{name}");
    }
    for name in COMMITS {
        assert!(Commit::parse(&[ostree(name), vec![0]].concat()).is_err(), "{name}");
    }
}

#[test]
fn refs_must_ascend() {
    let good = summary_of(&[plain_ref("a"), plain_ref("a-b"), plain_ref("a/b"), plain_ref("b")], &[]);
    let names: Vec<_> = Summary::parse(&good).unwrap().refs.iter().map(|r| r.name.to_owned()).collect();
    assert_eq!(names, ["a", "a-b", "a/b", "b"], "byte order, as strcmp has it");
    for names in [["a", "a"], ["b", "a"], ["a/b", "a-b"]] {
        let error = refused(&summary_of(&names.map(plain_ref), &[]));
        assert_eq!((error.fault, error.offset), (ContentFault::RefOrder, 56), "{names:?}");
    }
}

#[test]
fn names_of_refs_have_a_closed_alphabet() {
    for good in ["a", "_a", "a-", "a.", "A9_.-x", "os/x86_64/dev", "app/org.example.Hello/x86_64/stable"] {
        assert!(is_ref_name(good), "{good}");
        assert!(Summary::parse(&summary_of(&[plain_ref(good)], &[])).is_ok(), "{good}");
    }
    let long = "a".repeat(1025);
    for bad in ["", ".a", "-a", "a/.b", "a/..", "..", "a..b", "a/", "/a", "a//b", "a b", "a+b", "a:b", "a@b", "a~b", "é", "a\nb", &long] {
        assert!(!is_ref_name(bad), "{bad}");
        assert_eq!(refused(&summary_of(&[plain_ref(bad)], &[])).fault, ContentFault::RefName, "{bad}");
    }
}

#[test]
fn collection_ids_are_names_of_interfaces() {
    for (id, good) in [("org.example.Stable", true), ("a.b", true), ("_1.x_2", true), ("org", false), ("org.1a", false)] {
        assert_eq!(is_collection_id(id), good, "{id}");
    }
    for bad in ["", ".", "a.", ".a", "a..b", "a-b.c", "a.é", &format!("a.{}", "b".repeat(254))] {
        assert!(!is_collection_id(bad), "{bad}");
    }
}

#[test]
fn a_checksum_has_32_bytes() {
    for length in [0, 31, 33] {
        let error = refused(&summary_of(&[summary_ref("a", 1, &vec![7; length], &[])], &[]));
        assert_eq!((error.fault, error.offset), (ContentFault::Checksum, 16), "{length}");
    }
}

#[test]
fn a_key_twice_is_refused_wherever_it_is() {
    let time = 5_u64.to_be_bytes();
    let twice = metadata(&[("ostree.commit.timestamp", "t", &time), ("ostree.commit.timestamp", "t", &time)]);
    let nested = metadata(&[("foreign", "a{sv}", &twice)]);
    for bytes in [summary_of(&[], &twice), summary_of(&[summary_ref("a", 1, &[7; 32], &twice)], &[]), summary_of(&[], &nested)] {
        assert_eq!(refused(&bytes).fault, ContentFault::NotNormal(Fault::DuplicateKey));
    }
}

#[test]
fn known_metadata_must_have_its_type() {
    let cases: [(&str, &str, &[u8]); 6] = [
        ("ostree.summary.last-modified", "s", b"now\0"),
        ("ostree.summary.expires", "x", &[0; 8]),
        ("ostree.summary.collection-id", "ay", b"org.example.A"),
        ("ostree.summary.collection-map", "a{sv}", b""),
        ("ostree.static-deltas", "as", b""),
        ("ostree.summary.last-modified", "v", b"\0\0\0\0\0\0\0\x01\0t"),
    ];
    for (key, ty, data) in cases {
        let error = refused(&summary_of(&[], &metadata(&[(key, ty, data)])));
        assert!(matches!(error.fault, ContentFault::WrongType { key: found, .. } if found == key), "{error}");
    }
    let error = refused(&summary_of(&[summary_ref("a", 1, &[7; 32], &metadata(&[("ostree.commit.version", "t", &[0; 8])]))], &[]));
    assert_eq!(error.to_string(), "the summary has a value of another type than s for ostree.commit.version at byte 72");
}

#[test]
fn a_time_in_the_wrong_byte_order_is_refused() {
    let now = 1_795_410_000_u64;
    let with = |time: [u8; 8]| summary_of(&[], &metadata(&[("ostree.summary.last-modified", "t", &time)]));
    assert_eq!(Summary::parse(&with(now.to_be_bytes())).unwrap().last_modified, Some(now));
    assert_eq!(refused(&with(now.to_le_bytes())).fault, ContentFault::Time);
    let mut commit = ostree("dev.commit");
    commit[0x68..0x70].reverse();
    assert_eq!(Commit::parse(&commit).unwrap_err().fault, ContentFault::Time);
}

#[test]
fn a_collection_map_is_as_strict_as_the_refs() {
    let entry = |id: &str, refs: &[Vec<u8>]| tuple(&[1, 8], &[&[id.as_bytes(), &[0]].concat(), &array(8, refs)]);
    let with = |entries: &[Vec<u8>]| {
        let map = array(8, entries);
        summary_of(&[], &metadata(&[("ostree.summary.collection-map", "a{sa(s(taya{sv}))}", &map)]))
    };
    let good = with(&[entry("org.a", &[plain_ref("x")]), entry("org.b", &[plain_ref("a"), plain_ref("x")])]);
    assert_eq!(Summary::parse(&good).unwrap().all_refs().count(), 3);
    for (entries, fault) in [
        ([entry("org.b", &[]), entry("org.a", &[])], ContentFault::CollectionOrder),
        ([entry("org.a", &[]), entry("org.a", &[])], ContentFault::NotNormal(Fault::DuplicateKey)),
        ([entry("org.a", &[]), entry("org/b", &[])], ContentFault::CollectionId),
        ([entry("org.a", &[]), entry("org.b", &[plain_ref("x"), plain_ref("a")])], ContentFault::RefOrder),
        ([entry("org.a", &[]), entry("org.b", &[plain_ref("../x")])], ContentFault::RefName),
    ] {
        assert_eq!(refused(&with(&entries)).fault, fault);
    }
}

#[test]
fn names_of_deltas_are_commits() {
    let (low, high) = ("a1".repeat(32), "A1".repeat(32));
    let with = |name: &str, ty: &str, data: &[u8]| {
        let deltas = metadata(&[(name, ty, data)]);
        summary_of(&[], &metadata(&[("ostree.static-deltas", "a{sv}", &deltas)]))
    };
    assert_eq!(Summary::parse(&with(&low, "ay", &[1; 32])).unwrap().deltas, [DeltaName { from: None, to: [0xa1; 32] }]);
    for name in ["", "-", &low[1..], &high, &format!("{low}-"), &format!("-{low}"), &format!("{low}-{low}-{low}")] {
        assert_eq!(refused(&with(name, "ay", &[1; 32])).fault, ContentFault::DeltaName, "{name}");
    }
    assert_eq!(refused(&with(&low, "ay", &[1; 31])).fault, ContentFault::Checksum);
    assert_eq!(refused(&with(&low, "s", b"x\0")).fault, ContentFault::DeltaName);
}

#[test]
fn a_commit_is_read_strictly() {
    let build = |meta: &[u8], parent: &[u8], root: &[u8]| {
        let front = tuple(&[8, 1, 1, 1, 1, 8, 1, 1], &[meta, parent, b"", b"s\0", b"\0", &[0; 8], root, &[9; 32]]);
        // The time has a fixed size and so no offset: take the one that `tuple` wrote away.
        let at = front.len() - 6;
        [&front[..at], &front[at + 1..]].concat()
    };
    assert_eq!(Commit::parse(&build(&[], &[], &[8; 32])).unwrap().ref_bindings, Vec::<&str>::new());
    assert_eq!(Commit::parse(&build(&[], &[1; 31], &[8; 32])).unwrap_err().fault, ContentFault::Checksum);
    assert_eq!(Commit::parse(&build(&[], &[1; 32], &[8; 31])).unwrap_err().fault, ContentFault::Checksum);
    let bound = |name: &[u8]| metadata(&[("ostree.ref-binding", "as", &array(1, &[name]))]);
    assert_eq!(Commit::parse(&build(&bound(b"os/a\0"), &[], &[8; 32])).unwrap().ref_bindings, ["os/a"]);
    assert_eq!(Commit::parse(&build(&bound(b"os/*\0"), &[], &[8; 32])).unwrap_err().fault, ContentFault::RefName);
    let collection = metadata(&[("ostree.collection-binding", "s", b"x\0")]);
    assert_eq!(Commit::parse(&build(&collection, &[], &[8; 32])).unwrap_err().fault, ContentFault::CollectionId);
}

#[test]
fn the_message_of_an_ssh_signature_is_never_a_summary() {
    // Namespace and digest are the requester's to choose, so the rest of the message could be given the shape of a ref.
    let tbs = sshsig::tbs("file", sshsig::HashAlgorithm::Sha256, &[0; 32]).unwrap();
    assert_eq!(refused(&tbs).fault, ContentFault::LooksLikeSshsig);
    assert_eq!(Commit::parse(&tbs).unwrap_err().fault, ContentFault::LooksLikeSshsig);
    assert_eq!(refused(&summary_of(&[plain_ref("SSHSIG")], &[])).fault, ContentFault::LooksLikeSshsig);
}

#[test]
fn errors_say_what_where_and_in_what() {
    let mut bytes = ostree("summary");
    bytes[0x0d] = b'!';
    assert_eq!(refused(&bytes).to_string(), "the summary is not a valid GVariant: string without a terminating zero at byte 13");
    let bytes = ostree("dev.commit");
    assert_eq!(
        Commit::parse(&bytes[..100]).unwrap_err().to_string(),
        "the commit is not a valid GVariant: framing offset out of range at byte 47"
    );
}

#[test]
fn twenty_thousand_refs_are_read() {
    let meta = metadata(&[("ostree.commit.timestamp", "t", &[0; 8]), ("ostree.commit.version", "s", b"1.1\0")]);
    let refs: Vec<_> =
        (0..20_000).map(|n| summary_ref(&format!("app/org.example.App{n:05}/x86_64/stable"), 200, &[7; 32], &meta)).collect();
    let bytes = summary_of(&refs, &[]);
    assert_eq!(Summary::parse(&bytes).unwrap().refs.len(), 20_000);
}

proptest! {
    #[test]
    fn changed_bytes_are_at_most_one_kind(which in 0..12_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let names: Vec<_> = SUMMARIES.into_iter().chain(COMMITS).collect();
        let mut bytes = ostree(names[which]);
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let (summary, commit) = (Summary::parse(&bytes), Commit::parse(&bytes));
        prop_assert!(summary.is_err() || commit.is_err());
        for error in [summary.err(), commit.err()].into_iter().flatten() {
            prop_assert!(error.offset <= bytes.len());
        }
    }

    #[test]
    fn any_bytes_are_at_most_one_kind(bytes in prop::collection::vec(prop::sample::select(vec![0_u8, 1, 8, 32, 40, b's', b'a', 255]), 0..160)) {
        prop_assert!(Summary::parse(&bytes).is_err() || Commit::parse(&bytes).is_err());
    }
}

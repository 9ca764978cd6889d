use super::*;
use crate::git;
use crate::note::NoteText;
use crate::vectors::vector;
use proptest::prelude::*;

const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Valid documents of every kind that there is, and other bytes.
fn documents() -> Vec<(Option<Kind>, Vec<u8>)> {
    let text = |kind, text: &str| (Some(kind), text.as_bytes().to_vec());
    let mut all: Vec<_> = ["dev", "dev-first", "collection-bound"]
        .map(|name| (Some(Kind::Commit), vector(&format!("ostree/{name}.commit"))))
        .into_iter()
        .collect();
    all.push((Some(Kind::Summary), vector("ostree/collections.summary")));
    all.push((Some(Kind::Summary), vector("ostree/flatpak.subsummary")));
    all.push((Some(Kind::Index), vector("ostree/flatpak.summary.idx")));
    all.extend([20, 28, 32, 48, 64].map(|length| (Some(Kind::Digest), vec![0xa5; length])));
    all.extend([
        text(Kind::Checksums, &format!("{HEX}  a\n{HEX} *b\n")),
        text(Kind::Checksums, &format!("SHA256 (a) = {HEX}\n")),
        text(Kind::Checksums, &format!("SHA512 (a) = {HEX}{HEX}\n")),
        text(Kind::Note, "a text\n\nof several lines\n"),
        text(Kind::Note, "\n"),
        text(Kind::Checkpoint, "example.org/log\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"),
        text(Kind::Cosignature, "cosignature/v1\ntime 7\nexample.org/log\n7\n"),
        text(Kind::Git, &format!("tree {}\nauthor A <a@example.org> 7 +0000\n\nsubject\n", &HEX[..40])),
        text(Kind::Git, &format!("object {HEX}\ntype commit\ntag v1\n")),
        text(Kind::Git, "commit 170\0anything"),
        text(Kind::Git, "100644 a\0\x01\x02\x03"),
        text(Kind::Tuf, "{\"_type\":\"root\",\"version\":1}"),
        text(Kind::Tuf, " {\n \"signatures\": [], \"signed\": {}\n}"),
        text(Kind::Dsse, "DSSEv1 28 application/vnd.in-toto+json 2 {}"),
        text(Kind::MinisignComment, &format!("{}timestamp:7\tfile:a\thashed", "s".repeat(64))),
        (Some(Kind::SshSignature), crate::sshsig::tbs("file", crate::sshsig::HashAlgorithm::Sha256, &[7; 32]).unwrap()),
        (None, b"\x7fELF\x02\x01".to_vec()),
        (None, b"no newline".to_vec()),
        (None, b"a\ttab\n".to_vec()),
        (None, b"tree of life".to_vec()),
        (None, b"{\"json\": 1}".to_vec()),
        (None, vec![0xa5; 63]),
    ]);
    all
}

#[test]
fn every_kind_is_recognised() {
    let mut missing: Vec<_> = KINDS.iter().map(|(kind, _)| *kind).chain([Kind::Note]).collect();
    for (expected, bytes) in documents() {
        assert_eq!(kind(&bytes), expected, "{}", String::from_utf8_lossy(&bytes));
        assert_eq!(check(&bytes).is_ok(), expected.is_none());
        missing.retain(|kind| Some(*kind) != expected);
    }
    assert_eq!(missing, [], "kinds without a document");
    let error = check(&[7; 64]).unwrap_err();
    assert_eq!(error.to_string(), "the content can be taken for a digest, because of its length at byte 0");
    assert_eq!(check(&[]).unwrap_err().fault, ContentFault::Empty);
}

/// The constructions whose parsers take these bytes for content.
fn parsed_as(bytes: &[u8]) -> Vec<Kind> {
    let parsers = [
        (Kind::Summary, Summary::parse(bytes).is_ok()),
        (Kind::Commit, Commit::parse(bytes).is_ok()),
        (Kind::Index, Index::parse(bytes).is_ok()),
        (Kind::Git, git::Tag::parse(bytes).is_ok()),
        (Kind::Git, git::Commit::parse(bytes).is_ok()),
        (Kind::Checksums, Checksums::parse(bytes).is_ok()),
        (Kind::Note, NoteText::parse(bytes).is_ok()),
    ];
    parsers.into_iter().filter(|(_, ok)| *ok).map(|(kind, _)| kind).collect()
}

fn assert_one_kind_at_most(bytes: &[u8]) {
    let parsed = parsed_as(bytes);
    assert!(parsed.len() <= 1, "{parsed:?}: {bytes:02x?}");
    // What an OSTree summary without refs is long does not make it a digest to anybody who made the digest first.
    let other: Vec<_> = KINDS.iter().filter(|(k, is)| *k != Kind::Digest && is(bytes)).map(|(k, _)| *k).collect();
    match (parsed.first(), kind(bytes)) {
        (Some(Kind::Note), kind) => assert_eq!((other, kind), (vec![], Some(Kind::Note)), "{bytes:02x?}"),
        (Some(parsed), kind) => assert_eq!((other, kind), (vec![*parsed], Some(*parsed)), "{bytes:02x?}"),
        (None, _) => {}
    }
}

proptest! {
    #[test]
    fn any_bytes_are_content_of_at_most_one_construction(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_one_kind_at_most(&bytes);
    }

    #[test]
    fn any_text_is_content_of_at_most_one_construction(text in "([ -~é]{0,30}\n){0,5}") {
        assert_one_kind_at_most(text.as_bytes());
    }

    #[test]
    fn changed_documents_are_content_of_at_most_one_construction(
        which in any::<prop::sample::Index>(), other in any::<prop::sample::Index>(), cut in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), joined in 0..4,
    ) {
        let all = documents();
        let (first, second) = (&which.get(&all).1, &other.get(&all).1);
        let mut bytes = match joined {
            0 => first.clone(),
            1 => [first.as_slice(), second].concat(),
            2 => [&first[..cut.index(first.len())], second].concat(),
            _ => [&first[..cut.index(first.len())], b"\n"].concat(),
        };
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        assert_one_kind_at_most(&bytes);
    }
}

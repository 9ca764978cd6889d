use super::*;
use crate::ed25519::PublicKey;
use crate::raw::Kind;
use crate::vectors::signing_key;
use ed25519_dalek::Signer;
use proptest::prelude::*;

/// The example of golang.org/x/mod/sumdb/note.
const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const PETER_SIGNED: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

const TEXT: &str = "example.org release\nversion 7\n";

fn key() -> NoteKey {
    let key = PublicKey::from_bytes(signing_key('A').verifying_key().as_bytes()).unwrap();
    NoteKey { name: KeyName::new("example.org/releases").unwrap(), key }
}

fn signed(text: &str) -> String {
    let text = NoteText::parse(text.as_bytes()).unwrap();
    frame(&text, &key(), &signing_key('A').sign(text.tbs()).to_bytes())
}

fn refused(bytes: &[u8]) -> (ContentFault, usize) {
    let error = NoteText::parse(bytes).unwrap_err();
    assert_eq!(error.document, Document::Note);
    (error.fault, error.offset)
}

#[test]
fn the_example_of_go_is_read_and_verified() {
    let key: NoteKey = PETER.parse().unwrap();
    assert_eq!(key.to_string(), PETER);
    let note = SignedNote::parse(PETER_SIGNED).unwrap();
    assert_eq!(note.verify(&key), Ok(()));
    let changed = PETER_SIGNED.replace("problem is", "problem was");
    assert_eq!(SignedNote::parse(&changed).unwrap().verify(&key), Err(NoteError::Mismatch(key.name)));
}

#[test]
fn a_note_is_good_for_its_text_and_key_only() {
    let text = signed(TEXT);
    let note = SignedNote::parse(&text).unwrap();
    assert_eq!((note.text, note.signatures.len()), (TEXT, 1));
    assert_eq!(note.verify(&key()), Ok(()));
    let other = NoteKey { name: KeyName::new("example.org/other").unwrap(), ..key() };
    assert_eq!(note.verify(&other), Err(NoteError::Unsigned(other.name)));
    // Another signature by the same key that does not fit spoils the note, in whichever order they stand.
    let (_, line) = PETER_SIGNED.rsplit_once("\n\n").unwrap();
    assert_eq!(SignedNote::parse(&format!("{text}{line}")).unwrap().verify(&key()), Ok(()));
    let (_, own) = signed("another text\n").rsplit_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
    assert_eq!(SignedNote::parse(&format!("{text}{own}")).unwrap().verify(&key()), Err(NoteError::Mismatch(key().name)));
}

#[test]
fn a_text_of_several_paragraphs_and_even_a_note_can_be_signed() {
    for text in ["one\n\ntwo\n", "\n", "\n\n", PETER_SIGNED, "ends in an empty line\n\n"] {
        let note = signed(text);
        let note = SignedNote::parse(&note).unwrap();
        assert_eq!(note.text, text);
        assert_eq!(note.verify(&key()), Ok(()), "{text:?}");
    }
}

#[test]
fn what_is_not_strictly_a_text_is_refused() {
    assert_eq!(refused(b""), (ContentFault::Empty, 0));
    assert_eq!(refused(b"no newline"), (ContentFault::NoFinalNewline, 10));
    assert_eq!(refused(b"ab\xff\n"), (ContentFault::NotUtf8, 2));
    for bad in ["ab\tc\n", "ab\r\n", "ab\0\n", "ab\u{7f}\n", "ab\u{85}\n", "ab\u{202e}c\n"] {
        assert_eq!(refused(bad.as_bytes()), (ContentFault::ControlCharacter, 2), "{bad:?}");
    }
    let long = format!("{}\n", "a".repeat(MAX_TEXT));
    assert_eq!(refused(long.as_bytes()), (ContentFault::TooLong { limit: MAX_TEXT }, MAX_TEXT));
    assert!(NoteText::parse(&long.as_bytes()[1..]).is_ok());
}

#[test]
fn what_a_log_or_a_witness_signs_is_never_a_note() {
    let root = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    for text in [
        format!("example.org/log\n7\n{root}\n"),
        format!("example.org/log\n7\n{root}\nextension\n"),
        format!("example.org/log\n007\n{root}\n\nmore\n"),
        format!("\n99999999999999999999999\n{root}\n"),
        // Careless readers: no padding, bits that should be zero.
        format!("go.sum database tree\n7\n{}\n", root.trim_end_matches('=')),
        format!("go.sum database tree\n7\n{}\n", root.replace("U=", "V=")),
    ] {
        assert_eq!(refused(text.as_bytes()), (ContentFault::OtherKind(Kind::Checkpoint), 0), "{text}");
    }
    for text in ["cosignature/v1\ntime 7\nexample.org/log\n7\n", "cosignature/v2\n", "subtree/v1\nexample.org\n"] {
        assert_eq!(refused(text.as_bytes()), (ContentFault::OtherKind(Kind::Cosignature), 0), "{text}");
    }
    for text in ["example.org\n7\nseven lines\n", "example.org\n7\n", "7\nexample.org\n", "see cosignature/v1\n"] {
        assert!(NoteText::parse(text.as_bytes()).is_ok(), "{text}");
    }
}

#[test]
fn what_other_constructions_sign_is_not_a_note() {
    let digest = "0".repeat(64);
    for (text, kind) in [
        (format!("{digest}  a file\n"), Kind::Checksums),
        (format!("{}\n", "0".repeat(31)), Kind::Digest),
        (format!("{}\n", "0".repeat(63)), Kind::Digest),
        (format!("tree {}\nauthor A\n", "0".repeat(40)), Kind::Git),
        (format!("object {digest}\ntype commit\n"), Kind::Git),
        ("DSSEv1 4 text 2 a\n".to_owned(), Kind::Dsse),
        ("{\"signed\":1}\n".to_owned(), Kind::Tuf),
    ] {
        assert_eq!(refused(text.as_bytes()), (ContentFault::OtherKind(kind), 0), "{text}");
    }
}

#[test]
fn keys_and_notes_that_are_nearly_right_are_refused() {
    for bad in ["", "a b", "a+b", "a\u{a0}b", "a\nb", "a\u{7f}", &"n".repeat(256)] {
        assert_eq!(KeyName::new(bad), Err(NoteError::KeyName), "{bad:?}");
    }
    let hash = NoteError::VerifierKey("its hash does not belong to its name and key");
    assert_eq!(PETER.replace("Peter", "Petra").parse::<NoteKey>(), Err(hash));
    for bad in [&PETER[..60], &PETER.replace("c74f20a3", "C74F20A3"), &PETER.replace("+ARpc", "+BBpc"), &PETER[13..], &format!("{PETER}\n")]
    {
        assert!(bad.parse::<NoteKey>().is_err(), "{bad}");
    }
    let good = signed(TEXT);
    for bad in [
        &good[..good.len() - 1],
        &good[1..].replace("\n\n", "\n"),
        &format!("{good}\n"),
        &format!("{good}x\n"),
        &good.replace('\u{2014}', "-"),
        &good.replace('\n', "\r\n"),
        &format!("{good}{}", format!("{}\n", good.lines().last().unwrap()).repeat(100)),
        TEXT,
        "",
    ] {
        assert!(SignedNote::parse(bad).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn what_is_framed_is_read_back(text in "(\\PC{0,40}\n){1,5}", name in "[a-zA-Z0-9./_é-]{1,255}", half in any::<[u8; 32]>()) {
        let Ok(parsed) = NoteText::parse(text.as_bytes()) else { return Ok(()) };
        prop_assume!(name.len() <= 255);
        let key = NoteKey { name: KeyName::new(&name).unwrap(), key: key().key };
        prop_assert_eq!(key.to_string().parse::<NoteKey>(), Ok(key.clone()));
        let signature: [u8; 64] = [half, half].concat().try_into().unwrap();
        let framed = frame(&parsed, &key, &signature);
        let line = NoteSignature { name: &name, hash: key.hash(), signature: signature.to_vec() };
        prop_assert_eq!(SignedNote::parse(&framed), Ok(SignedNote { text: &text, signatures: vec![line] }));
    }

    #[test]
    fn any_change_is_noticed(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = signed(TEXT).into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= flip;
        let verified = std::str::from_utf8(&bytes).is_ok_and(|t| SignedNote::parse(t).is_ok_and(|note| note.verify(&key()).is_ok()));
        prop_assert!(!verified);
    }
}

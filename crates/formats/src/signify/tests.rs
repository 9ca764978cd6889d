use super::*;
use crate::content::{ContentFault, Document};
use crate::vectors::{signing_key, vector};
use ed25519_dalek::Signer;
use proptest::prelude::*;

const CONTENT: &[u8] = b"\x7fELF, or anything else";
const LIST: &str = "SHA256 (a file) = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";

fn name() -> KeyName {
    KeyName::new("example-1.0").unwrap()
}

fn key(letter: char) -> PublicKey {
    PublicKey::from_bytes(signing_key(letter).verifying_key().as_bytes()).unwrap()
}

fn signed(content: &[u8]) -> String {
    check(content).unwrap();
    frame(&name(), &key('A'), &signing_key('A').sign(content).to_bytes())
}

fn signed_list() -> String {
    let list = check_list(LIST.as_bytes()).unwrap();
    frame_list(&name(), &key('A'), &signing_key('A').sign(list.tbs()).to_bytes(), &list)
}

#[test]
fn the_files_are_laid_out_as_specified() {
    let text = signed(CONTENT);
    let [comment, signature, ""] = text.split('\n').collect::<Vec<_>>()[..] else { panic!("{text}") };
    assert_eq!(comment, "untrusted comment: verify with example-1.0.pub");
    assert!(signature.starts_with("RW") && signature.len() == 100);
    let public = NumberedKey::from(key('A'));
    let file = public_key_file(&name(), &key('A'));
    assert_eq!(file, format!("untrusted comment: example-1.0 public key\n{}\n", public.to_base64()));
    assert_eq!(NumberedKey::parse(&file), Ok(public));
    assert!(signed_list().ends_with(&format!("=\n{LIST}")));
}

#[test]
fn a_signature_is_good_for_its_key_and_content_only() {
    let (text, own, other) = (signed(CONTENT), NumberedKey::from(key('A')), NumberedKey::from(key('B')));
    assert_eq!(verify(&text, &own, CONTENT), Ok(()));
    assert_eq!(verify(&text, &other, CONTENT), Err(SignifyError::OtherKey { found: own.number, expected: other.number }));
    let disguised = NumberedKey { number: own.number, key: other.key };
    for (key, content) in [(disguised, CONTENT), (own, b"another".as_slice())] {
        assert_eq!(verify(&text, &key, content), Err(SignifyError::Signature(SignatureError::Mismatch)));
    }
}

#[test]
fn a_list_is_signed_in_its_own_file() {
    let (text, own) = (signed_list(), NumberedKey::from(key('A')));
    let list = verify_list(&text, &own).unwrap();
    assert_eq!((list.tbs(), list.checksums().entries[0].name), (LIST.as_bytes(), "a file"));
    assert!(matches!(verify_list(&text.replace("a file", "another"), &own), Err(SignifyError::Signature(_))));
    assert!(matches!(verify_list(&text, &key('B').into()), Err(SignifyError::OtherKey { .. })));
    assert_eq!(SignifySignature::parse(&text), Err(SignifyError::Form(FormError { line: 3, what: "stands after the end" })));
    // Signed by the key, but not a list.
    let other = [signed(CONTENT), String::new()].concat();
    assert!(matches!(verify_list(&other, &own), Err(SignifyError::Signature(_))));
    let note = [signed(b"a text\n"), "a text\n".to_owned()].concat();
    assert!(matches!(verify_list(&note, &own), Err(SignifyError::List(_))));
}

#[test]
fn lists_that_signify_reads_otherwise_are_refused() {
    let gnu = format!("{}  a\n", "0".repeat(64));
    let error = check_list(gnu.as_bytes()).unwrap_err();
    assert_eq!((error.document, error.fault), (Document::Checksums, ContentFault::NotBsd));
    let error = check_list(format!("{LIST}{}", LIST.replace("a file", "a (1)")).as_bytes()).unwrap_err();
    assert_eq!((error.fault, error.offset), (ContentFault::FileName("has a closing parenthesis"), LIST.len()));
}

#[test]
fn what_other_constructions_mean_is_not_signed() {
    for good in [CONTENT, LIST.as_bytes(), b"a text\n", b"x"] {
        assert_eq!(check(good), Ok(()));
    }
    for bad in [&[][..], &[7; 32], &[7; 64], b"SSHSIG\0", b"DSSEv1 1 a 1 a", b"log\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"] {
        assert!(check(bad).is_err(), "{bad:?}");
    }
    assert!(check(&vector("ostree/dev.commit")).is_err());
}

#[test]
fn each_part_of_a_signature_is_checked() {
    for bad in ["", ".a", "-a", "a/b", "a b", "a\n", "é", &"n".repeat(65)] {
        assert_eq!(KeyName::new(bad), Err(SignifyError::KeyName), "{bad:?}");
    }
    let text = signed(CONTENT);
    let line = |text: &str| match SignifySignature::parse(text) {
        Err(SignifyError::Form(FormError { line, .. })) => line,
        other => panic!("{other:?}"),
    };
    assert_eq!(line(&text[1..]), 1);
    assert_eq!(line(""), 1);
    assert_eq!(line(text.trim_end()), 2);
    assert_eq!(line(&text.replace("\nRW", "\nRU")), 2);
    assert_eq!(line(&text.replace("\nRW", "\n")), 2);
    assert_eq!(line(&format!("{text}\n")), 3);
    assert_eq!(line(&text.replace('\n', "\r\n")), 1);
}

proptest! {
    #[test]
    fn what_is_framed_is_read_back(name in "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}", half in any::<[u8; 32]>()) {
        let (name, signature) = (KeyName::new(&name).unwrap(), [half, half].concat().try_into().unwrap());
        let read = SignifySignature::parse(&frame(&name, &key('A'), &signature));
        let comment = format!("verify with {name}.pub");
        prop_assert_eq!(read, Ok(SignifySignature { comment, key_number: KeyNumber::of(&key('A')), signature }));
    }

    #[test]
    fn any_change_but_of_the_comment_is_noticed(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = signed_list().into_bytes();
        let start = bytes.iter().position(|b| *b == b'\n').unwrap();
        let at = start + at.index(bytes.len() - start);
        bytes[at] ^= flip;
        prop_assert!(!std::str::from_utf8(&bytes).is_ok_and(|text| verify_list(text, &key('A').into()).is_ok()));
    }
}

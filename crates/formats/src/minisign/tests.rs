use super::*;
use crate::vectors::signing_key;
use blake2::{Blake2b512, Digest};
use ed25519_dalek::Signer;
use proptest::prelude::*;

const MESSAGE: &[u8] = b"a message\n";
const TIME: u64 = 1_700_000_000;

fn digest() -> Vec<u8> {
    Blake2b512::digest(MESSAGE).to_vec()
}

fn key(letter: char) -> PublicKey {
    PublicKey::from_bytes(signing_key(letter).verifying_key().as_bytes()).unwrap()
}

fn signed() -> String {
    let secret = signing_key('A');
    let comment = TrustedComment::new(TIME, "a file.iso").unwrap();
    let signature = secret.sign(&tbs(&digest()).unwrap()).to_bytes();
    let global = secret.sign(&global_tbs(&signature, &comment)).to_bytes();
    frame(&key('A'), &signature, &comment, &global)
}

#[test]
fn the_files_are_laid_out_as_specified() {
    let text = signed();
    let lines: Vec<_> = text.split('\n').collect();
    let [untrusted, signature, trusted, global, ""] = lines[..] else { panic!("{text}") };
    let public = NumberedKey::from(key('A'));
    assert_eq!(untrusted, format!("untrusted comment: verify with minisign -P {}", public.to_base64()));
    assert!(signature.starts_with("RU") && signature.len() == 100);
    assert_eq!(trusted, "trusted comment: timestamp:1700000000\tfile:a file.iso\thashed");
    assert_eq!(global.len(), 88);
    let file = public_key_file(&key('A'));
    assert_eq!(file, format!("untrusted comment: minisign public key {}\n{}\n", public.number, public.to_base64()));
    assert!(public.to_base64().starts_with("RW") && public.to_base64().len() == 56);
    assert_eq!(public.number.as_bytes()[..], key('A').key_id()[..8]);
}

#[test]
fn public_keys_are_read_from_files_and_from_one_line() {
    let (key, file) = (NumberedKey::from(key('A')), public_key_file(&key('A')));
    for good in [file.clone(), key.to_base64(), format!(" {}\n", key.to_base64()), file.replace("minisign", "")] {
        assert_eq!(NumberedKey::parse(&good), Ok(key), "{good:?}");
    }
    let random = NumberedKey { number: KeyNumber::from_bytes(*b"12345678"), ..key };
    assert_eq!(NumberedKey::parse(&random.to_base64()), Ok(random));
    assert_eq!(random.number.to_string(), "3837363534333231");
    assert_eq!(KeyNumber::from_bytes([0xcd, 0xab, 0, 0, 0, 0, 0, 0x01]).to_string(), "10000000000ABCD", "as minisign shows it");
    let line = key.to_base64();
    for bad in ["", &line[..52], &format!("{line}\n{line}"), &format!("{file}{line}"), &file[1..], &file.replace('\n', "\r\n")] {
        assert!(matches!(NumberedKey::parse(bad), Err(KeyFileError::Form(_))), "{bad:?}");
    }
    let prehashed = numbered::encode(*b"ED", key.number, key.key.as_bytes());
    assert!(matches!(NumberedKey::parse(&prehashed), Err(KeyFileError::Form(FormError { line: 1, .. }))));
    let weak = numbered::encode(*b"Ed", key.number, &[0; 32]);
    assert!(matches!(NumberedKey::parse(&weak), Err(KeyFileError::Key(_))));
}

#[test]
fn a_signature_is_good_for_its_key_content_and_comment_only() {
    let (text, own) = (signed(), NumberedKey::from(key('A')));
    assert_eq!(verify(&text, &own, &digest()).unwrap(), "timestamp:1700000000\tfile:a file.iso\thashed");
    let other = NumberedKey::from(key('B'));
    assert_eq!(verify(&text, &other, &digest()), Err(MinisignError::OtherKey { found: own.number, expected: other.number }));
    let disguised = NumberedKey { number: own.number, key: other.key };
    assert!(matches!(verify(&text, &disguised, &digest()), Err(MinisignError::Signature(_))));
    let another = Blake2b512::digest(b"another");
    assert_eq!(verify(&text, &own, &another), Err(MinisignError::Signature(SignatureError::Mismatch)));
    assert_eq!(verify(&text, &own, &another[..32]), Err(MinisignError::DigestLength { found: 32 }));
    let renamed = text.replace("a file.iso", "other.iso");
    assert_eq!(verify(&renamed, &own, &digest()), Err(MinisignError::Comment(SignatureError::Mismatch)));
}

#[test]
fn names_that_could_deceive_are_refused() {
    for good in ["a", "a b", "é.iso", "-", "...", &"n".repeat(255)] {
        assert!(TrustedComment::new(TIME, good).is_ok(), "{good:?}");
    }
    let mark = "iso.\u{202e}exe";
    for bad in ["", ".", "..", "a/b", "a\\b", "a\tb", "a\nb", "a\u{1b}[2J", "a\u{7f}", "a\u{85}", mark, &"n".repeat(256)] {
        assert_eq!(TrustedComment::new(TIME, bad), Err(MinisignError::FileName), "{bad:?}");
    }
    let comment = TrustedComment::new(u64::MAX, "a").unwrap();
    assert!(TrustedComment::is_signed_in(&global_tbs(&[0; 64], &comment)));
    assert!(!TrustedComment::is_signed_in(comment.as_str().as_bytes()));
}

#[test]
fn each_line_of_a_signature_is_checked() {
    let text = signed();
    let line = |text: &str| match MinisignSignature::parse(text) {
        Err(MinisignError::Form(FormError { line, .. })) => line,
        other => panic!("{other:?}"),
    };
    let lines: Vec<_> = text.lines().collect();
    let with = |n: usize, new: &str| {
        let mut lines = lines.clone();
        lines[n - 1] = new;
        format!("{}\n", lines.join("\n"))
    };
    assert!(MinisignSignature::parse(&with(1, "untrusted comment: ")).is_ok());
    for bad in ["", "comment: x", "untrusted comment: \u{1b}", &format!("untrusted comment: {}", "x".repeat(1000))] {
        assert_eq!(line(&with(1, bad)), 1);
    }
    for bad in ["", lines[3], &lines[1][..99], &lines[1][4..], &lines[1].replacen("RU", "RV", 1), &format!("{} ", lines[1])] {
        assert_eq!(line(&with(2, bad)), 2);
    }
    for bad in ["", "untrusted comment: x", "trusted comment: \r", &format!("trusted comment: {}", "x".repeat(8001))] {
        assert_eq!(line(&with(3, bad)), 3);
    }
    for bad in ["", lines[1], &lines[3][..84]] {
        assert_eq!(line(&with(4, bad)), 4);
    }
    assert_eq!(line(text.trim_end()), 4);
    assert_eq!(line(&format!("{text}\n")), 5);
    assert_eq!(MinisignSignature::parse(&with(2, &lines[1].replacen("RU", "RW", 1))), Err(MinisignError::Legacy));
}

proptest! {
    #[test]
    fn what_is_framed_is_read_back(time in any::<u64>(), file in "[a-zA-Z0-9 é._-]{3,100}", a in any::<[u8; 32]>(), b in any::<[u8; 32]>()) {
        let Ok(comment) = TrustedComment::new(time, &file) else { return Ok(()) };
        let (signature, global_signature) = ([a, b].concat().try_into().unwrap(), [b, a].concat().try_into().unwrap());
        let read = MinisignSignature::parse(&frame(&key('A'), &signature, &comment, &global_signature));
        let trusted_comment = comment.as_str().to_owned();
        prop_assert_eq!(read, Ok(MinisignSignature { key_number: KeyNumber::of(&key('A')), signature, trusted_comment, global_signature }));
    }

    #[test]
    fn any_change_but_of_the_untrusted_comment_is_noticed(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let mut bytes = signed().into_bytes();
        let start = bytes.iter().position(|b| *b == b'\n').unwrap();
        let at = start + at.index(bytes.len() - start);
        bytes[at] ^= flip;
        let verified = std::str::from_utf8(&bytes).is_ok_and(|text| verify(text, &key('A').into(), &digest()).is_ok());
        prop_assert!(!verified);
    }
}

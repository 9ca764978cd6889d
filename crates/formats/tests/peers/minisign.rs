//! minisign checks our signatures, and we check its.

use super::{key, peer};
use blake2::{Blake2b512, Digest};
use chancery_formats::minisign::{MinisignError, NumberedKey, TrustedComment, frame, global_tbs, public_key_file, tbs, verify};
use ed25519_dalek::Signer;
use std::path::Path;
use std::process::Output;

const MESSAGE: &[u8] = b"what is signed\n";

fn minisign(dir: &Path, arguments: &[&str]) -> Output {
    peer("minisign", dir, arguments, b"")
}

#[test]
fn minisign_believes_our_signatures() {
    if super::skipped("minisign") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (secret, public) = key(7);
    let (_, other) = key(8);
    let line = NumberedKey::from(public).to_base64();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("key.pub", public_key_file(&public).as_bytes());
    write("other.pub", public_key_file(&other).as_bytes());
    for file in ["m", "with spaces & é", &"n".repeat(255)] {
        let comment = TrustedComment::new(1_700_000_000, file).unwrap();
        let signature = secret.sign(&tbs(&Blake2b512::digest(MESSAGE)).unwrap()).to_bytes();
        let global = secret.sign(&global_tbs(&signature, &comment)).to_bytes();
        let text = frame(&public, &signature, &comment, &global);
        write("m", MESSAGE);
        write("m.minisig", text.as_bytes());
        for key in [["-p", "key.pub"], ["-P", &line]] {
            let good = minisign(dir.path(), &[&["-V", "-H", "-m", "m"], &key[..]].concat());
            assert!(good.status.success(), "{good:?}");
            let expected = format!("Trusted comment: {}\n", comment.as_str());
            assert!(String::from_utf8_lossy(&good.stdout).contains(&expected), "{good:?}");
            assert!(minisign(dir.path(), &[&["-V", "-m", "m"], &key[..]].concat()).status.success(), "without -H");
        }
        let refused = |what: &str, key: &str| {
            assert!(!minisign(dir.path(), &["-V", "-m", "m", "-p", key]).status.success(), "{what}");
        };
        refused("another key", "other.pub");
        write("m", b"what is Signed\n");
        refused("one flipped bit of the content", "key.pub");
        write("m", &MESSAGE[1..]);
        refused("content that was cut off", "key.pub");
        write("m", MESSAGE);
        write("m.minisig", text.replace(":1700000000", ":1700000001").as_bytes());
        refused("one flipped bit of the comment", "key.pub");
        write("m.minisig", &text.as_bytes()[..text.len() - 20]);
        refused("a signature that was cut off", "key.pub");
    }
}

#[test]
fn we_believe_the_signatures_of_minisign() {
    if super::skipped("minisign") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = minisign(dir.path(), arguments);
        assert!(output.status.success(), "{output:?}");
    };
    std::fs::write(dir.path().join("m"), MESSAGE).unwrap();
    run(&["-G", "-W", "-p", "key.pub", "-s", "key"]);
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    let public = NumberedKey::parse(&read("key.pub")).unwrap();
    assert!(read("key.pub").contains(&public.number.to_string()), "{}", read("key.pub"));
    assert_eq!(NumberedKey::parse(read("key.pub").lines().last().unwrap()), Ok(public));
    let digest = Blake2b512::digest(MESSAGE);
    run(&["-S", "-H", "-s", "key", "-m", "m"]);
    let style = verify(&read("m.minisig"), &public, &digest).unwrap();
    let time = style.strip_prefix("timestamp:").and_then(|rest| rest.split('\t').next()).unwrap().parse().unwrap();
    assert_eq!(TrustedComment::new(time, "m").unwrap().as_str(), style, "the comment of minisign itself");
    run(&["-S", "-H", "-s", "key", "-m", "m", "-t", "other comments are read too", "-c", "one\u{e9}"]);
    assert_eq!(verify(&read("m.minisig"), &public, &digest).unwrap(), "other comments are read too");
    assert!(matches!(verify(&read("m.minisig"), &public, &Blake2b512::digest(b"x")), Err(MinisignError::Signature(_))));
    run(&["-S", "-l", "-s", "key", "-m", "m"]);
    assert_eq!(verify(&read("m.minisig"), &public, &digest), Err(MinisignError::Legacy));
}

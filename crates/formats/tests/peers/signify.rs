//! signify checks our signatures, and we check its.

use super::{key, peer};
use chancery_formats::signify::{
    KeyName, NumberedKey, SignifySignature, check, check_list, frame, frame_list, public_key_file, verify, verify_list,
};
use ed25519_dalek::Signer;
use sha2::{Digest, Sha256, Sha512};
use std::fmt::Write;
use std::path::Path;
use std::process::Output;

const MESSAGE: &[u8] = b"\x7fELF, which is signed\n";

fn signify(dir: &Path, arguments: &[&str]) -> Output {
    peer("signify-openbsd", dir, arguments, b"")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn signify_believes_our_signatures() {
    if super::skipped("signify") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ((secret, public), (_, other)) = (key(7), key(8));
    let name = KeyName::new("release-1.0").unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("release-1.0.pub", public_key_file(&name, &public).as_bytes());
    write("other.pub", public_key_file(&name, &other).as_bytes());
    check(MESSAGE).unwrap();
    let text = frame(&name, &public, &secret.sign(MESSAGE).to_bytes());
    let accepted = |key: &str| signify(dir.path(), &["-V", "-p", key, "-x", "m.sig", "-m", "m"]).status.success();
    write("m", MESSAGE);
    write("m.sig", text.as_bytes());
    assert!(accepted("release-1.0.pub"));
    assert!(!accepted("other.pub"), "another key");
    write("m.sig", &text.as_bytes()[..text.len() - 20]);
    assert!(!accepted("release-1.0.pub"), "a signature that was cut off");
    write("m.sig", text.as_bytes());
    write("m", b"\x7fELF, which is Signed\n");
    assert!(!accepted("release-1.0.pub"), "one flipped bit");
}

#[test]
fn signify_believes_our_lists_and_the_files_in_them() {
    if super::skipped("signify") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let ((secret, public), (_, other)) = (key(7), key(8));
    let name = KeyName::new("release-1.0").unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(dir.path().join(name), bytes).unwrap();
    write("key.pub", public_key_file(&name, &public).as_bytes());
    write("other.pub", public_key_file(&name, &other).as_bytes());
    // As long as a name can be in a directory, and with everything that our lists let pass.
    let files = ["m", "two words", "(1", "= é", &"n".repeat(255)];
    files.iter().for_each(|file| write(file, MESSAGE));
    let accepted = |key: &str| signify(dir.path(), &["-C", "-p", key, "-x", "list.sig"]);
    for (algorithm, digest) in [("SHA256", hex(&Sha256::digest(MESSAGE))), ("SHA512", hex(&Sha512::digest(MESSAGE)))] {
        let mut text = String::new();
        files.iter().for_each(|file| writeln!(text, "{algorithm} ({file}) = {digest}").unwrap());
        let list = check_list(text.as_bytes()).unwrap();
        let signed = frame_list(&name, &public, &secret.sign(list.tbs()).to_bytes(), &list);
        write("list.sig", signed.as_bytes());
        let good = accepted("key.pub");
        assert!(good.status.success(), "{good:?}");
        files.iter().for_each(|file| assert!(String::from_utf8_lossy(&good.stdout).contains(&format!("{file}: OK\n")), "{good:?}"));
        assert_eq!(verify_list(&signed, &public.into()).unwrap(), list);
        assert!(!accepted("other.pub").status.success(), "another key");
        write("list.sig", signed.replace("two words", "two Words").as_bytes());
        assert!(!accepted("key.pub").status.success(), "one flipped bit of the list");
        write("list.sig", &signed.as_bytes()[..signed.len() - 1]);
        assert!(!accepted("key.pub").status.success(), "a list that was cut off");
        write("list.sig", signed.as_bytes());
        write("m", b"another");
        assert!(!accepted("key.pub").status.success(), "another file");
        write("m", MESSAGE);
    }
}

#[test]
fn we_believe_the_signatures_of_signify() {
    if super::skipped("signify") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let output = signify(dir.path(), arguments);
        assert!(output.status.success(), "{output:?}");
    };
    let read = |name: &str| std::fs::read_to_string(dir.path().join(name)).unwrap();
    run(&["-G", "-n", "-c", "a comment", "-p", "key.pub", "-s", "key.sec"]);
    let public = NumberedKey::parse(&read("key.pub")).unwrap();
    std::fs::write(dir.path().join("m"), MESSAGE).unwrap();
    run(&["-S", "-s", "key.sec", "-m", "m"]);
    assert_eq!(verify(&read("m.sig"), &public, MESSAGE), Ok(()));
    assert!(verify(&read("m.sig"), &public, b"another").is_err());
    let ours = frame(&KeyName::new("key").unwrap(), &public.key, &SignifySignature::parse(&read("m.sig")).unwrap().signature);
    assert_eq!(ours.lines().next(), read("m.sig").lines().next(), "the comment of signify itself");
    let list = format!("SHA256 (m) = {}\n", hex(&Sha256::digest(MESSAGE)));
    std::fs::write(dir.path().join("list"), &list).unwrap();
    run(&["-S", "-e", "-s", "key.sec", "-m", "list"]);
    assert_eq!(verify_list(&read("list.sig"), &public).unwrap().tbs(), list.as_bytes());
    assert!(verify_list(&read("list.sig").replace("(m)", "(n)"), &public).is_err());
}

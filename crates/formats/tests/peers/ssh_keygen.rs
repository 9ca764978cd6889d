//! OpenSSH checks our signatures, and we check its.

use chancery_formats::ed25519::PublicKey;
use chancery_formats::sshsig::{HashAlgorithm, armor, tbs, verify};
use ed25519_dalek::{Signer, SigningKey};
use sha2::{Digest, Sha256, Sha512};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const MESSAGE: &[u8] = b"what is signed\n";

fn digest(algorithm: HashAlgorithm) -> Vec<u8> {
    match algorithm {
        HashAlgorithm::Sha256 => Sha256::digest(MESSAGE).to_vec(),
        HashAlgorithm::Sha512 => Sha512::digest(MESSAGE).to_vec(),
    }
}

fn ssh_keygen(dir: &Path, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = Command::new("ssh-keygen");
    command.current_dir(dir).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("ssh-keygen is needed; CHANCERY_SKIP=ssh-keygen does without");
    // It may refuse before it has read everything.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

#[test]
fn ssh_keygen_believes_our_signatures() {
    if super::skipped("ssh-keygen") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_bytes(&Sha256::digest(dir.path().as_os_str().as_encoded_bytes()).into());
    let public = PublicKey::from_bytes(key.verifying_key().as_bytes()).unwrap();
    std::fs::write(dir.path().join("allowed"), format!("me {}\n", public.to_openssh("a comment"))).unwrap();
    for algorithm in [HashAlgorithm::Sha256, HashAlgorithm::Sha512] {
        let signature = key.sign(&tbs("file", algorithm, &digest(algorithm)).unwrap()).to_bytes();
        let text = armor(public.as_bytes(), "file", algorithm, &signature);
        std::fs::write(dir.path().join("sig"), &text).unwrap();
        let check = |namespace: &str, message: &[u8]| {
            ssh_keygen(dir.path(), &["-Y", "verify", "-f", "allowed", "-I", "me", "-n", namespace, "-s", "sig"], message)
        };
        let good = check("file", MESSAGE);
        assert!(good.status.success(), "{algorithm}: {good:?}");
        assert!(!check("git", MESSAGE).status.success(), "another namespace");
        assert!(!check("file", b"another message").status.success(), "another message");
    }
}

#[test]
fn we_believe_the_signatures_of_ssh_keygen() {
    if super::skipped("ssh-keygen") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let made = ssh_keygen(dir.path(), &["-q", "-t", "ed25519", "-N", "", "-C", "two words", "-f", "key"], b"");
    assert!(made.status.success(), "{made:?}");
    let line = std::fs::read_to_string(dir.path().join("key.pub")).unwrap();
    let public = PublicKey::from_openssh(&line).unwrap();
    assert_eq!(public.to_openssh("two words"), line.trim_end());
    for hash in ["sha256", "sha512"] {
        let option = format!("hashalg={hash}");
        let signed = ssh_keygen(dir.path(), &["-Y", "sign", "-f", "key", "-n", "release@example.org", "-O", &option], MESSAGE);
        let text = String::from_utf8(signed.stdout).unwrap();
        assert_eq!(verify(&text, public.as_bytes(), "release@example.org", digest), Ok(()), "{text}");
        assert!(verify(&text, public.as_bytes(), "file", digest).is_err());
        assert!(verify(&text, public.as_bytes(), "release@example.org", |a| digest(a).into_iter().rev().collect()).is_err());
    }
}

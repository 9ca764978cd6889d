use super::*;
use crate::vectors::{signing_key, vector};
use ed25519_dalek::Signer;
use proptest::prelude::*;
use sha2::{Digest, Sha256, Sha512};

const MESSAGE: &[u8] = b"a message\n";

fn digest(algorithm: HashAlgorithm) -> Vec<u8> {
    match algorithm {
        HashAlgorithm::Sha256 => Sha256::digest(MESSAGE).to_vec(),
        HashAlgorithm::Sha512 => Sha512::digest(MESSAGE).to_vec(),
    }
}

fn public_key() -> [u8; 32] {
    signing_key('A').verifying_key().to_bytes()
}

fn signed(namespace: &str, algorithm: HashAlgorithm) -> String {
    let tbs = tbs(namespace, algorithm, &digest(algorithm)).unwrap();
    armor(&public_key(), namespace, algorithm, &signing_key('A').sign(&tbs).to_bytes())
}

/// The armored form of `signed` with bytes of the binary form changed.
fn changed(change: impl FnOnce(&mut Vec<u8>)) -> Result<SshSignature, SshsigError> {
    let mut blob = armor::unwrap(&signed("file", HashAlgorithm::Sha512)).unwrap();
    change(&mut blob);
    SshSignature::parse(&armor::wrap(&blob))
}

#[test]
fn our_signatures_are_those_of_ssh_keygen() {
    for (name, namespace, algorithm) in [("file.sha512", "file", HashAlgorithm::Sha512), ("git.sha256", "git", HashAlgorithm::Sha256)] {
        let golden = String::from_utf8(vector(&format!("sshsig/{name}.sig"))).unwrap();
        assert_eq!(signed(namespace, algorithm), golden, "{name}");
        verify(&golden, &public_key(), namespace, digest).unwrap();
    }
}

#[test]
fn the_signed_bytes_are_laid_out_as_specified() {
    let tbs = tbs("file", HashAlgorithm::Sha256, &[7; 32]).unwrap();
    let expected = [b"SSHSIG\0\0\0\x04file\0\0\0\0\0\0\0\x06sha256\0\0\0\x20".as_slice(), &[7; 32]].concat();
    assert_eq!(tbs, expected);
}

#[test]
fn what_cannot_be_signed_is_refused() {
    for namespace in ["", "a\nb", "a\0", &"n".repeat(256)] {
        assert_eq!(tbs(namespace, HashAlgorithm::Sha256, &[0; 32]), Err(SshsigError::Namespace), "{namespace:?}");
    }
    assert!(tbs(&"n".repeat(255), HashAlgorithm::Sha256, &[0; 32]).is_ok());
    let error = tbs("file", HashAlgorithm::Sha512, &[0; 32]).unwrap_err();
    assert_eq!(error.to_string(), "a digest made with sha512 has 64 bytes, this one has 32");
    let error = "sha1".parse::<HashAlgorithm>().unwrap_err();
    assert_eq!(error.to_string(), "SSH signatures are made with sha256 or sha512, not with \"sha1\"");
}

#[test]
fn a_signature_is_good_for_its_key_namespace_and_message_only() {
    let text = signed("file", HashAlgorithm::Sha512);
    assert_eq!(verify(&text, &public_key(), "file", digest), Ok(()));
    let other_key = signing_key('B').verifying_key().to_bytes();
    assert_eq!(verify(&text, &other_key, "file", digest), Err(SshsigError::OtherKey));
    assert!(matches!(verify(&text, &public_key(), "git", digest), Err(SshsigError::OtherNamespace { .. })));
    let other_message = |_| Sha512::digest(b"another").to_vec();
    assert_eq!(verify(&text, &public_key(), "file", other_message), Err(SshsigError::Signature(SignatureError::Mismatch)));
    assert!(matches!(verify(&text, &public_key(), "file", |_| vec![]), Err(SshsigError::DigestLength { .. })));
}

#[test]
fn armor_may_stand_in_white_space_and_in_nothing_else() {
    let text = signed("file", HashAlgorithm::Sha512);
    for good in [format!("\n{text}\n\n"), text.replace('\n', "\r\n"), text.trim_end().to_owned()] {
        assert!(SshSignature::parse(&good).is_ok(), "{good}");
    }
    for bad in
        [format!("x{text}"), format!("{text}x"), format!("{text}{text}"), text[1..].to_owned(), text.replace("END", "END "), String::new()]
    {
        assert!(matches!(SshSignature::parse(&bad), Err(SshsigError::Armor { .. })), "{bad}");
    }
}

#[test]
fn each_part_of_the_binary_form_is_checked() {
    let blob = |what: &str, result: Result<SshSignature, SshsigError>| {
        let SshsigError::Blob { what: found, offset } = result.unwrap_err() else { panic!("{what}") };
        assert!(found.contains(what), "{found} instead of {what}");
        offset
    };
    assert!(changed(|_| ()).is_ok());
    assert_eq!(blob("magic", changed(|b| b[0] = b's')), 0);
    assert_eq!(blob("version", changed(|b| b[9] = 2)), 6);
    assert_eq!(blob("key", changed(|b| b[18] = b'S')), 10);
    assert_eq!(blob("UTF-8", changed(|b| b[69] = 0xff)), 65);
    assert_eq!(changed(|b| b[69] = 0), Err(SshsigError::Namespace));
    assert_eq!(blob("reserved", changed(|b| drop(b.splice(73..77, [0, 0, 0, 1, 7])))), 73);
    assert_eq!(blob("hash name", changed(|b| b[86] = b'3')), 77);
    assert_eq!(blob("signature", changed(|b| b[95] = b'S')), 87);
    assert_eq!(blob("after its end", changed(|b| b.push(0))), 174);
    assert_eq!(blob("its end", changed(|b| b.truncate(100))), 87);
}

proptest! {
    #[test]
    fn what_is_armored_is_read_back(
        key in any::<[u8; 32]>(), namespace in "[a-zA-Z0-9@. -]{1,255}", sha512 in any::<bool>(), half in any::<[u8; 32]>(),
    ) {
        let algorithm = if sha512 { HashAlgorithm::Sha512 } else { HashAlgorithm::Sha256 };
        let signature = [half, half].concat().try_into().unwrap();
        let text = armor(&key, &namespace, algorithm, &signature);
        prop_assert!(text.lines().all(|l| l.len() <= 70));
        prop_assert_eq!(SshSignature::parse(&text), Ok(SshSignature { public_key: key, namespace, algorithm, signature }));
    }

    #[test]
    fn any_change_is_noticed(at in any::<prop::sample::Index>(), flip in 1..=255_u8) {
        let read = changed(|b| {
            let at = at.index(b.len());
            b[at] ^= flip;
        });
        if let Ok(signature) = read {
            let good = signature.public_key == public_key() && signature.namespace == "file";
            prop_assert!(!good || signature.verify(&digest(signature.algorithm)).is_err());
        }
    }
}

#[test]
fn what_an_agent_is_asked_to_sign_is_read_only_when_it_is_an_ssh_signature() {
    let good = tbs("file", HashAlgorithm::Sha256, &[7; 32]).unwrap();
    let read = Tbs { namespace: "file".to_owned(), algorithm: HashAlgorithm::Sha256, digest: vec![7; 32] };
    assert_eq!(Tbs::parse(&good), Ok(read));
    // A login: session id, SSH_MSG_USERAUTH_REQUEST, user, service, method (RFC 4252 section 7).
    let mut login = b"\0\0\0\x20".to_vec();
    login.extend([9; 32]);
    login.push(50);
    for part in ["root", "ssh-connection", "publickey"] {
        crate::ssh::put_string(&mut login, part.as_bytes());
    }
    for refused in [login.as_slice(), b"", &good[..good.len() - 1], &[&good[..], b"x"].concat(), &good[1..]] {
        assert!(Tbs::parse(refused).is_err());
    }
    let long = [b"SSHSIG\0\0\0\x04file\0\0\0\0\0\0\0\x06sha256\0\0\0\x21".as_slice(), &[7; 33]].concat();
    assert_eq!(Tbs::parse(&long), Err(SshsigError::DigestLength { algorithm: HashAlgorithm::Sha256, expected: 32, found: 33 }));
}

proptest! {
    #[test]
    fn signed_bytes_are_read_as_they_were_written(namespace in "[a-z@.]{1,40}", digest in proptest::array::uniform32(any::<u8>())) {
        let bytes = tbs(&namespace, HashAlgorithm::Sha256, &digest).unwrap();
        prop_assert_eq!(Tbs::parse(&bytes), Ok(Tbs { namespace, algorithm: HashAlgorithm::Sha256, digest: digest.to_vec() }));
    }
}

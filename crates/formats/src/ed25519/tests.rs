use super::*;
use crate::vectors::{signing_key, vector};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signer, SigningKey};
use serde_json::Value as Json;

fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn the_vectors_of_rfc_8032_are_reproduced_and_verified() {
    let text = String::from_utf8(vector("ed25519/rfc8032.txt")).unwrap();
    let lines: Vec<Vec<_>> = text.lines().filter(|l| !l.starts_with('#')).map(|l| l.split(':').map(unhex).collect()).collect();
    assert_eq!(lines.len(), 4);
    for line in lines {
        let [seed, public, message, signature] = line.try_into().unwrap();
        let (seed, public): ([u8; 32], [u8; 32]) = (seed.try_into().unwrap(), public.try_into().unwrap());
        let signature: [u8; 64] = signature.try_into().unwrap();
        let key = SigningKey::from_bytes(&seed);
        assert_eq!(hex(key.verifying_key().as_bytes()), hex(&public));
        assert_eq!(hex(&key.sign(&message).to_bytes()), hex(&signature));
        assert_eq!(verify(&public, &message, &signature), Ok(()));
        assert_eq!(verify(&public, &[message, vec![0]].concat(), &signature), Err(SignatureError::Mismatch));
    }
}

#[test]
fn verdicts_are_those_of_wycheproof() {
    let file: Json = serde_json::from_slice(&vector("ed25519/wycheproof_ed25519_test.json")).unwrap();
    let mut seen = std::collections::BTreeMap::new();
    for group in file["testGroups"].as_array().unwrap() {
        let public: [u8; 32] = unhex(group["publicKey"]["pk"].as_str().unwrap()).try_into().unwrap();
        for test in group["tests"].as_array().unwrap() {
            let message = unhex(test["msg"].as_str().unwrap());
            let signature = unhex(test["sig"].as_str().unwrap());
            let accepted = signature.try_into().is_ok_and(|signature| verify(&public, &message, &signature).is_ok());
            let (result, flag) = (test["result"].as_str().unwrap(), test["flags"][0].as_str().unwrap());
            match (result, flag) {
                ("valid", _) => assert!(accepted, "{test}"),
                ("invalid", _) | ("acceptable", "SmallOrderPublicKey") => assert!(!accepted, "{test}"),
                // Keys that nobody generates by the book; the vectors leave the choice to the verifier.
                ("acceptable", "MixedOrderPublicKey") => {}
                other => panic!("{other:?}"),
            }
            *seen.entry(result.to_owned()).or_insert(0) += 1;
        }
    }
    let expected = [("acceptable", 29), ("invalid", 64), ("valid", 117)].map(|(result, count)| (result.to_owned(), count));
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
}

#[test]
fn weak_keys_are_refused() {
    let identity = [1].into_iter().chain([0; 31]).collect::<Vec<u8>>().try_into().unwrap();
    assert_eq!(PublicKey::from_bytes(&identity), Err(KeyError::Weak));
    assert_eq!(verify(&identity, b"anything", &[0; 64]), Err(SignatureError::Key(KeyError::Weak)));
    assert_eq!(PublicKey::from_bytes(&[2; 32]), Err(KeyError::NotAPoint));
}

#[test]
fn every_text_form_is_read_back() {
    let key = PublicKey::from_bytes(signing_key('A').verifying_key().as_bytes()).unwrap();
    assert_eq!(key.to_ostree(), "hTQ7NwM3sUCSy3JS79d6CAq6hCEIASWrcSxgOnvqAd8=");
    assert_eq!(PublicKey::from_ostree(&format!(" {}\n", key.to_ostree())), Ok(key));
    assert_eq!(PublicKey::from_openssh(&key.to_openssh("release@example.org")), Ok(key));
    assert_eq!(PublicKey::from_openssh(&key.to_openssh("")), Ok(key));
    assert!(key.to_openssh("").starts_with("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI") && !key.to_openssh("").ends_with(' '));
    assert_eq!(PublicKey::from_openssh(&key.to_openssh("two\nlines")), Ok(key));
    assert_eq!(PublicKey::from_spki_der(&key.to_spki_der()), Ok(key));
    assert_eq!(PublicKey::from_spki_pem(&key.to_spki_pem()), Ok(key));
    let signify = crate::signify::KeyName::new("release").unwrap();
    for file in [crate::minisign::public_key_file(&key), crate::signify::public_key_file(&signify, &key)] {
        assert_eq!(crate::minisign::NumberedKey::parse(&file).map(|k| k.key), Ok(key));
    }
    let note = crate::note::NoteKey { name: crate::note::KeyName::new("example.org").unwrap(), key };
    assert_eq!(note.to_string().parse(), Ok(note));
}

#[test]
fn the_example_of_rfc_8410_is_the_key_id_input() {
    let pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";
    let key = PublicKey::from_spki_pem(pem).unwrap();
    assert_eq!(hex(key.as_bytes()), "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1");
    assert_eq!(key.to_spki_pem(), pem);
    let digest: [u8; 32] =
        Sha256::digest(unhex("302a300506032b657003210019bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1")).into();
    assert_eq!(key.key_id(), digest);
}

#[test]
fn what_is_nearly_a_key_is_refused() {
    let key = PublicKey::from_bytes(signing_key('A').verifying_key().as_bytes()).unwrap();
    let (ostree, ssh, pem) = (key.to_ostree(), key.to_openssh("c"), key.to_spki_pem());
    for bad in ["", &ostree[..40], &format!("{ostree}{ostree}"), &ssh, &ostree.replace('=', "")] {
        assert!(PublicKey::from_ostree(bad).is_err(), "{bad}");
    }
    let rsa = ssh.replace("ssh-ed25519", "ssh-rsa");
    for bad in ["", "ssh-ed25519", &ssh[12..], &rsa, &format!("{ssh}\n{ssh}"), &ssh.replace("AAAAC3", "AAAAD3"), &format!("no-pty {ssh}")] {
        assert!(PublicKey::from_openssh(bad).is_err(), "{bad}");
    }
    let longer = STANDARD.encode([STANDARD.decode(ssh.split(' ').nth(1).unwrap()).unwrap(), vec![0]].concat());
    assert!(PublicKey::from_openssh(&format!("ssh-ed25519 {longer}")).is_err());
    let der = key.to_spki_der();
    for bad in [&[][..], &der[..43], &[der.as_slice(), &[0]].concat(), &[&[0x31], &der[1..]].concat()] {
        assert!(PublicKey::from_spki_der(bad).is_err(), "{bad:02x?}");
    }
    for bad in ["", &pem.replace("PUBLIC", "PRIVATE"), &pem[1..], &format!("{pem}{pem}"), &pem.replace("MCow", "MCox")] {
        assert!(PublicKey::from_spki_pem(bad).is_err(), "{bad}");
    }
}

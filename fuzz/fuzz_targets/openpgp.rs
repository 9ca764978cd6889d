//! Any bytes as OpenPGP: signatures, exports of secret keys, certificates, armor. What is read of a signature is written again as one that reads
//! the same.
#![no_main]

use chancery_formats::openpgp::{Block, Certificate, Hasher, PublicKey, Signature, dearmor, has_key, is_signature, secret_keys};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(all) = Signature::read_all(bytes) {
        for signature in all {
            let tbs = signature.tbs(Hasher::new(signature.hash()));
            let again = Signature::read_all(&signature.packet(&tbs)).unwrap();
            assert_eq!(again.as_slice(), [signature]);
        }
    }
    let _ = (is_signature(bytes), secret_keys(bytes).map(|(keys, _)| keys.len()));
    if let Ok(certificate) = Certificate::parse(bytes) {
        assert!(!certificate.keys.is_empty());
    }
    let _ = has_key(bytes, &PublicKey { created: 7, point: [7; 32] });
    if let Ok(text) = std::str::from_utf8(bytes) {
        for block in [Block::Signature, Block::PublicKey, Block::PrivateKey] {
            let _ = dearmor(block, text);
        }
    }
});

//! Any text as a signify signature, with or without a list: what is read is written the same.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_formats::signify::{SignifySignature, check_list, verify_list};
use chancery_formats::{ed25519::PublicKey, signify::NumberedKey};
use libfuzzer_sys::fuzz_target;

/// The public key of the first test of RFC 8032, whose secret no fuzzer uses.
const KEY: &str = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

fuzz_target!(|text: &str| {
    if let Ok(list) = check_list(text.as_bytes()) {
        assert_eq!(list.tbs(), text.as_bytes());
    }
    let key = NumberedKey::from(PublicKey::from_ostree(KEY).unwrap());
    assert!(verify_list(text, &key).is_err());
    let Ok(read) = SignifySignature::parse(text) else { return };
    let blob = [b"Ed", read.key_number.as_bytes().as_slice(), &read.signature].concat();
    assert_eq!(format!("untrusted comment: {}\n{}\n", read.comment, STANDARD.encode(blob)), text);
});

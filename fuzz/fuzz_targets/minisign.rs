//! Any text as a minisign signature or public key: what is read means the same when written again.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_formats::minisign::{MinisignSignature, NumberedKey, TrustedComment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(key) = NumberedKey::parse(text) {
        assert_eq!(text.trim_ascii().lines().last(), Some(key.to_base64().as_str()));
        assert_eq!(NumberedKey::parse(&key.to_base64()), Ok(key));
    }
    if let Ok(comment) = TrustedComment::new(7, text) {
        assert_eq!(comment.as_str().matches('\t').count(), 2);
    }
    let Ok(read) = MinisignSignature::parse(text) else { return };
    let blob = [b"ED", read.key_number.as_bytes().as_slice(), &read.signature].concat();
    let (comment, _) = text.split_once('\n').unwrap();
    let global = STANDARD.encode(read.global_signature);
    assert_eq!(format!("{comment}\n{}\ntrusted comment: {}\n{global}\n", STANDARD.encode(blob), read.trusted_comment), text);
});

//! Any bytes as a DSSE envelope, a sigstore bundle or an in-toto statement: a statement that is read is written as the same bytes.
#![no_main]

use chancery_formats::dsse::{Envelope, Statement};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(statement) = Statement::parse(bytes) {
        assert_eq!(statement.to_json().as_bytes(), bytes);
    }
    for read in [Envelope::parse(bytes), Envelope::parse_bundle(bytes)].into_iter().flatten() {
        assert!(read.verify(&[7; 32]).is_err());
    }
});

//! Any bytes as TUF metadata: what is read is one role's, and is text.
#![no_main]

use chancery_formats::tuf::Metadata;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if Metadata::parse(bytes).is_ok() {
        assert!(std::str::from_utf8(bytes).is_ok());
        assert!(Metadata::parse(&bytes[1..]).is_err());
    }
});

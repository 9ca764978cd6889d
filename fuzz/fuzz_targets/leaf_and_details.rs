//! Any bytes as an entry of the log, and as stored private details: what is read is written as the same bytes.
#![no_main]

use chancery_reqlog::{Details, Leaf};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(leaf) = Leaf::parse(bytes) {
        assert_eq!(leaf.to_bytes(), bytes);
    }
    if let Ok(details) = Details::decode(bytes) {
        assert_eq!(details.encode(), bytes);
        let _ = details.commitment();
    }
});

//! Any bytes are content of one construction at most, and then not content without a meaning.
#![no_main]

use chancery_formats::checksums::Checksums;
use chancery_formats::note::NoteText;
use chancery_formats::ostree::{Commit, Summary};
use chancery_formats::raw;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let parsed = [
        Summary::parse(bytes).is_ok(),
        Commit::parse(bytes).is_ok(),
        Checksums::parse(bytes).is_ok(),
        NoteText::parse(bytes).is_ok(),
    ];
    let count = parsed.iter().filter(|ok| **ok).count();
    assert!(count <= 1, "{parsed:?}");
    assert!(count == 0 || raw::check(bytes).is_err());
});

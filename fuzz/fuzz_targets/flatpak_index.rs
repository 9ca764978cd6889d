//! Any bytes as an index of Flatpak: none is a summary or a commit too.
#![no_main]

use chancery_formats::ostree::{Commit, Index, Summary};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if Index::parse(bytes).is_ok() {
        assert!(Summary::parse(bytes).is_err() && Commit::parse(bytes).is_err());
    }
});

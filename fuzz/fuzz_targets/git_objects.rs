//! Any bytes as objects of git: none is both, and what is split is what was there.
#![no_main]

use chancery_formats::git::{Commit, Tag, split_commit, split_tag};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    assert!(!(Tag::parse(bytes).is_ok() && Commit::parse(bytes).is_ok()));
    if let Some((content, signature)) = split_tag(bytes) {
        assert_eq!([content, signature].concat(), bytes);
    }
    let _ = split_commit(bytes);
});

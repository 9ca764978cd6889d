//! Any bytes as a commit.
#![no_main]

use chancery_formats::ostree::{Commit, Summary, is_collection_id, is_ref_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match Commit::parse(data) {
        Ok(commit) => {
            assert!(Summary::parse(data).is_err(), "commit and summary in one");
            assert!(!data.starts_with(b"SSHSIG"));
            assert!(commit.ref_bindings.iter().all(|name| is_ref_name(name)));
            assert!(commit.collection_binding.is_none_or(is_collection_id));
        }
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
});

//! Any bytes as a summary.
#![no_main]

use chancery_formats::ostree::{Commit, Summary, is_collection_id, is_ref_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    match Summary::parse(data) {
        Ok(summary) => {
            assert!(Commit::parse(data).is_err(), "summary and commit in one");
            assert!(!data.starts_with(b"SSHSIG"));
            assert!(summary.refs.is_sorted_by(|a, b| a.name < b.name));
            for (collection, entry) in summary.all_refs() {
                assert!(collection.is_none_or(is_collection_id) && is_ref_name(entry.name));
            }
        }
        Err(error) => assert!(error.offset <= data.len(), "{error}"),
    }
});

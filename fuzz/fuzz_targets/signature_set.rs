//! Any bytes as a signature file: what is written is read back, and what was dropped stays dropped.
#![no_main]

use chancery_formats::ostree::signatures::{Others, SignatureSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok((mut set, dropped)) = SignatureSet::parse(data) else { return };
    if dropped.is_empty() {
        assert_eq!(set.encode(), data, "nothing was dropped, so every byte is kept");
    }
    set.put_ed25519([7; 64], Others::Keep);
    assert!(set.ed25519().contains(&[7; 64]));
    let written = set.encode();
    assert_eq!(SignatureSet::parse(&written), Ok((set, Vec::new())));
});

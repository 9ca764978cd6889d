//! Any text as a receipt: what is read is written the same, and proves nothing that was not logged.
#![no_main]

use chancery_tlog::{Hash, TlogProof, VerifierKey, encode_receipt, leaf_hash, verify_consistency, verify_inclusion};
use libfuzzer_sys::fuzz_target;

const LOG: &str = "signer.example/requests+eca62d7a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

fuzz_target!(|text: &str| {
    let Ok(proof) = text.parse::<TlogProof>() else { return };
    assert_eq!(proof.to_string(), text);
    if let Some(extra) = &proof.extra {
        assert_eq!(encode_receipt(extra, proof.index, &proof.hashes, &proof.checkpoint), text.as_bytes());
        let key: VerifierKey = LOG.parse().unwrap();
        if proof.verify(extra, &key).is_ok() {
            assert_eq!(extra, format!("entry {}", proof.index).as_bytes(), "the published log has such entries only");
        }
    }
    // Trees of sizes that the text picks: the hashes lead to none of their roots, and to no panic.
    let (leaf, root) = (leaf_hash(b"leaf"), Hash([7; 32]));
    for size in [proof.index.saturating_add(1), proof.index.saturating_mul(2), u64::MAX] {
        assert!(verify_inclusion(&leaf, proof.index, size, &proof.hashes, &root).is_err());
        assert!(verify_consistency(proof.index, &leaf, size, &root, &proof.hashes).is_err());
    }
});

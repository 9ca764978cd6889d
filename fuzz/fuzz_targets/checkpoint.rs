//! Any text as a checkpoint: what is read is written the same.
#![no_main]

use chancery_tlog::{Checkpoint, VerifierKey};
use libfuzzer_sys::fuzz_target;

const LOG: &str = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";

fuzz_target!(|text: &str| {
    if let Ok(checkpoint) = text.parse::<Checkpoint>() {
        assert_eq!(checkpoint.to_string(), text);
    }
    let key: VerifierKey = LOG.parse().unwrap();
    if let Ok(opened) = Checkpoint::open(text, &key) {
        assert_eq!(opened.origin, key.name());
        assert!(opened.size <= 15, "nobody but the owner of the key signs another");
    }
});

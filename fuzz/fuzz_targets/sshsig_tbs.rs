//! Any bytes as what an agent is asked to sign: only the signed bytes of an SSH signature are read, and are written the same.
#![no_main]

use chancery_formats::sshsig::{Tbs, tbs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(read) = Tbs::parse(bytes) else { return };
    assert_eq!(tbs(&read.namespace, read.algorithm, &read.digest).unwrap(), bytes);
});

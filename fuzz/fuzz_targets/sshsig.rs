//! Any text as an armored SSH signature: what is read is written the same.
#![no_main]

use chancery_formats::sshsig::{SshSignature, armor, tbs};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(read) = SshSignature::parse(text) else { return };
    let written = armor(&read.public_key, &read.namespace, read.algorithm, &read.signature);
    let strip = |text: &str| text.replace(|c: char| c.is_ascii_whitespace(), "");
    assert_eq!(strip(&written), strip(text));
    assert_eq!(SshSignature::parse(&written).as_ref(), Ok(&read));
    assert!(tbs(&read.namespace, read.algorithm, &vec![0; read.algorithm.digest_len()]).is_ok());
});

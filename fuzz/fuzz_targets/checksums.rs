//! Any bytes as a list of checksums: what is read is written the same, but for the mark of binary files.
#![no_main]

use chancery_formats::checksums::{Checksums, Form};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(list) = Checksums::parse(bytes) else { return };
    let text = std::str::from_utf8(bytes).unwrap();
    assert_eq!(text.lines().count(), list.entries.len());
    for (line, entry) in text.split_terminator('\n').zip(&list.entries) {
        let (digest, name) = (entry.digest, entry.name);
        assert_eq!(digest.len(), list.algorithm.digits());
        assert!(!name.split('/').any(|part| part.is_empty() || part == ".."), "{name}");
        match list.form {
            Form::Gnu => assert!(line == format!("{digest}  {name}") || line == format!("{digest} *{name}")),
            Form::Bsd => assert_eq!(line, format!("{} ({name}) = {digest}", list.algorithm.name())),
        }
    }
});

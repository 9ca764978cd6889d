//! Any text as a publisher's note: what is read is written the same, and what may be signed is read back.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_formats::note::{NoteKey, NoteText, SignedNote, frame};
use libfuzzer_sys::fuzz_target;
use std::fmt::Write as _;

const PETER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<NoteKey>() {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(parsed) = NoteText::parse(text.as_bytes()) {
        let note = frame(&parsed, &PETER.parse().unwrap(), &[7; 64]);
        assert_eq!(SignedNote::parse(&note).unwrap().text, text);
    }
    let Ok(note) = SignedNote::parse(text) else { return };
    let mut written = format!("{}\n", note.text);
    for line in &note.signatures {
        let data = [&line.hash[..], &line.signature].concat();
        writeln!(written, "\u{2014} {} {}", line.name, STANDARD.encode(data)).unwrap();
    }
    assert_eq!(written, text);
});

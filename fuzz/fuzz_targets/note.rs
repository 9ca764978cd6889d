//! Any text as a signed note: what is read is written the same.
#![no_main]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chancery_tlog::{Note, NoteError, VerifierKey};
use libfuzzer_sys::fuzz_target;
use std::fmt::Write as _;

const FOO: &str = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";

fuzz_target!(|text: &str| {
    if let Ok(key) = text.parse::<VerifierKey>() {
        assert_eq!(key.to_string(), text);
    }
    let Ok(note) = Note::parse(text) else { return };
    let mut written = format!("{}\n", note.text());
    for line in note.signatures() {
        let data = [&line.id[..], &line.payload].concat();
        writeln!(written, "\u{2014} {} {}", line.name, STANDARD.encode(data)).unwrap();
    }
    assert_eq!(written, text);
    // Nobody but the owner of the key can sign another text than the published one.
    match note.verify(&[FOO.parse().unwrap()]) {
        Ok(_) => assert_eq!(note.text(), "This is an example message.\n"),
        Err(error) => assert!(matches!(error, NoteError::Bad(_) | NoteError::Unsigned)),
    }
});

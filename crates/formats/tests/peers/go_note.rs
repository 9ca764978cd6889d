//! The notes of `golang.org/x/mod/sumdb/note`, the first reader of signed notes: it checks ours, and we check its.

use super::{key, peer};
use chancery_formats::note::{KeyName, NoteKey, NoteText, SignedNote, frame};
use ed25519_dalek::Signer;

const TEXT: &str = "example.org release\n\nversion 7 – and more\n";

/// `check VKEY` reads a note and writes its text. `sign NAME` makes a key, and writes it and a note of the text that it reads.
const PROGRAM: &str = r#"package main

import (
	"crypto/rand"
	"fmt"
	"io"
	"os"

	"golang.org/x/mod/sumdb/note"
)

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	input, err := io.ReadAll(os.Stdin)
	must(err)
	if os.Args[1] == "check" {
		verifier, err := note.NewVerifier(os.Args[2])
		must(err)
		opened, err := note.Open(input, note.VerifierList(verifier))
		must(err)
		fmt.Print(opened.Text)
		return
	}
	skey, vkey, err := note.GenerateKey(rand.Reader, os.Args[2])
	must(err)
	signer, err := note.NewSigner(skey)
	must(err)
	signed, err := note.Sign(&note.Note{Text: string(input)}, signer)
	must(err)
	fmt.Printf("%s\n%s", vkey, signed)
}
"#;

#[test]
fn go_and_we_believe_each_others_notes() {
    if super::skipped("go") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.go"), PROGRAM).unwrap();
    let path = dir.path().to_str().unwrap();
    let variables = ["GO111MODULE=off", "GOPATH=/usr/share/gocode", "GOFLAGS=", &format!("GOCACHE={path}/cache")].map(str::to_owned);
    let build: Vec<&str> = variables.iter().map(String::as_str).chain(["go", "build", "-o", "note", "main.go"]).collect();
    let built = peer("env", dir.path(), &build, b"");
    assert!(built.status.success(), "{built:?}");
    let note = |arguments: &[&str], input: &str| peer("./note", dir.path(), arguments, input.as_bytes());

    let ((secret, public), (_, other)) = (key(7), key(8));
    let ours = NoteKey { name: KeyName::new("example.org/é").unwrap(), key: public };
    let other = NoteKey { key: other, ..ours.clone() };
    let text = NoteText::parse(TEXT.as_bytes()).unwrap();
    let signed = frame(&text, &ours, &secret.sign(text.tbs()).to_bytes());
    let good = note(&["check", &ours.to_string()], &signed);
    assert!(good.status.success() && good.stdout == TEXT.as_bytes(), "{good:?}");
    for (what, key, input) in [
        ("another key", &other, signed.clone()),
        ("one flipped bit", &ours, signed.replace("version 7", "version 6")),
        ("a note that was cut off", &ours, signed[..signed.len() - 20].to_owned()),
    ] {
        assert!(!note(&["check", &key.to_string()], &input).status.success(), "{what}");
    }

    let made = note(&["sign", "PeterNeumann"], TEXT);
    let made = String::from_utf8(made.stdout).unwrap();
    let (vkey, signed) = made.split_once('\n').unwrap();
    let theirs: NoteKey = vkey.parse().unwrap();
    let read = SignedNote::parse(signed).unwrap();
    assert_eq!((read.text, read.verify(&theirs)), (TEXT, Ok(())));
    assert!(SignedNote::parse(&signed.replace("version 7", "version 6")).unwrap().verify(&theirs).is_err());
}

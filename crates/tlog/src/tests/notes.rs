//! What signed-note v1.0.0 demands of a note and of its keys.

use super::*;

const TEXT: &str = "signer.example/requests\n3\nWqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=\n";

fn note() -> String {
    sign_note(TEXT, &log_key())
}

fn verify(note: &str) -> Result<Vec<Verified>, NoteError> {
    Note::parse(note)?.verify(&[log_key().verifier()])
}

#[test]
fn a_note_out_of_form_is_refused() {
    assert!(verify(&note()).is_ok());
    let own = line(log_key().name, log_key().key_id(), &[0; 64]);
    for (wrong, said) in [
        (note().replacen("\n\n", "\n", 1), NoteError::Form),
        (note().trim_end().to_owned(), NoteError::Form),
        (format!("{TEXT}\n"), NoteError::Form),
        (TEXT.to_owned(), NoteError::Form),
        (String::new(), NoteError::Form),
        ("\n\n".to_owned(), NoteError::Form),
        (format!("{}\n", note()), NoteError::Form),
        (note().replacen('3', "3\r", 1), NoteError::Control(25)),
        (note().replacen('3', "\t3", 1), NoteError::Control(24)),
        (note().replacen('3', "3\0", 1), NoteError::Control(25)),
        (note().replacen('3', "3\u{1f}", 1), NoteError::Control(25)),
        (note().replacen('\u{2014}', "-", 1), NoteError::Signature(1)),
        (note().replacen("\u{2014} ", "\u{2014}", 1), NoteError::Signature(1)),
        (note().replacen("\u{2014} ", "\u{2014}  ", 1), NoteError::Signature(1)),
        (
            note().replacen("\u{2014} signer.example/requests", "\u{2014} signer.example", 1).replacen("example ", "ex+ample ", 1),
            NoteError::Signature(1),
        ),
        (note().replacen("\u{2014} signer.example", "\u{2014} signer\u{a0}example", 1), NoteError::Signature(1)),
        (note().replacen("\u{2014} signer.example", "\u{2014} signer example", 1), NoteError::Signature(1)),
        (format!("{}\u{2014}  AAAAAAA=\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other AAAA\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other AAAAAA==\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other AAAAAB==\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other AAAAAAA\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other AAAA-_8=\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other  AAAAAAA=\n", note()), NoteError::Signature(2)),
        (format!("{}\u{2014} other AAAAAAA= \n", note()), NoteError::Signature(2)),
        (format!("{}{}", note(), own.repeat(100)), NoteError::TooMany),
    ] {
        assert_eq!(Note::parse(&wrong).unwrap_err(), said, "{wrong:?}");
    }
}

#[test]
fn only_ascii_control_characters_are_refused_and_names_of_others_may_be_odd() {
    let text = format!("{TEXT}\u{7f}\u{80}\u{2028}\n");
    let odd = line("w\u{7f}\u{200b}", [1; 4], b"?");
    assert!(verify(&format!("{}{odd}", sign_note(&text, &log_key()))).is_ok());
}

#[test]
fn the_text_ends_at_the_last_empty_line() {
    let text = "one\n\n\u{2014} looks like a signature\n\n\ntwo\n";
    let note = sign_note(text, &log_key());
    let parsed = Note::parse(&note).unwrap();
    assert_eq!((parsed.text(), parsed.signatures().len()), (text, 1));
    assert_eq!(parsed.signatures()[0].name, log_key().name);
    assert!(verify(&note).is_ok());
}

#[test]
fn seventeen_signatures_are_read_and_those_of_unknown_keys_passed_over() {
    let others: String = (0..16).map(|n| line(&format!("other.example/{n}"), [n; 4], b"any signature")).collect();
    let text_and_own = note();
    let (text, own) = text_and_own.split_once("\n\n").unwrap();
    assert_eq!(Note::parse(&format!("{text}\n\n{others}{own}")).unwrap().signatures().len(), 17);
    let by_log = [Verified { name: log_key().name.into(), time: None }];
    assert_eq!(verify(&format!("{text}\n\n{others}{own}")).unwrap(), by_log);
    assert_eq!(verify(&format!("{text}\n\n{others}")), Err(NoteError::Unsigned));
    let hundred = format!("{text}\n\n{}{own}", line("other", [7; 4], b"?").repeat(99));
    assert_eq!(verify(&hundred).unwrap(), by_log);
}

#[test]
fn a_bad_signature_by_a_known_key_condemns_the_note_even_beside_a_good_one() {
    let name = log_key().name;
    let bad = line(name, log_key().key_id(), &[0; 64]);
    assert_eq!(verify(&format!("{}{bad}", note())), Err(NoteError::Bad(name.into())));
    assert_eq!(verify(&format!("{TEXT}\n{bad}")), Err(NoteError::Bad(name.into())));
    assert_eq!(verify(&note().replacen('3', "4", 1)), Err(NoteError::Bad(name.into())));
    let short = line(name, log_key().key_id(), &log_key().sign(TEXT.as_bytes())[..63]);
    assert_eq!(verify(&format!("{TEXT}\n{short}")), Err(NoteError::Bad(name.into())));
    let long = line(name, log_key().key_id(), &[&log_key().sign(TEXT.as_bytes())[..], &[0]].concat());
    assert_eq!(verify(&format!("{TEXT}\n{long}")), Err(NoteError::Bad(name.into())));
    let good = note();
    let twice = format!("{good}{}", good.split_once("\n\n").unwrap().1);
    assert_eq!(verify(&twice).unwrap().len(), 1, "the same signature twice is one");
}

#[test]
fn a_key_is_known_by_name_and_id_together() {
    let signature = log_key().sign(TEXT.as_bytes());
    for other in [line(log_key().name, [1, 2, 3, 4], &signature), line("signer.example/other", log_key().key_id(), &signature)] {
        assert_eq!(verify(&format!("{TEXT}\n{other}")), Err(NoteError::Unsigned), "{other}");
    }
    assert_eq!(Note::parse(&note()).unwrap().verify(&[]), Err(NoteError::Unsigned));
}

#[test]
fn a_cosignature_counts_for_a_witness_only_in_its_own_form() {
    let witness = witness_key();
    let cosigned = |lines: &str| Note::parse(&format!("{}{lines}", note())).unwrap().verify(&[log_key().verifier(), witness.witness()]);
    let verified = cosigned(&witness.cosignature(TEXT, 1_763_856_000)).unwrap();
    assert_eq!(verified[1], Verified { name: witness.name.into(), time: Some(1_763_856_000) });
    let bad = Err(NoteError::Bad(witness.name.into()));
    let id = witness.witness().id();
    let plain = line(witness.name, id, &witness.sign(TEXT.as_bytes()));
    assert_eq!(cosigned(&plain), bad, "a signature of the log's kind is no cosignature");
    let untimed = line(witness.name, id, &[&[0; 8][..], &witness.sign(TEXT.as_bytes())].concat());
    assert_eq!(cosigned(&untimed), bad);
    let long = [&1_u64.to_be_bytes()[..], &witness.secret.sign(format!("cosignature/v1\ntime 1\n{TEXT}").as_bytes()).to_bytes()].concat();
    assert!(cosigned(&line(witness.name, id, &long)).is_ok());
    assert_eq!(cosigned(&line(witness.name, id, &[&long[..], &[0]].concat())), bad, "72 bytes and no more");
    assert_eq!(cosigned(&witness.cosignature(&TEXT.replace('3', "4"), 1)), bad, "a cosignature over another checkpoint");
    assert_eq!(cosigned(&witness.cosignature(TEXT, 1 << 63)), bad, "no time is above 2^63 - 1");
    assert!(cosigned(&witness.cosignature(TEXT, (1 << 63) - 1)).is_ok());
    // Lines of the witness in the log's own kind have another key id: they are by an unknown key.
    let as_log = line(witness.name, witness.key_id(), &witness.sign(TEXT.as_bytes()));
    assert_eq!(cosigned(&as_log).unwrap().len(), 1);
    // And a cosignature is none of the log's signatures.
    let of_log = log_key().cosignature(TEXT, 1);
    assert_eq!(verify(&format!("{TEXT}\n{of_log}")), Err(NoteError::Unsigned));
    let payload = [&1_u64.to_be_bytes()[..], &log_key().sign(TEXT.as_bytes())].concat();
    let disguised = line(log_key().name, log_key().key_id(), &payload);
    assert_eq!(verify(&format!("{TEXT}\n{disguised}")), Err(NoteError::Bad(log_key().name.into())));
}

#[test]
fn a_verification_key_has_one_form_and_its_own_id() {
    let key = log_key().verifier().to_string();
    let (start, b64) = key.split_at("signer.example/requests+eca62d7a".len());
    let b64 = &b64[1..];
    let type_and_key = |kind: u8, key: &[u8]| STANDARD.encode([&[kind], key].concat());
    let public = *log_key().verifier().public();
    for (wrong, said) in [
        (start.to_owned(), KeyError::Form),
        (String::new(), KeyError::Form),
        ("name".to_owned(), KeyError::Form),
        (key.replace("eca6", "ECA6"), KeyError::Id),
        (key.replace("eca6", "eca7"), KeyError::Id),
        (key.replace("+eca62d7a", "+eca62d7"), KeyError::Id),
        (key.replace("signer", "signet"), KeyError::Id),
        (key.replace("signer", "sig ner"), KeyError::Name),
        (key.replace("signer.example/requests", ""), KeyError::Name),
        (format!("{key}\n"), KeyError::Form),
        (key.replace(b64, b64.trim_end_matches('4')), KeyError::Form),
        (format!("{start}+"), KeyError::Form),
        (format!("{start}+{}", type_and_key(2, &public)), KeyError::Type(2)),
        (format!("{start}+{}", type_and_key(6, &[0; 1312])), KeyError::Type(6)),
        (format!("{start}+{}", type_and_key(1, &public[..31])), KeyError::Public),
        (format!("{start}+{}", type_and_key(1, &[&public[..], &[0]].concat())), KeyError::Public),
        (format!("{start}+{}", type_and_key(4, &public)), KeyError::Id),
    ] {
        assert_eq!(wrong.parse::<VerifierKey>().unwrap_err(), said, "{wrong}");
    }
    assert_eq!(key.parse(), Ok(log_key().verifier()));
    assert_eq!(log_key().verifier().key_type(), KeyType::Ed25519);
    assert_ne!(log_key().verifier().id(), log_key().witness().id());
}

#[test]
fn a_key_for_which_anybody_can_sign_is_refused() {
    let mut identity = [0; 32];
    identity[0] = 1;
    assert_eq!(VerifierKey::ed25519("log", &identity), Err(KeyError::Public));
    assert_eq!(VerifierKey::ed25519("log", &[0; 32]), Err(KeyError::Public));
    assert_eq!(VerifierKey::ed25519("log", &[2; 32]), Err(KeyError::Public), "not a point");
    for name in ["", "a b", "a+b", "a\u{a0}b", "a\n", "a\u{7f}"] {
        assert!(!is_key_name(name), "{name:?}");
        assert_eq!(VerifierKey::ed25519(name, log_key().verifier().public()), Err(KeyError::Name));
    }
}

proptest! {
    #[test]
    fn what_is_read_as_a_note_is_written_the_same(text in nearly(vec![note(), vector("cosigned.note"), vector("foo.note")])) {
        if let Ok(read) = Note::parse(&text) {
            let lines: String = read.signatures().iter().map(|s| line(s.name, s.id, &s.payload)).collect();
            prop_assert_eq!(format!("{}\n{lines}", read.text()), text);
        }
    }

    #[test]
    fn a_signed_text_verifies_and_any_other_does_not(lines in "[ -~\u{e9}]{0,20}\n([ -~\u{2014}\n]{0,40}\n)?", changed in any::<prop::sample::Index>()) {
        let note = sign_note(&lines, &log_key());
        let read = Note::parse(&note).unwrap();
        prop_assert_eq!(read.text(), &lines);
        prop_assert!(read.verify(&[log_key().verifier()]).is_ok());
        let mut other: Vec<char> = lines.chars().collect();
        let at = changed.index(other.len());
        other[at] = if other[at] == 'a' { 'b' } else { 'a' };
        let other: String = other.into_iter().collect();
        prop_assert!(verify(&note.replacen(&lines, &other, 1)).is_err());
    }

    #[test]
    fn what_is_read_as_a_key_is_written_the_same(text in nearly(vector("keys.txt").lines().map(str::to_owned).collect())) {
        if let Ok(key) = text.parse::<VerifierKey>() {
            prop_assert_eq!(key.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_read_or_refused_without_a_panic(text in any::<String>()) {
        let _ = Note::parse(&text);
        let _ = text.parse::<VerifierKey>();
        let _ = text.parse::<Checkpoint>();
        let _ = text.parse::<TlogProof>();
        let _ = text.parse::<TilePath>();
    }
}

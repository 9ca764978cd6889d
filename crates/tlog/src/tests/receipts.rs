//! What tlog-proof@v1 demands of a receipt.

use super::*;

/// A receipt for the entry `entry 5` of seven.
fn receipt() -> String {
    let all = leaves(7);
    let proof = inclusion_proof(&Stored::new(&all), 5, 7).unwrap();
    String::from_utf8(encode_receipt(b"entry 5", 5, &proof, &signed(7, mth(&all)))).unwrap()
}

fn parse(text: &str) -> Result<TlogProof, TlogProofError> {
    text.parse()
}

#[test]
fn a_receipt_proves_its_entry_and_no_other() {
    let key = log_key().verifier();
    let read = parse(&receipt()).unwrap();
    assert_eq!((read.extra.as_deref(), read.index, read.hashes.len()), (Some(&b"entry 5"[..]), 5, 3));
    assert_eq!(read.verify(b"entry 5", &key).unwrap().size, 7);
    assert_eq!(read.verify(b"entry 6", &key), Err(TlogProofError::Proof(ProofError::Root)));
    let moved = TlogProof { index: 4, ..read.clone() };
    assert_eq!(moved.verify(b"entry 5", &key), Err(TlogProofError::Proof(ProofError::Root)));
    let beyond = TlogProof { index: 7, ..read.clone() };
    assert_eq!(beyond.verify(b"entry 5", &key), Err(TlogProofError::Proof(ProofError::Beyond)));
    let longer = TlogProof { hashes: [&read.hashes[..], &read.hashes[..1]].concat(), ..read.clone() };
    assert_eq!(longer.verify(b"entry 5", &key), Err(TlogProofError::Proof(ProofError::Length)));
    let other_key = Key::new("signer.example/requests", 9).verifier();
    let unsigned = TlogProofError::Checkpoint(CheckpointError::Note(NoteError::Unsigned));
    assert_eq!(read.verify(b"entry 5", &other_key), Err(unsigned));
}

#[test]
fn the_first_entry_of_all_has_a_receipt_without_hashes() {
    let leaf = leaf_hash(b"entry 0");
    let text = String::from_utf8(encode_receipt(b"", 0, &[], &signed(1, leaf))).unwrap();
    assert!(text.starts_with("c2sp.org/tlog-proof@v1\nextra \nindex 0\n\nsigner.example"));
    assert!(parse(&text).unwrap().verify(b"entry 0", &log_key().verifier()).is_ok());
    let with_hash = text.replacen("index 0\n", &format!("index 0\n{leaf}\n"), 1);
    let said = parse(&with_hash).unwrap().verify(b"entry 0", &log_key().verifier());
    assert_eq!(said, Err(TlogProofError::Proof(ProofError::Length)));
}

#[test]
fn a_receipt_without_extra_data_is_read_and_written() {
    let text = receipt().lines().filter(|l| !l.starts_with("extra ")).map(|l| format!("{l}\n")).collect::<String>();
    let read = parse(&text).unwrap();
    assert_eq!((read.extra.as_ref(), read.to_string()), (None, text));
    assert!(read.verify(b"entry 5", &log_key().verifier()).is_ok());
}

#[test]
fn a_receipt_out_of_form_is_refused_with_the_line() {
    let good = receipt();
    let (hash, extra) = (leaf_hash(b"entry 4").to_string(), "extra ZW50cnkgNQ==");
    assert!(good.contains(&hash) && good.contains(extra));
    let hashes = |n: usize| format!("index 5\n{}", format!("{hash}\n").repeat(n));
    for (wrong, line) in [
        (good.replacen("@v1", "@v2", 1), 1),
        (good.replacen("@v1", "@v10", 1), 1),
        (good.replacen("c2sp", " c2sp", 1), 1),
        (good.replacen("\n\n", "\n", 2), 1),
        (String::new(), 1),
        ("c2sp.org/tlog-proof@v1\n\nx".to_owned(), 2),
        (good.replacen(extra, &format!("{extra}\n{extra}"), 1), 3),
        (good.replacen("==", "", 1), 2),
        (good.replacen("NQ==", "NR==", 1), 2),
        (good.replacen("extra ", "extra  ", 1), 2),
        (good.replacen("extra ", "Extra ", 1), 2),
        (good.replacen("index 5", "index 05", 1), 3),
        (good.replacen("index 5", "index 00", 1), 3),
        (good.replacen("index 5", "index +5", 1), 3),
        (good.replacen("index 5", "index 9223372036854775808", 1), 3),
        (good.replacen("index 5", "index", 1), 3),
        (good.replacen("index 5\n", "", 1), 3),
        (good.replacen(&hash, hash.trim_end_matches('='), 1), 4),
        (good.replacen(&hash, &format!("{hash} "), 1), 4),
        (good.replacen(&hash, &STANDARD.encode([7; 31]), 1), 4),
        (good.replacen(&hash, &STANDARD.encode([7; 33]), 1), 4),
        (good.replace('\n', "\r\n"), 1),
    ] {
        assert_eq!(parse(&wrong), Err(TlogProofError::Line(line)), "{wrong}");
    }
    // Without the empty line before it, the checkpoint's own one is found, and its first lines are no hashes.
    assert_eq!(parse(&good.replacen("\n\n", "\n", 1)), Err(TlogProofError::Line(7)));
    assert!(parse(&good.replacen("index 5\n", &hashes(60), 1)).is_ok());
    assert_eq!(parse(&good.replacen("index 5\n", &hashes(61), 1)), Err(TlogProofError::TooMany), "64 hashes");
}

proptest! {
    #[test]
    fn what_is_read_as_a_receipt_is_written_the_same(text in nearly(vec![receipt(), vector("numbered/257-of-300.tlog-proof")])) {
        if let Ok(read) = parse(&text) {
            prop_assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn both_ways_to_write_a_receipt_write_the_same(
        extra in prop::collection::vec(any::<u8>(), 0..99), index in 0..1_u64 << 63, hashes in prop::collection::vec(any::<[u8; 32]>().prop_map(Hash), 0..=63),
    ) {
        let written = String::from_utf8(encode_receipt(&extra, index, &hashes, "the checkpoint\n")).unwrap();
        let proof = TlogProof { extra: Some(extra), index, hashes, checkpoint: "the checkpoint\n".into() };
        prop_assert_eq!(proof.to_string(), written.as_str());
        prop_assert_eq!(parse(&written), Ok(proof));
    }
}

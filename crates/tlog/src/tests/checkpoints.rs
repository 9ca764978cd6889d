//! What tlog-checkpoint v1.0.0 demands of a checkpoint.

use super::*;

const ROOT: &str = "Wqx3HImawpLnS/Gv4ubjAvi1WIOy0b8Ze0amvqbavKk=";

fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
    text.parse()
}

#[test]
fn a_checkpoint_has_one_form() {
    let good = format!("origin\n3\n{ROOT}\n");
    let read = parse(&good).unwrap();
    assert_eq!((read.origin.as_str(), read.size, read.root.to_string().as_str()), ("origin", 3, ROOT));
    for size in ["01", "+1", "-0", "-1", "9223372036854775808", "18446744073709551616", "", " 3", "3 ", "0x3", "\u{663}"] {
        assert_eq!(parse(&format!("origin\n{size}\n{ROOT}\n")), Err(CheckpointError::Line(2)), "{size:?}");
    }
    let bytes = |n: usize| STANDARD.encode(vec![7; n]);
    let (short, long) = (bytes(31), bytes(33));
    let unpadded = ROOT.trim_end_matches('=');
    let url_safe = ROOT.replace('/', "_");
    let trailing_bits = ROOT.replace("k=", "l=");
    for root in ["", &short, &long, unpadded, &url_safe, &trailing_bits, &format!("{ROOT} "), &format!("{ROOT}{ROOT}")] {
        assert_eq!(parse(&format!("origin\n3\n{root}\n")), Err(CheckpointError::Line(3)), "{root:?}");
    }
    assert_eq!(parse(&format!("\n3\n{ROOT}\n")), Err(CheckpointError::Line(1)), "no origin");
    assert_eq!(parse("origin\n"), Err(CheckpointError::Line(2)));
    assert_eq!(parse("origin\n3\n"), Err(CheckpointError::Line(3)));
    assert_eq!(parse(&format!("origin\n3\n{ROOT}")), Err(CheckpointError::Line(1)), "cut off");
    assert_eq!(parse(&format!("{good}\n")), Err(CheckpointError::Line(4)), "an empty extension line");
    assert_eq!(parse(&format!("{good}more\n\n")), Err(CheckpointError::Line(5)));
    assert_eq!(parse(&format!("{good}more\nand more\n")).unwrap().extensions, ["more", "and more"]);
    assert_eq!(parse(&format!("origin\n9223372036854775807\n{ROOT}\n")).unwrap().size, (1 << 63) - 1);
}

#[test]
fn an_empty_log_has_the_one_root_of_the_empty_tree() {
    let empty = format!("origin\n0\n{}\n", Hash::EMPTY_ROOT);
    assert!(empty.contains("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="));
    assert_eq!(parse(&empty).unwrap().size, 0);
    assert_eq!(parse(&format!("origin\n0\n{ROOT}\n")), Err(CheckpointError::Line(3)));
}

#[test]
fn a_checkpoint_is_opened_only_with_the_key_of_its_log() {
    let key = log_key().verifier();
    let note = signed(1, leaf_hash(b"x"));
    assert_eq!(Checkpoint::open(&note, &key).unwrap().size, 1);
    let other = Key::new("signer.example/requests", 9);
    assert_eq!(Checkpoint::open(&note, &other.verifier()), Err(CheckpointError::Note(NoteError::Unsigned)));
    let foreign = sign_note(&format!("other.example/log\n3\n{ROOT}\n"), &log_key());
    let wanted = CheckpointError::Origin { found: "other.example/log".into(), wanted: log_key().name.into() };
    assert_eq!(Checkpoint::open(&foreign, &key), Err(wanted), "signed by a key of another name");
    assert_eq!(Checkpoint::open(&sign_note("hello\n", &log_key()), &key), Err(CheckpointError::Line(2)));
    let changed = note.replacen("\n1\n", "\n2\n", 1);
    assert_eq!(Checkpoint::open(&changed, &key), Err(CheckpointError::Note(NoteError::Bad(log_key().name.into()))));
}

proptest! {
    #[test]
    fn what_is_read_as_a_checkpoint_is_written_the_same(
        text in nearly(vec![format!("origin\n3\n{ROOT}\n"), format!("o\n0\n{}\nmore\n", Hash::EMPTY_ROOT), format!("a b\n12345\n{ROOT}\nx\ny\n")]),
    ) {
        if let Ok(read) = parse(&text) {
            prop_assert_eq!(read.to_string(), text);
        }
    }

    #[test]
    fn what_is_written_is_read_again(
        origin in "[!-~]{1,30}", size in 1..1_u64 << 63, root in any::<[u8; 32]>(), extensions in prop::collection::vec("[ -~]{1,9}", 0..3),
    ) {
        let checkpoint = Checkpoint { origin, size, root: Hash(root), extensions };
        prop_assert_eq!(parse(&checkpoint.to_string()), Ok(checkpoint));
    }
}

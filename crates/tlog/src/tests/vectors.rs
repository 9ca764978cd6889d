//! The published vectors, and those that Go's x/mod made: see `tests/vectors/tlog/README.md`.

use super::*;

fn number(text: &str) -> u64 {
    text.parse().unwrap()
}

fn hash(base64: &str) -> Hash {
    Hash(STANDARD.decode(base64).unwrap().try_into().unwrap())
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn the_roots_of_certificate_transparency_come_out() {
    let mut edge = Edge::new();
    let text = vector("rfc6962.txt");
    let rows = rows(&text);
    assert_eq!(rows.len(), 9);
    for row in rows {
        let [size, leaf, root] = row[..] else { panic!("{row:?}") };
        if leaf != "-" {
            edge.push(leaf_hash(&hex(leaf)));
        }
        assert_eq!((edge.size(), edge.root().0.to_vec()), (number(size), hex(root)));
    }
}

#[test]
fn every_checkpoint_of_tesseras_log_comes_out_byte_for_byte() {
    // The key that Tessera publishes: PRIVATE+KEY+example.com/log/testdata+33d7b496+…
    let key = STANDARD.decode("AeymY/SZAX0jZcJ8enZ5FY1Dz+wTML2yWSkK+9DSF3eg").unwrap();
    let signer = Key { name: "example.com/log/testdata", secret: SigningKey::from_bytes(key[1..].try_into().unwrap()) };
    let vkey = "example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx";
    assert_eq!(signer.verifier().to_string(), vkey);
    let entries =
        ["one", "two", "three", "four", "five", "six", "seven", "eit", "nain", "ten", "ileven", "twelf", "threeten", "fourten", "fivten"];
    let (mut edge, mut bundle) = (Edge::new(), vec![]);
    for size in 0..=15_usize {
        if let Some(entry) = size.checked_sub(1).map(|last| entries[last].as_bytes()) {
            edge.push(leaf_hash(entry));
            assert!(push_entry(&mut bundle, entry));
        }
        let checkpoint = Checkpoint { origin: signer.name.into(), size: edge.size(), root: edge.root(), extensions: vec![] };
        let published = vector(&format!("testdata/checkpoint.{size}"));
        assert_eq!(sign_note(&checkpoint.to_string(), &signer), published);
        assert_eq!(Checkpoint::open(&published, &vkey.parse().unwrap()), Ok(checkpoint));
    }
    assert_eq!(bundle, vector_bytes("testdata/tile/entries/000.p/15"));
    assert_eq!(decode_bundle(&bundle, 15).unwrap(), entries.map(str::as_bytes));
    assert!(bundle.starts_with(&hex("00036f6e65000374776f00057468726565")), "the bundle of size 3 as it was published");
    let tile = encode_tile(&entries.map(|entry| leaf_hash(entry.as_bytes())));
    assert_eq!(tile, vector_bytes("testdata/tile/0/000.p/15"));
}

#[test]
fn a_cosigned_checkpoint_of_300_entries_comes_out_byte_for_byte() {
    let text = Checkpoint { origin: log_key().name.into(), size: 300, root: edge(&leaves(300)).root(), extensions: vec![] }.to_string();
    let cosigned = format!("{}{}", sign_note(&text, &log_key()), witness_key().cosignature(&text, 1_763_856_000));
    assert_eq!(cosigned, vector("cosigned.note"));
    let log: VerifierKey = "signer.example/requests+eca62d7a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4".parse().unwrap();
    let witness: VerifierKey = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X".parse().unwrap();
    let by = Note::parse(&cosigned).unwrap().verify(&[log.clone(), witness]).unwrap();
    assert_eq!(by[0], Verified { name: "signer.example/requests".into(), time: None });
    assert_eq!(by[1], Verified { name: "witness.example/w1".into(), time: Some(1_763_856_000) });
    assert_eq!(Checkpoint::open(&cosigned, &log).unwrap().size, 300);
    assert_eq!(Checkpoint::open(&vector("numbered/checkpoint.300"), &log).unwrap().size, 300);
}

#[test]
fn the_example_of_xmod_verifies() {
    let foo: VerifierKey = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k".parse().unwrap();
    let note = vector("foo.note");
    let note = Note::parse(&note).unwrap();
    assert_eq!(note.text(), "This is an example message.\n");
    assert!(note.verify(&[foo]).is_ok());
}

#[test]
fn keys_in_use_have_the_ids_that_their_owners_publish() {
    let text = vector("keys.txt");
    assert_eq!(text.lines().count(), 6);
    for line in text.lines() {
        let key: VerifierKey = line.parse().unwrap_or_else(|e| panic!("{line}: {e}"));
        assert_eq!(key.to_string(), line);
        assert_eq!(VerifierKey::new(key.name(), key.key_type(), key.public()), Ok(key));
    }
}

#[test]
fn roots_and_proofs_are_those_that_xmod_makes() {
    let (roots, proofs) = (vector("numbered/roots.txt"), vector("numbered/proofs.txt"));
    let all = leaves(70_000);
    let stored = Stored::new(&all);
    let known: std::collections::BTreeMap<u64, Hash> = rows(&roots).iter().map(|row| (number(row[0]), hash(row[1]))).collect();
    assert_eq!(known[&70_000].to_string(), "o5IPun8jmgcam9EHIfE0Gt3vuu3ttBx+JEN6nRa98Ao=");
    for (size, root) in &known {
        assert_eq!(root_at(&stored, *size).unwrap(), *root, "{size}");
    }
    let root = |size| root_at(&stored, size).unwrap();
    let mut edge = Edge::new();
    let batches: Vec<Batch> = all.chunks(777).map(|chunk| Batch::append(&mut edge, chunk)).collect();
    assert_eq!(edge.root(), known[&70_000]);
    let rows = rows(&proofs);
    assert_eq!(rows.len(), 112);
    for row in rows {
        let (size, n) = (number(row[1]), number(row[2]));
        let hashes: Vec<Hash> = row[3..].iter().filter(|h| !h.is_empty()).map(|h| hash(h)).collect();
        if row[0] == "inclusion" {
            assert_eq!(inclusion_proof(&stored, n, size).unwrap(), hashes, "{n} of {size}");
            assert_eq!(verify_inclusion(&all[usize::try_from(n).unwrap()], n, size, &hashes, &root(size)), Ok(()));
            if size == 70_000 && n == 69_999 {
                assert_eq!(batches.last().unwrap().inclusion_proof(n).unwrap(), hashes);
            }
        } else {
            assert_eq!(consistency_proof(&stored, n, size).unwrap(), hashes, "{n} to {size}");
            assert_eq!(verify_consistency(n, &root(n), size, &root(size), &hashes), Ok(()));
        }
    }
}

#[test]
fn a_receipt_comes_out_as_one_of_xmods_proof() {
    let all = leaves(300);
    let mut edge = edge(&all[..200]);
    let batch = Batch::append(&mut edge, &all[200..]);
    let text = encode_receipt(b"entry 257", 257, &batch.inclusion_proof(257).unwrap(), &signed(300, batch.root()));
    assert_eq!(String::from_utf8(text).unwrap(), vector("numbered/257-of-300.tlog-proof"));
}

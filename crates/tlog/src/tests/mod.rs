//! What the tests share: the definition of a tree, a stored tree, signers, the vectors, and texts that are nearly right.

mod checkpoints;
mod notes;
mod proofs;
mod receipts;
mod tiles;
mod vectors;

use crate::*;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use std::convert::Infallible;
use std::path::Path;

/// MTH of RFC 6962 section 2.1, as it is written there.
fn mth(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [one] => *one,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node_hash(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// A tree with all its complete nodes, by level.
struct Stored(Vec<Vec<Hash>>);

impl Stored {
    fn new(leaves: &[Hash]) -> Self {
        let mut levels = vec![leaves.to_vec()];
        while let Some(below) = levels.last().filter(|nodes| nodes.len() > 1) {
            levels.push(below.as_chunks::<2>().0.iter().map(|[l, r]| node_hash(l, r)).collect());
        }
        Self(levels)
    }
}

impl NodeSource for Stored {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(self.0[usize::from(level)][usize::try_from(index).unwrap()])
    }
}

fn leaves(n: usize) -> Vec<Hash> {
    (0..n).map(|i| leaf_hash(format!("entry {i}").as_bytes())).collect()
}

fn edge(leaves: &[Hash]) -> Edge {
    let mut edge = Edge::new();
    leaves.iter().for_each(|leaf| edge.push(*leaf));
    edge
}

/// A key whose seed counts up from a byte.
struct Key {
    name: &'static str,
    secret: SigningKey,
}

impl Key {
    fn new(name: &'static str, first: u8) -> Self {
        let seed: Vec<u8> = (first..first + 32).collect();
        Self { name, secret: SigningKey::from_bytes(seed.as_slice().try_into().unwrap()) }
    }

    fn verifier(&self) -> VerifierKey {
        VerifierKey::ed25519(self.name, self.secret.verifying_key().as_bytes()).unwrap()
    }

    /// As the key of a witness, which is one of another type.
    fn witness(&self) -> VerifierKey {
        VerifierKey::new(self.name, KeyType::CosignatureV1, self.secret.verifying_key().as_bytes()).unwrap()
    }

    /// A signature line of a witness.
    fn cosignature(&self, text: &str, time: u64) -> String {
        let signature = self.secret.sign(format!("cosignature/v1\ntime {time}\n{text}").as_bytes()).to_bytes();
        line(self.name, self.witness().id(), &[&time.to_be_bytes()[..], &signature].concat())
    }
}

impl NoteSigner for Key {
    fn name(&self) -> &str {
        self.name
    }
    fn key_id(&self) -> [u8; 4] {
        self.verifier().id()
    }
    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.secret.sign(text).to_bytes()
    }
}

fn log_key() -> Key {
    Key::new("signer.example/requests", 0)
}

fn witness_key() -> Key {
    Key::new("witness.example/w1", 0x20)
}

/// A signature line with this payload.
fn line(name: &str, id: [u8; 4], payload: &[u8]) -> String {
    format!("\u{2014} {name} {}\n", STANDARD.encode([&id[..], payload].concat()))
}

/// A signed checkpoint of a tree.
fn signed(size: u64, root: Hash) -> String {
    let checkpoint = Checkpoint { origin: log_key().name.into(), size, root, extensions: vec![] };
    sign_note(&checkpoint.to_string(), &log_key())
}

/// A file of `tests/vectors/tlog`.
fn vector(name: &str) -> String {
    String::from_utf8(vector_bytes(name)).unwrap()
}

fn vector_bytes(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/tlog").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Lines of a vector without the comment, as words.
fn rows(text: &str) -> Vec<Vec<&str>> {
    text.lines().filter(|l| !l.starts_with('#')).map(|l| l.split(' ').collect()).collect()
}

/// What a text becomes by some small changes: most are nearly right, which is where parsers go wrong.
fn nearly(texts: Vec<String>) -> impl Strategy<Value = String> {
    let scraps = vec![
        "\n",
        "\n\n",
        " ",
        "0",
        "1",
        "00",
        "+",
        "-",
        "=",
        "A",
        "/",
        ".",
        "x",
        "x000/",
        ".p/",
        "\r",
        "\t",
        "\u{0}",
        "\u{7f}",
        "\u{a0}",
        "\u{2014} ",
        "\u{85}",
        "extra ",
        "index ",
        "18446744073709551616",
        "9223372036854775808",
    ];
    let change = (any::<prop::sample::Index>(), 0..6_usize, prop::sample::select(scraps));
    (prop::sample::select(texts), prop::collection::vec(change, 0..4)).prop_map(|(text, changes)| {
        changes.into_iter().fold(text, |text, (at, remove, insert)| {
            let chars: Vec<char> = text.chars().collect();
            let at = at.index(chars.len() + 1);
            chars[..at].iter().copied().chain(insert.chars()).chain(chars[at..].iter().skip(remove).copied()).collect()
        })
    })
}

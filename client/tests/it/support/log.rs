//! A request log in memory.

use chancery_reqlog::{Decision, Leaf, Token};
use chancery_tlog::{
    Checkpoint, Edge, Hash, KeyType, NodeSource, NoteSigner, VerifierKey, consistency_proof, encode_receipt, inclusion_proof, leaf_hash,
    node_hash, sign_note,
};
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};
use std::convert::Infallible;

const ORIGIN: &str = "signer.example/requests";

pub(crate) struct FakeLog {
    signer: LogKey,
    leaves: Vec<Vec<u8>>,
    /// Stands under each checkpoint.
    pub(crate) cosignatures: String,
}

pub(crate) struct LogKey {
    pair: KeyPair,
    key: VerifierKey,
}

impl LogKey {
    /// A witness.
    pub(crate) fn witness(name: &str) -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let key = VerifierKey::new(name, KeyType::CosignatureV1, pair.public_key_raw().try_into().unwrap()).unwrap();
        Self { pair, key }
    }

    pub(crate) fn vkey(&self) -> String {
        self.key.to_string()
    }
}

impl NoteSigner for LogKey {
    fn name(&self) -> &str {
        self.key.name()
    }
    fn key_id(&self) -> [u8; 4] {
        self.key.id()
    }
    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.pair.sign(text).unwrap().try_into().unwrap()
    }
}

/// The hashes of the leaves; inner nodes are computed whenever they are wanted.
struct Nodes(Vec<Hash>);

impl NodeSource for Nodes {
    type Error = Infallible;
    fn node(&self, level: u8, index: u64) -> Result<Hash, Infallible> {
        if level == 0 {
            return Ok(self.0[index as usize]);
        }
        Ok(node_hash(&self.node(level - 1, index * 2)?, &self.node(level - 1, index * 2 + 1)?))
    }
}

impl FakeLog {
    pub(crate) fn new() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let key = VerifierKey::ed25519(ORIGIN, pair.public_key_raw().try_into().unwrap()).unwrap();
        Self {
            signer: LogKey { pair, key },
            leaves: vec![Leaf::event(Token::START, Decision::None, 1).to_bytes()],
            cosignatures: String::new(),
        }
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        &self.signer.key
    }

    pub(crate) fn size(&self) -> u64 {
        self.leaves.len() as u64
    }

    pub(crate) fn append(&mut self, leaf: &Leaf) -> u64 {
        self.leaves.push(leaf.to_bytes());
        self.size() - 1
    }

    /// Forgets everything but the first entries.
    pub(crate) fn truncate(&mut self, size: usize) {
        self.leaves.truncate(size);
    }

    /// Tells another history of the same length.
    pub(crate) fn rewrite(&mut self) {
        self.leaves[0] = Leaf::event(Token::START, Decision::None, 2).to_bytes();
    }

    /// A log of one more entry, for whoever appends behind the back of the one before.
    pub(crate) fn grow(&mut self) {
        self.append(&Leaf::event(Token::CLOCK, Decision::None, 3));
    }

    pub(crate) fn checkpoint(&self, size: u64) -> String {
        let mut edge = Edge::new();
        self.hashes(size).0.iter().for_each(|h| edge.push(*h));
        let checkpoint = Checkpoint { origin: ORIGIN.to_owned(), size, root: edge.root(), extensions: Vec::new() };
        sign_note(&checkpoint.to_string(), &self.signer) + &self.cosignatures
    }

    pub(crate) fn receipt(&self, index: u64) -> Vec<u8> {
        let proof = inclusion_proof(&self.hashes(self.size()), index, self.size()).unwrap();
        encode_receipt(&self.leaves[index as usize], index, &proof, &self.checkpoint(self.size()))
    }

    pub(crate) fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        (old <= new && new <= self.size()).then(|| consistency_proof(&self.hashes(new), old, new).unwrap())
    }

    fn hashes(&self, size: u64) -> Nodes {
        Nodes(self.leaves.iter().take(size as usize).map(|l| leaf_hash(l)).collect())
    }
}

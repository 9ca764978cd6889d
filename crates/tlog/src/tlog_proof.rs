//! Receipts: C2SP tlog-proof@v1.

use crate::checkpoint::{Checkpoint, CheckpointError, decimal};
use crate::hash::{Hash, leaf_hash};
use crate::key::VerifierKey;
use crate::proof::{ProofError, verify_inclusion};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::fmt;
use std::str::FromStr;

const HEADER: &str = "c2sp.org/tlog-proof@v1";
const MAX_HASHES: usize = 63;

/// Proof that an entry is in a log, to be checked offline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlogProof {
    /// The entry, in our receipts. Proves nothing until it hashes to the leaf.
    pub extra: Option<Vec<u8>>,
    /// Index of the entry.
    pub index: u64,
    /// The inclusion proof, sibling of the leaf first.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, with all its signatures.
    pub checkpoint: String,
}

/// Why a receipt was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlogProofError {
    /// A line is not what tlog-proof@v1 has there.
    #[error("line {0} of the receipt is malformed")]
    Line(usize),
    /// More hashes than any tree has levels.
    #[error("the receipt has more than {MAX_HASHES} hashes")]
    TooMany,
    /// The checkpoint was refused.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The proof does not fit the checkpoint.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl TlogProof {
    /// Checks that an entry with these bytes is in the log that signed the checkpoint.
    ///
    /// # Errors
    /// [`TlogProofError`].
    pub fn verify(&self, entry: &[u8], key: &VerifierKey) -> Result<Checkpoint, TlogProofError> {
        let checkpoint = Checkpoint::open(&self.checkpoint, key)?;
        verify_inclusion(&leaf_hash(entry), self.index, checkpoint.size, &self.hashes, &checkpoint.root)?;
        Ok(checkpoint)
    }
}

/// Writes a receipt.
#[must_use]
pub fn encode_receipt(extra: &[u8], index: u64, hashes: &[Hash], checkpoint: &str) -> Vec<u8> {
    let size =
        extra.len().saturating_mul(2).saturating_add(hashes.len().saturating_mul(45)).saturating_add(checkpoint.len()).saturating_add(80);
    let mut out = String::with_capacity(size);
    out.push_str(HEADER);
    out.push_str("\nextra ");
    STANDARD.encode_string(extra, &mut out);
    out.push_str("\nindex ");
    out.push_str(&index.to_string());
    out.push('\n');
    for hash in hashes {
        STANDARD.encode_string(hash.0, &mut out);
        out.push('\n');
    }
    out.push('\n');
    out.push_str(checkpoint);
    out.into_bytes()
}

impl FromStr for TlogProof {
    type Err = TlogProofError;
    fn from_str(s: &str) -> Result<Self, TlogProofError> {
        let (head, checkpoint) = s.split_once("\n\n").ok_or(TlogProofError::Line(1))?;
        let mut lines = head.split('\n').enumerate().map(|(n, line)| (n.saturating_add(1), line)).peekable();
        lines.next().filter(|(_, line)| *line == HEADER).ok_or(TlogProofError::Line(1))?;
        let extra = match lines.next_if(|(_, line)| line.starts_with("extra ")) {
            Some((n, line)) => Some(line.strip_prefix("extra ").and_then(|b| STANDARD.decode(b).ok()).ok_or(TlogProofError::Line(n))?),
            None => None,
        };
        let (n, index) = lines.next().ok_or(TlogProofError::Line(2))?;
        let index = index.strip_prefix("index ").and_then(decimal).ok_or(TlogProofError::Line(n))?;
        let hash = |(n, line)| Hash::from_base64(line).ok_or(TlogProofError::Line(n));
        let hashes: Vec<Hash> = lines.take(MAX_HASHES.saturating_add(1)).map(hash).collect::<Result<_, _>>()?;
        if hashes.len() > MAX_HASHES {
            return Err(TlogProofError::TooMany);
        }
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", STANDARD.encode(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|h| writeln!(f, "{h}"))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

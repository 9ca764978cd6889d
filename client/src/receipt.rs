//! Receipts, checked without asking anybody: the entry is in the log, and says what it must say.

use chancery_formats::Construction;
use chancery_reqlog::{Decision, Leaf, LeafError, Token};
use chancery_tlog::{Checkpoint, TlogProof, TlogProofError, VerifierKey};

/// A receipt whose entry is proved to be in the log that signed its checkpoint.
#[derive(Debug, Clone)]
pub struct Receipt {
    index: u64,
    leaf: Leaf,
    checkpoint: Checkpoint,
    note: String,
}

/// What the entry of a released signature must say. Fields that are `None` are not compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Expected<'a> {
    /// The request id.
    pub request_id: Option<&'a [u8; 16]>,
    /// The id of the key: SHA-256 of its DER `SubjectPublicKeyInfo`.
    pub key_id: Option<&'a [u8; 32]>,
    /// The version of the key.
    pub key_version: Option<u32>,
    /// The construction.
    pub construction: Option<Construction>,
    /// SHA-256 of the signed bytes.
    pub tbs_sha256: Option<&'a [u8; 32]>,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiptError {
    /// The receipt is not text.
    #[error("the receipt is not text in the form of tlog-proof")]
    NotText,
    /// The proof does not hold.
    #[error("the receipt does not prove that its entry is in the log")]
    Proof(#[source] TlogProofError),
    /// The entry is not in the receipt.
    #[error("the receipt does not hold the entry that it is about")]
    NoEntry,
    /// The entry cannot be read.
    #[error("the entry in the receipt cannot be read")]
    Entry(#[source] LeafError),
    /// The entry is about something else.
    #[error("the entry in the receipt has another {field} than this {what}: {found}, expected was {wanted}")]
    Other {
        /// What the entry ought to be about.
        what: &'static str,
        /// Name of the field of the entry.
        field: &'static str,
        /// What the entry says.
        found: String,
        /// What it should say.
        wanted: String,
    },
}

impl Receipt {
    /// Opens a receipt and proves that its entry is in the log with this key.
    ///
    /// # Errors
    /// [`ReceiptError`] when it proves nothing.
    pub fn open(receipt: &[u8], log: &VerifierKey) -> Result<Self, ReceiptError> {
        let text = std::str::from_utf8(receipt).map_err(|_| ReceiptError::NotText)?;
        let proof: TlogProof = text.parse().map_err(ReceiptError::Proof)?;
        let entry = proof.extra.as_deref().ok_or(ReceiptError::NoEntry)?;
        let checkpoint = proof.verify(entry, log).map_err(ReceiptError::Proof)?;
        let leaf = Leaf::parse(entry).map_err(ReceiptError::Entry)?;
        Ok(Self { index: proof.index, leaf, checkpoint, note: proof.checkpoint })
    }

    /// Checks that the entry is the one of a permitted and signed request with these properties.
    ///
    /// # Errors
    /// [`ReceiptError::Other`] names the first property that differs.
    pub fn is_of_signature(&self, wanted: &Expected<'_>) -> Result<(), ReceiptError> {
        let other = |field, found: String, wanted: String| ReceiptError::Other { what: "signature", field, found, wanted };
        if self.leaf.kind != Token::SIGN {
            return Err(other("kind", self.leaf.kind.to_string(), Token::SIGN.to_string()));
        }
        if self.leaf.decision != Decision::Permit {
            return Err(other("decision", self.leaf.decision.word().to_owned(), Decision::Permit.word().to_owned()));
        }
        compare("rid", self.leaf.rid.as_ref().map(|v| hex(v)), wanted.request_id.map(|v| hex(v)), other)?;
        compare("key", self.leaf.key.as_ref().map(|v| hex(v)), wanted.key_id.map(|v| hex(v)), other)?;
        compare("key_version", self.leaf.key_version, wanted.key_version, other)?;
        compare("construction", self.leaf.construction.as_ref().map(Token::as_str), wanted.construction.map(Construction::name), other)?;
        compare("tbs", self.leaf.tbs.as_ref().map(|v| hex(v)), wanted.tbs_sha256.map(|v| hex(v)), other)
    }

    /// Checks that the entry is about this request: the refusal itself, or what was recorded under the same id before.
    ///
    /// # Errors
    /// [`ReceiptError::Other`] when it is about another request.
    pub fn is_of_request(&self, request_id: &[u8; 16]) -> Result<(), ReceiptError> {
        let other = |field, found: String, wanted: String| ReceiptError::Other { what: "request", field, found, wanted };
        compare("rid", self.leaf.rid.as_ref().map(|v| hex(v)), Some(hex(request_id)), other)
    }

    /// Index of the entry.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The entry.
    #[must_use]
    pub const fn leaf(&self) -> &Leaf {
        &self.leaf
    }

    /// The checkpoint of the tree that the entry is proved to be in.
    #[must_use]
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// That checkpoint with its signatures.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

fn compare<T: PartialEq + ToString>(
    field: &'static str,
    found: Option<T>,
    wanted: Option<T>,
    other: impl FnOnce(&'static str, String, String) -> ReceiptError,
) -> Result<(), ReceiptError> {
    match wanted {
        Some(wanted) if found.as_ref() != Some(&wanted) => {
            Err(other(field, found.map_or_else(|| "nothing".to_owned(), |f| f.to_string()), wanted.to_string()))
        }
        _ => Ok(()),
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digit = |n: u8| char::from_digit(u32::from(n), 16).unwrap_or('?');
    bytes.iter().flat_map(|b| [digit(b >> 4), digit(b & 15)]).collect()
}

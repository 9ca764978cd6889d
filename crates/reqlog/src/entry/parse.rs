//! Reading a leaf: strictly, so that one event has one spelling.

use super::{Decision, Leaf, MAX_LEAF, MAX_TIME, Token, TokenError};
use base64::Engine as _;
use chancery_tlog::Hash;
use serde::Deserialize;

/// Bytes are not a leaf of version 1. No retry helps: whoever wrote them is broken, newer than this program, or not this log.
#[derive(Debug, thiserror::Error)]
pub enum LeafError {
    /// Longer than [`MAX_LEAF`].
    #[error("a leaf has at most {MAX_LEAF} bytes, this has {length}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// Another version than 1.
    #[error("the leaf is of version {version}; this program reads version 1 only, a newer one is needed")]
    Version {
        /// The version it names.
        version: u64,
    },
    /// Not JSON, an unknown field, a field of another type, or a required field is missing.
    #[error("the leaf is not a JSON object of the known fields")]
    Json(#[source] serde_json::Error),
    /// A field's value is not what the field may hold.
    #[error("the leaf's field {field} is not {expected}")]
    Field {
        /// The field's name.
        field: &'static str,
        /// What would have been right.
        expected: &'static str,
    },
    /// The same content spelled otherwise: other order, spaces, escapes, or a field twice.
    #[error("the leaf is not in canonical form")]
    NotCanonical,
}

impl Leaf {
    /// Reads the canonical bytes of a leaf.
    ///
    /// # Errors
    /// [`LeafError`] if the bytes are anything else than what [`Leaf::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, LeafError> {
        if bytes.len() > MAX_LEAF {
            return Err(LeafError::TooLong { length: bytes.len() });
        }
        let wire: Wire = serde_json::from_slice(bytes).map_err(|e| version_or(bytes, e))?;
        if wire.v != 1 {
            return Err(LeafError::Version { version: wire.v });
        }
        let leaf = wire.into_leaf()?;
        if leaf.to_bytes() == bytes { Ok(leaf) } else { Err(LeafError::NotCanonical) }
    }
}

/// A leaf of a later version most likely has fields that we do not know: say that, not "unknown field".
fn version_or(bytes: &[u8], error: serde_json::Error) -> LeafError {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    match serde_json::from_slice(bytes) {
        Ok(Version { v }) if v != 1 => LeafError::Version { version: v },
        _ => LeafError::Json(error),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    construction: Option<String>,
    decision: String,
    details: Option<String>,
    key: Option<String>,
    key_version: Option<u32>,
    kind: String,
    policy: Option<String>,
    principal: Option<String>,
    reason: Option<String>,
    rid: Option<String>,
    subject: Option<String>,
    tbs: Option<String>,
    time: u64,
    v: u64,
}

impl Wire {
    fn into_leaf(self) -> Result<Leaf, LeafError> {
        if self.time > MAX_TIME {
            return Err(LeafError::Field { field: "time", expected: "at most 2^53 - 1" });
        }
        Ok(Leaf {
            construction: self.construction.map(|t| token("construction", &t)).transpose()?,
            decision: Decision::from_word(&self.decision)
                .ok_or(LeafError::Field { field: "decision", expected: "permit, deny or none" })?,
            details: hash("details", self.details)?,
            key: hex("key", self.key)?,
            key_version: self.key_version,
            kind: token("kind", &self.kind)?,
            policy: hex("policy", self.policy)?,
            principal: hash("principal", self.principal)?,
            reason: self.reason.map(|t| token("reason", &t)).transpose()?,
            rid: hex("rid", self.rid)?,
            subject: hash("subject", self.subject)?,
            tbs: hex("tbs", self.tbs)?,
            time: self.time,
        })
    }
}

fn token(field: &'static str, text: &str) -> Result<Token, LeafError> {
    Token::new(text).map_err(|TokenError| LeafError::Field { field, expected: "a code of 1 to 64 characters A-Z a-z 0-9 . _ / -" })
}

fn hash(field: &'static str, text: Option<String>) -> Result<Option<Hash>, LeafError> {
    let decode = |text: String| {
        let bytes = base64::engine::general_purpose::STANDARD.decode(text).ok()?;
        Some(Hash(bytes.try_into().ok()?))
    };
    text.map(|t| decode(t).ok_or(LeafError::Field { field, expected: "32 bytes in padded base64" })).transpose()
}

fn hex<const N: usize>(field: &'static str, text: Option<String>) -> Result<Option<[u8; N]>, LeafError> {
    text.map(|t| unhex(&t).ok_or(LeafError::Field { field, expected: "lowercase hex of the right length" })).transpose()
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
    let mut out = [0; N];
    if pairs.len() != N {
        return None;
    }
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = (nibble(*high)? << 4) | nibble(*low)?;
    }
    Some(out)
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => digit.checked_sub(b'0'),
        b'a'..=b'f' => digit.checked_sub(b'a')?.checked_add(10),
        _ => None,
    }
}

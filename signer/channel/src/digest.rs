//! Digests that stand for content.

use serde::{Deserialize, Serialize};

/// A digest with the algorithm that made it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Digest {
    /// SHA-256, 32 bytes.
    Sha256([u8; 32]),
    /// SHA-512, 64 bytes in two halves.
    Sha512([[u8; 32]; 2]),
}

/// Hash algorithms a digest may come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DigestAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Digest {
    /// Takes the bytes of a digest; `None` when their number does not fit the algorithm.
    #[must_use]
    pub fn new(algorithm: DigestAlgorithm, bytes: &[u8]) -> Option<Self> {
        match algorithm {
            DigestAlgorithm::Sha256 => Some(Self::Sha256(bytes.try_into().ok()?)),
            DigestAlgorithm::Sha512 => {
                let (a, b) = bytes.split_at_checked(32)?;
                Some(Self::Sha512([a.try_into().ok()?, b.try_into().ok()?]))
            }
        }
    }

    /// The algorithm.
    #[must_use]
    pub const fn algorithm(&self) -> DigestAlgorithm {
        match self {
            Self::Sha256(_) => DigestAlgorithm::Sha256,
            Self::Sha512(_) => DigestAlgorithm::Sha512,
        }
    }

    /// The bytes: 32 or 64.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(d) => d,
            Self::Sha512(d) => d.as_flattened(),
        }
    }
}

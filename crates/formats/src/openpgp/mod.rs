//! OpenPGP signatures and certificates of version 4 made with Ed25519 keys (RFC 4880, RFC 9580; algorithm 22, `EdDSALegacy`), which is
//! what every OpenPGP program in use can check.
//!
//! Signatures here are detached ones of binary documents (type 0x00). All that is hashed beside the document is made by the signer.

mod armor;
mod certificate;
mod packet;
mod secret;
mod signature;
mod state;
mod trust;

pub use armor::{Block, armor, dearmor};
pub use certificate::{SelfSignature, UserId, UserIdError, certificate};
pub use packet::is_signature;
pub use secret::{SecretKey, has_key, secret_keys};
pub use signature::{Signature, Unsigned};
pub use state::{HashState, Hasher, StateError};

pub use trust::{Certificate, CertifiedKey, ValidityError};

use sha1::Digest as _;

/// A hash that documents are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hash {
    /// SHA-256, number 8.
    Sha256,
    /// SHA-512, number 10.
    Sha512,
}

/// An Ed25519 key as OpenPGP has it: its identity is the key and the time when it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey {
    /// When it was made, in seconds since 1970.
    pub created: u32,
    /// The 32 bytes of RFC 8032.
    pub point: [u8; 32],
}

/// Why bytes are not an OpenPGP signature that can be checked here. Another try with the same bytes gives the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OpenpgpError {
    /// The text is not armored as it should be.
    #[error("not an armored OpenPGP {expected}: {what}")]
    Armor {
        /// What was expected.
        expected: &'static str,
        /// What is wrong.
        what: &'static str,
    },
    /// A packet is cut off, or is not what is expected there.
    #[error("the OpenPGP data has {what} at byte {offset}")]
    Packet {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes from the beginning of the packet.
        offset: usize,
    },
    /// A signature of a kind that is not made here: another version, algorithm, hash or type.
    #[error("the OpenPGP signature is of another kind than an Ed25519 signature of a file: {what}")]
    Kind {
        /// What is different.
        what: &'static str,
    },
    /// The signature was made with another key.
    #[error("the OpenPGP signature was made with another key than the expected one")]
    OtherKey,
    /// The signature is not one of this document.
    #[error("the OpenPGP signature is not one of this document")]
    Mismatch,
}

/// `1.3.6.1.4.1.11591.15.1`, the curve's name with its length before it.
const ED25519_OID: [u8; 10] = [9, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
/// Public-key algorithm `EdDSALegacy`.
const EDDSA: u8 = 22;

impl Hash {
    /// RFC 9580 section 9.5.
    const fn number(self) -> u8 {
        match self {
            Self::Sha256 => 8,
            Self::Sha512 => 10,
        }
    }

    const fn from_number(number: u8) -> Option<Self> {
        match number {
            8 => Some(Self::Sha256),
            10 => Some(Self::Sha512),
            _ => None,
        }
    }

    /// `sha256` or `sha512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }
}

impl PublicKey {
    /// The key's identity (RFC 9580 section 5.5.4.2).
    #[must_use]
    pub fn fingerprint(&self) -> [u8; 20] {
        let body = self.body();
        let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
        sha1::Sha1::new().chain_update([0x99]).chain_update(length.to_be_bytes()).chain_update(body).finalize().into()
    }

    /// The last eight bytes of the fingerprint.
    #[must_use]
    pub fn key_id(&self) -> [u8; 8] {
        let [.., a, b, c, d, e, f, g, h] = self.fingerprint();
        [a, b, c, d, e, f, g, h]
    }

    /// The body of its packet (RFC 9580 section 5.5.2.1 and 5.5.5.5).
    #[must_use]
    pub fn body(&self) -> Vec<u8> {
        let mut body = vec![4];
        body.extend_from_slice(&self.created.to_be_bytes());
        body.push(EDDSA);
        body.extend_from_slice(&ED25519_OID);
        // A number of 263 bits: 0x40, which says that the point is in its own form, and the point.
        body.extend_from_slice(&[0x01, 0x07, 0x40]);
        body.extend_from_slice(&self.point);
        body
    }
}

#[cfg(test)]
mod tests;

//! Ed25519 signatures (RFC 8032), verified strictly, and the forms in which public keys are written.

mod text;

use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

/// A public key that is a point of the curve, and not one of the few weak ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

/// Why bytes or text are not a usable Ed25519 public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The text or DER is not in the form that was asked for.
    #[error("not an Ed25519 public key in the form {expected}")]
    Form {
        /// The form that was asked for.
        expected: &'static str,
    },
    /// The 32 bytes are not a point of the curve.
    #[error("the bytes of the Ed25519 public key are not a point of the curve")]
    NotAPoint,
    /// The key is one for which anyone can make signatures.
    #[error("the Ed25519 public key is a weak one, for which anyone can make signatures")]
    Weak,
}

/// Why a signature is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// The key cannot be used.
    #[error("the public key cannot be used")]
    Key(#[source] KeyError),
    /// The signature is not one of this message by this key.
    #[error("the Ed25519 signature does not belong to this message and key")]
    Mismatch,
}

/// Checks that `signature` is one of `message` by `public`.
///
/// Strict: weak keys, weak commitments and encodings that are not canonical are refused (RFC 8032 section 5.1.7 without the cofactor).
///
/// # Errors
/// When it is not.
pub fn verify(public: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
    let key = usable(public).map_err(SignatureError::Key)?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| SignatureError::Mismatch)
}

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// When they are not a point of the curve, or a weak one.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        usable(bytes).map(|_| Self(*bytes))
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key's id in the request log and in replies: SHA-256 of [`PublicKey::to_spki_der`].
    #[must_use]
    pub fn key_id(&self) -> [u8; 32] {
        Sha256::digest(self.to_spki_der()).into()
    }

    /// Checks that `signature` is one of `message` by this key; see [`verify`].
    ///
    /// # Errors
    /// When it is not.
    pub fn verify(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), SignatureError> {
        verify(&self.0, message, signature)
    }
}

fn usable(bytes: &[u8; 32]) -> Result<VerifyingKey, KeyError> {
    let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::NotAPoint)?;
    if key.is_weak() { Err(KeyError::Weak) } else { Ok(key) }
}

#[cfg(test)]
mod tests;

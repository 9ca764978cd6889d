//! SSH signatures of files and git objects (`PROTOCOL.sshsig` of OpenSSH), made with Ed25519 keys.
//!
//! The signed bytes carry a magic, a namespace and the digest of the message, so a digest is enough to sign.

mod armor;
mod wire;

use crate::ed25519::{self, SignatureError};
pub use wire::MAGIC;

/// The longest namespace, in bytes.
const MAX_NAMESPACE: usize = 255;

/// How the message is hashed. `PROTOCOL.sshsig` has these two and no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512, which `ssh-keygen` uses when not told otherwise.
    Sha512,
}

/// An SSH signature that was read, and not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    /// The key that made the signature, as the signature says.
    pub public_key: [u8; 32],
    /// What the signature is for, such as `file` or `git`.
    pub namespace: String,
    /// How the message was hashed.
    pub algorithm: HashAlgorithm,
    /// The Ed25519 signature of [`tbs`].
    pub signature: [u8; 64],
}

/// The signed bytes of an SSH signature, taken apart: what an agent is asked to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tbs {
    /// What the signature is for, such as `file` or `git`.
    pub namespace: String,
    /// How the message was hashed.
    pub algorithm: HashAlgorithm,
    /// The digest of the message.
    pub digest: Vec<u8>,
}

/// Why an SSH signature cannot be made, read or believed. Another try with the same input gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SshsigError {
    /// The namespace is empty, longer than 255 bytes, or has control characters.
    #[error("a namespace of SSH signatures has 1 to 255 bytes and no control characters")]
    Namespace,
    /// The digest has another length than its algorithm gives.
    #[error("a digest made with {algorithm} has {expected} bytes, this one has {found}")]
    DigestLength {
        /// The algorithm.
        algorithm: HashAlgorithm,
        /// Its digest length in bytes.
        expected: usize,
        /// The length that was given, in bytes.
        found: usize,
    },
    /// The hash name is neither `sha256` nor `sha512`.
    #[error("SSH signatures are made with sha256 or sha512, not with {name:?}")]
    UnknownHash {
        /// The name that was given, shortened to 64 characters.
        name: String,
    },
    /// The text is not framed as an SSH signature.
    #[error("not an armored SSH signature: {what}")]
    Armor {
        /// What is wrong with the framing.
        what: &'static str,
    },
    /// The bytes inside the armor are not an SSH signature made with an Ed25519 key.
    #[error("the SSH signature has {what} at byte {offset} of its binary form")]
    Blob {
        /// What is wrong.
        what: &'static str,
        /// Where, in bytes from the beginning of the binary form.
        offset: usize,
    },
    /// The signature was made with another key.
    #[error("the SSH signature was made with another key than the expected one")]
    OtherKey,
    /// The signature was made for another purpose.
    #[error("the SSH signature is for namespace {found:?}, expected was {expected:?}")]
    OtherNamespace {
        /// The namespace in the signature.
        found: String,
        /// The namespace that was asked for.
        expected: String,
    },
    /// The signature does not belong to this message.
    #[error("the SSH signature is not one of this message")]
    Signature(#[source] SignatureError),
}

impl HashAlgorithm {
    /// The name in the signature: `sha256` or `sha512`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha512 => "sha512",
        }
    }

    /// The length of a digest in bytes.
    #[must_use]
    pub const fn digest_len(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }
}

impl std::fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for HashAlgorithm {
    type Err = SshsigError;

    fn from_str(name: &str) -> Result<Self, SshsigError> {
        let found = [Self::Sha256, Self::Sha512].into_iter().find(|a| a.name() == name);
        found.ok_or_else(|| SshsigError::UnknownHash { name: name.chars().take(64).collect() })
    }
}

/// The bytes that are signed: magic, namespace, nothing, hash name, digest.
///
/// # Errors
/// When the namespace is not usable or the digest is not one of `algorithm`.
pub fn tbs(namespace: &str, algorithm: HashAlgorithm, digest: &[u8]) -> Result<Vec<u8>, SshsigError> {
    check_namespace(namespace)?;
    let (expected, found) = (algorithm.digest_len(), digest.len());
    if found != expected {
        return Err(SshsigError::DigestLength { algorithm, expected, found });
    }
    Ok(wire::signed_bytes(namespace, algorithm, digest))
}

/// The finished file: the signature of [`tbs`] with all that is needed to check it, armored as `ssh-keygen -Y sign` does.
#[must_use]
pub fn armor(public_key: &[u8; 32], namespace: &str, algorithm: HashAlgorithm, signature: &[u8; 64]) -> String {
    armor::wrap(&wire::encode(public_key, namespace, algorithm, signature))
}

/// Checks that `armored` is a signature by `public_key` in `namespace` of the message whose digest `digest` makes.
///
/// `digest` is called with the algorithm that the signature names, once everything else is as expected.
///
/// # Errors
/// When it is not.
pub fn verify(
    armored: &str,
    public_key: &[u8; 32],
    namespace: &str,
    digest: impl FnOnce(HashAlgorithm) -> Vec<u8>,
) -> Result<(), SshsigError> {
    let signature = SshSignature::parse(armored)?;
    if signature.public_key != *public_key {
        return Err(SshsigError::OtherKey);
    }
    if signature.namespace != namespace {
        return Err(SshsigError::OtherNamespace { found: signature.namespace, expected: namespace.to_owned() });
    }
    signature.verify(&digest(signature.algorithm))
}

impl Tbs {
    /// Reads what [`tbs`] writes, and nothing else.
    ///
    /// # Errors
    /// When the bytes are anything else, such as what a login signs.
    pub fn parse(bytes: &[u8]) -> Result<Self, SshsigError> {
        let read = wire::decode_signed_bytes(bytes)?;
        // Namespace and length of the digest are checked where they are written.
        tbs(&read.namespace, read.algorithm, &read.digest).map(|_| read)
    }
}

impl SshSignature {
    /// Reads the armored form. Nothing may stand before or after it but white space.
    ///
    /// # Errors
    /// When it is not framed like one, or is not made with an Ed25519 key.
    pub fn parse(armored: &str) -> Result<Self, SshsigError> {
        let signature = wire::decode(&armor::unwrap(armored)?)?;
        check_namespace(&signature.namespace)?;
        Ok(signature)
    }

    /// Checks the signature over a message with this digest, under the key that the signature itself names: compare it and the
    /// namespace first.
    ///
    /// # Errors
    /// When the digest has a wrong length, the key is weak or the signature is not one of this message.
    pub fn verify(&self, digest: &[u8]) -> Result<(), SshsigError> {
        let tbs = tbs(&self.namespace, self.algorithm, digest)?;
        ed25519::verify(&self.public_key, &tbs, &self.signature).map_err(SshsigError::Signature)
    }
}

fn check_namespace(namespace: &str) -> Result<(), SshsigError> {
    let usable = (1..=MAX_NAMESPACE).contains(&namespace.len()) && !namespace.chars().any(char::is_control);
    if usable { Ok(()) } else { Err(SshsigError::Namespace) }
}

#[cfg(test)]
mod tests;

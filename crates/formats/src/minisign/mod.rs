//! Signatures of minisign, prehashed ones only (`ED` in <https://jedisct1.github.io/minisign/>).
//!
//! A file has two signatures: one of the BLAKE2b-512 digest of the content, and one of the first together with a comment. The
//! comment is bytes that a pure signature is made of, so it is made here, from a time and a checked file name, and in no other way.

mod comment;

use crate::ed25519::{PublicKey, SignatureError};
use crate::numbered::{self, FormError};
pub use crate::numbered::{KeyFileError, KeyNumber, NumberedKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
pub use comment::TrustedComment;

/// The length of a BLAKE2b-512 digest in bytes.
pub const DIGEST_LEN: usize = 64;

/// The algorithm of prehashed signatures.
const PREHASHED: [u8; 2] = *b"ED";

const TRUSTED: &str = "trusted comment: ";

/// A signature file that was read, and not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MinisignSignature {
    /// The number of the key that made it, as the file says.
    pub key_number: KeyNumber,
    /// The Ed25519 signature of [`tbs`].
    pub signature: [u8; 64],
    /// The comment that is signed too; tabs are its only control characters.
    pub trusted_comment: String,
    /// The Ed25519 signature of [`global_tbs`].
    pub global_signature: [u8; 64],
}

/// Why a minisign signature cannot be made, read or believed. Another try with the same input gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MinisignError {
    /// The digest is not one of BLAKE2b-512.
    #[error("a BLAKE2b-512 digest has 64 bytes, this one has {found}")]
    DigestLength {
        /// The length that was given, in bytes.
        found: usize,
    },
    /// The file name cannot stand in a trusted comment.
    #[error("a file name has 1 to 255 bytes, and no slash, backslash, control character or mark of writing direction")]
    FileName,
    /// The text is not in the form of a signature file.
    #[error("not a minisign signature: {0}")]
    Form(#[from] FormError),
    /// A signature of the old kind, of the content itself.
    #[error("the minisign signature is of the old kind, which is not of a digest; `minisign -S` makes the new kind since version 0.11")]
    Legacy,
    /// The signature was made with another key.
    #[error("the minisign signature was made with key {found}, expected was {expected}")]
    OtherKey {
        /// The key number in the signature.
        found: KeyNumber,
        /// The number of the key that was asked for.
        expected: KeyNumber,
    },
    /// The signature does not belong to this digest.
    #[error("the minisign signature is not one of this content")]
    Signature(#[source] SignatureError),
    /// The trusted comment was changed.
    #[error("the trusted comment of the minisign signature was changed")]
    Comment(#[source] SignatureError),
}

/// The bytes that are signed first: the BLAKE2b-512 digest of the content.
///
/// # Errors
/// When the digest does not have 64 bytes.
pub fn tbs(digest: &[u8]) -> Result<[u8; DIGEST_LEN], MinisignError> {
    digest.try_into().map_err(|_| MinisignError::DigestLength { found: digest.len() })
}

/// The bytes that are signed second: the first signature and the comment, without a newline.
#[must_use]
pub fn global_tbs(signature: &[u8; 64], comment: &TrustedComment) -> Vec<u8> {
    signed_comment(signature, comment.as_str())
}

/// The finished `.minisig` file: four lines.
#[must_use]
pub fn frame(key: &PublicKey, signature: &[u8; 64], comment: &TrustedComment, global_signature: &[u8; 64]) -> String {
    let key = NumberedKey::from(*key);
    let first =
        numbered::file(&format!("verify with minisign -P {}", key.to_base64()), &numbered::encode(PREHASHED, key.number, signature));
    format!("{first}{TRUSTED}{}\n{}\n", comment.as_str(), STANDARD.encode(global_signature))
}

/// The public key file that `minisign -p` reads, under the number that [`frame`] gives the key.
#[must_use]
pub fn public_key_file(key: &PublicKey) -> String {
    let key = NumberedKey::from(*key);
    numbered::file(&format!("minisign public key {}", key.number), &key.to_base64())
}

/// Checks that `text` is a signature file by `key` for content with this digest, and returns its trusted comment.
///
/// # Errors
/// When it is not.
pub fn verify(text: &str, key: &NumberedKey, digest: &[u8]) -> Result<String, MinisignError> {
    let read = MinisignSignature::parse(text)?;
    read.verify(key, digest)?;
    Ok(read.trusted_comment)
}

impl MinisignSignature {
    /// Reads a `.minisig` file: exactly four lines.
    ///
    /// # Errors
    /// When the text is not in that form, or is a signature of the old kind.
    pub fn parse(text: &str) -> Result<Self, MinisignError> {
        let mut rest = text;
        numbered::untrusted(numbered::line(&mut rest, 1)?)?;
        let (algorithm, key_number, signature) = numbered::decode(numbered::line(&mut rest, 2)?, 2)?;
        match algorithm {
            PREHASHED => {}
            numbered::PLAIN => return Err(MinisignError::Legacy),
            _ => return Err(FormError { line: 2, what: "is not a signature of minisign" }.into()),
        }
        let trusted_comment = read_trusted(numbered::line(&mut rest, 3)?)?;
        let global_signature = decode_global(numbered::line(&mut rest, 4)?)?;
        numbered::end(rest, 5)?;
        Ok(Self { key_number, signature, trusted_comment, global_signature })
    }

    /// Checks both signatures.
    ///
    /// # Errors
    /// When the key has another number, the digest has a wrong length, or one of the signatures does not fit.
    pub fn verify(&self, key: &NumberedKey, digest: &[u8]) -> Result<(), MinisignError> {
        if self.key_number != key.number {
            return Err(MinisignError::OtherKey { found: self.key_number, expected: key.number });
        }
        key.key.verify(&tbs(digest)?, &self.signature).map_err(MinisignError::Signature)?;
        let message = signed_comment(&self.signature, &self.trusted_comment);
        key.key.verify(&message, &self.global_signature).map_err(MinisignError::Comment)
    }
}

fn signed_comment(signature: &[u8; 64], comment: &str) -> Vec<u8> {
    [signature, comment.as_bytes()].concat()
}

fn read_trusted(line: &str) -> Result<String, FormError> {
    let wrong = |what| FormError { line: 3, what };
    let comment = line.strip_prefix(TRUSTED).ok_or(wrong("does not begin with `trusted comment: `"))?;
    match comment {
        _ if comment.len() > comment::MAX_LEN => Err(wrong("is longer than 8,000 bytes")),
        _ if comment.contains(|c: char| c.is_control() && c != '\t') => Err(wrong("has a control character other than a tab")),
        _ => Ok(comment.to_owned()),
    }
}

fn decode_global(line: &str) -> Result<[u8; 64], FormError> {
    let wrong = FormError { line: 4, what: "is not base64 of 64 bytes" };
    STANDARD.decode(line).map_err(|_| wrong)?.try_into().map_err(|_| wrong)
}

#[cfg(test)]
mod tests;

//! Signatures of OpenBSD's signify (`signify(1)`): pure Ed25519 over the content, in a file of two lines.
//!
//! The content is any bytes, so [`check`] keeps out what other constructions give a meaning to. Where a list of checksums is what is
//! signed, it may follow the two lines in the same file: `signify -C` checks it and the files in it.

mod list;

use crate::content::ContentError;
use crate::ed25519::{PublicKey, SignatureError};
use crate::numbered::{self, FormError, PLAIN};
pub use crate::numbered::{KeyFileError, KeyNumber, NumberedKey};
use crate::raw::{self, Kind};
pub use list::{SignedList, check_list, frame_list, verify_list};
use std::fmt;

const MAX_NAME: usize = 64;

/// The name of a key, without `.pub`: signify looks for the file `NAME.pub` when it is not told a key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KeyName(String);

/// A signature that was read, and not verified yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignifySignature {
    /// The comment. Nobody has signed it.
    pub comment: String,
    /// The number of the key that made the signature, as the file says.
    pub key_number: KeyNumber,
    /// The Ed25519 signature of the content.
    pub signature: [u8; 64],
}

/// Why a signature of signify cannot be made, read or believed. Another try with the same input gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignifyError {
    /// The name of the key cannot be that of a file.
    #[error("the name of a signify key has 1 to 64 of the characters A-Z a-z 0-9 . _ -, and begins with a letter or a digit")]
    KeyName,
    /// The text is not in the form of a signature file.
    #[error("not a signify signature: {0}")]
    Form(#[from] FormError),
    /// What follows the signature is not a list of checksums.
    #[error("what follows the signify signature cannot be used")]
    List(#[source] ContentError),
    /// The signature was made with another key.
    #[error("the signify signature was made with key {found}, expected was {expected}")]
    OtherKey {
        /// The key number in the signature.
        found: KeyNumber,
        /// The number of the key that was asked for.
        expected: KeyNumber,
    },
    /// The signature does not belong to this content.
    #[error("the signify signature is not one of this content")]
    Signature(#[source] SignatureError),
}

impl KeyName {
    /// Takes a name.
    ///
    /// # Errors
    /// [`SignifyError::KeyName`] when it is empty, longer than 64 bytes, has characters outside `A-Z a-z 0-9 . _ -`, or begins with
    /// other than a letter or a digit.
    pub fn new(name: &str) -> Result<Self, SignifyError> {
        let usable = (1..=MAX_NAME).contains(&name.len())
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
        if usable { Ok(Self(name.to_owned())) } else { Err(SignifyError::KeyName) }
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks content that is to be signed. The signed bytes are the content itself.
///
/// Lists of checksums and other texts may be signed: they are what signify is for.
///
/// # Errors
/// When the content is empty, or can be taken for something that another construction means.
pub fn check(content: &[u8]) -> Result<(), ContentError> {
    raw::refuse(content, raw::kind_but_note(content).filter(|kind| *kind != Kind::Checksums))
}

/// The finished `.sig` file: two lines.
#[must_use]
pub fn frame(name: &KeyName, key: &PublicKey, signature: &[u8; 64]) -> String {
    numbered::file(&format!("verify with {name}.pub"), &numbered::encode(PLAIN, KeyNumber::of(key), signature))
}

/// The public key file `NAME.pub`, under the number that [`frame`] gives the key.
#[must_use]
pub fn public_key_file(name: &KeyName, key: &PublicKey) -> String {
    numbered::file(&format!("{name} public key"), &NumberedKey::from(*key).to_base64())
}

/// Checks that `text` is a signature file by `key` for this content.
///
/// # Errors
/// When it is not.
pub fn verify(text: &str, key: &NumberedKey, content: &[u8]) -> Result<(), SignifyError> {
    SignifySignature::parse(text)?.verify(key, content)
}

impl SignifySignature {
    /// Reads a `.sig` file: exactly two lines.
    ///
    /// # Errors
    /// When the text is not in that form.
    pub fn parse(text: &str) -> Result<Self, SignifyError> {
        let (signature, rest) = Self::parse_first(text)?;
        numbered::end(rest, 3)?;
        Ok(signature)
    }

    /// Checks the signature.
    ///
    /// # Errors
    /// When the key has another number, or the signature does not fit.
    pub fn verify(&self, key: &NumberedKey, content: &[u8]) -> Result<(), SignifyError> {
        if self.key_number != key.number {
            return Err(SignifyError::OtherKey { found: self.key_number, expected: key.number });
        }
        key.key.verify(content, &self.signature).map_err(SignifyError::Signature)
    }

    /// Reads the two lines at the beginning of `text`, and returns what follows them.
    fn parse_first(text: &str) -> Result<(Self, &str), FormError> {
        let mut rest = text;
        let comment = numbered::untrusted(numbered::line(&mut rest, 1)?)?.to_owned();
        let (algorithm, key_number, signature) = numbered::decode(numbered::line(&mut rest, 2)?, 2)?;
        if algorithm == PLAIN {
            Ok((Self { comment, key_number, signature }, rest))
        } else {
            Err(FormError { line: 2, what: "is not an Ed25519 signature of the content itself" })
        }
    }
}

#[cfg(test)]
mod tests;

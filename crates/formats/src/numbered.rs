//! What minisign and signify have in common: numbered keys, and files of a comment line and a base64 line.

use crate::ed25519::{KeyError, PublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::fmt;

/// The algorithm in public keys, and in signatures of whole content: plain Ed25519.
pub(crate) const PLAIN: [u8; 2] = *b"Ed";

/// What stands before the comment in the first line of every file.
const UNTRUSTED: &str = "untrusted comment: ";

/// The longest comment line in bytes, without its newline. Both tools have room for 1,024 with what ends a string.
const MAX_COMMENT_LINE: usize = 1000;

/// The number by which both tools tell keys apart. It proves nothing: a signature must be verified with the key.
///
/// The tools draw it at random. Ours is made from the key, so that it need not be kept; those of others are taken as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyNumber([u8; 8]);

/// A public key as both tools have it: with its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NumberedKey {
    /// The number in signatures by this key.
    pub number: KeyNumber,
    /// The key.
    pub key: PublicKey,
}

/// Why a file is not in the form of minisign or signify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {what}")]
pub struct FormError {
    /// Which line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

/// Why a public key of minisign or signify cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The text is not in the form of such a key.
    #[error("not a public key of minisign or signify: {0}")]
    Form(FormError),
    /// The key in it cannot be used.
    #[error("the public key cannot be used")]
    Key(#[source] KeyError),
}

impl KeyNumber {
    /// The number that a key has here: the first 8 bytes of [`PublicKey::key_id`].
    #[must_use]
    pub fn of(key: &PublicKey) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = key.key_id();
        Self([a, b, c, d, e, f, g, h])
    }

    /// A number as files have it.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    /// The number as files have it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for KeyNumber {
    /// As minisign shows it: the bytes as a little-endian number in hexadecimal, without leading zeros.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:X}", u64::from_le_bytes(self.0))
    }
}

impl From<PublicKey> for NumberedKey {
    fn from(key: PublicKey) -> Self {
        Self { number: KeyNumber::of(&key), key }
    }
}

impl NumberedKey {
    /// The base64 line of a public key file, without newline: what `minisign -P` takes.
    #[must_use]
    pub fn to_base64(&self) -> String {
        encode(PLAIN, self.number, self.key.as_bytes())
    }

    /// Reads a public key file of minisign or signify, which have the same form, or its base64 line alone. White space around it is
    /// ignored, and so is the comment.
    ///
    /// # Errors
    /// When the text is not in that form, or the key is not usable.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        let text = text.trim_ascii();
        let (line, base64) = match text.split_once('\n') {
            Some((comment, rest)) => (2, untrusted(comment).map(|_| rest).map_err(KeyFileError::Form)?),
            None => (1, text),
        };
        let (algorithm, number, bytes) = decode::<32>(base64, line).map_err(KeyFileError::Form)?;
        if algorithm != PLAIN {
            return Err(KeyFileError::Form(FormError { line, what: "is not an Ed25519 key" }));
        }
        Ok(Self { number, key: PublicKey::from_bytes(&bytes).map_err(KeyFileError::Key)? })
    }
}

/// The two lines of a file, each with its newline.
pub(crate) fn file(comment: &str, base64: &str) -> String {
    format!("{UNTRUSTED}{comment}\n{base64}\n")
}

/// Base64 of algorithm, number and key or signature.
pub(crate) fn encode(algorithm: [u8; 2], number: KeyNumber, body: &[u8]) -> String {
    STANDARD.encode([&algorithm, number.as_bytes().as_slice(), body].concat())
}

/// Reads [`encode`], which is line `line` of a file, counted from 1.
pub(crate) fn decode<const N: usize>(text: &str, line: usize) -> Result<([u8; 2], KeyNumber, [u8; N]), FormError> {
    let wrong = |what| FormError { line, what };
    let blob = STANDARD.decode(text).map_err(|_| wrong("is not base64"))?;
    let (algorithm, rest) = blob.split_first_chunk::<2>().ok_or(wrong("is too short"))?;
    let (number, body) = rest.split_first_chunk::<8>().ok_or(wrong("is too short"))?;
    let body = body.try_into().map_err(|_| wrong("has another length than a key or signature of Ed25519"))?;
    Ok((*algorithm, KeyNumber(*number), body))
}

/// The comment in the first line of a file.
pub(crate) fn untrusted(line: &str) -> Result<&str, FormError> {
    let wrong = |what| FormError { line: 1, what };
    let comment = line.strip_prefix(UNTRUSTED).ok_or(wrong("does not begin with `untrusted comment: `"))?;
    match comment {
        _ if line.len() > MAX_COMMENT_LINE => Err(wrong("is longer than 1,000 bytes")),
        _ if comment.contains(char::is_control) => Err(wrong("has a control character")),
        _ => Ok(comment),
    }
}

/// Cuts a line off the front of a file. Every line must end in a newline.
pub(crate) fn line<'a>(rest: &mut &'a str, number: usize) -> Result<&'a str, FormError> {
    let (line, after) = rest.split_once('\n').ok_or(FormError { line: number, what: "does not end in a newline" })?;
    *rest = after;
    Ok(line)
}

/// That nothing follows after the last line.
pub(crate) fn end(rest: &str, number: usize) -> Result<(), FormError> {
    if rest.is_empty() { Ok(()) } else { Err(FormError { line: number, what: "stands after the end" }) }
}

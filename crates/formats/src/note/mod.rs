//! Signed notes (C2SP signed-note v1.0.0) for publishers: a text that people read, and lines with signatures below it.
//!
//! The text itself is what is signed, with no word of what kind of text it is. A key that signs notes must therefore never sign a text
//! that is something else to somebody, least of all a checkpoint of a transparency log.

mod key;
mod log;
mod signed;

use crate::content::{ContentError, ContentFault, Document};
use crate::raw;
use crate::text::is_deceptive;
pub use key::{KeyName, NoteKey};
pub(crate) use log::{is_checkpoint, is_cosignature};
pub use signed::{NoteSignature, SignedNote, frame};

/// The longest text in bytes. The reader of Go takes a million, with all signatures.
pub const MAX_TEXT: usize = 524_288;

/// The text of a note, read strictly: the bytes to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoteText<'a>(&'a str);

/// Why a note or its key cannot be made, read or believed. Another try with the same input gives the same answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoteError {
    /// The name cannot be that of a key.
    #[error("the name of a note's key has 1 to 255 bytes, and no space, plus sign or control character")]
    KeyName,
    /// Not `NAME+8 HEX DIGITS+BASE64` of an Ed25519 key.
    #[error("not a verification key of notes: {0}")]
    VerifierKey(&'static str),
    /// The note is not a text, an empty line and signature lines.
    #[error("not a signed note: {0}")]
    Form(&'static str),
    /// A signature line that is none.
    #[error("signature line {0} of the note is malformed")]
    SignatureLine(usize),
    /// A signature that says it is by the key, and does not fit.
    #[error("the signature by {0} is not one of this text")]
    Mismatch(KeyName),
    /// No signature says that it is by the key.
    #[error("the note has no signature by {0}")]
    Unsigned(KeyName),
}

impl<'a> NoteText<'a> {
    /// Reads the text of a note.
    ///
    /// # Errors
    /// When the bytes are not UTF-8, are empty or longer than [`MAX_TEXT`], do not end in a newline, or have control characters other
    /// than newlines or marks of writing direction. Also when they can be taken for something else: for a checkpoint or a cosignature
    /// (C2SP tlog-checkpoint, tlog-cosignature), a list of checksums, or because of their length for a digest; see [`raw::Kind`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        let error = |fault, offset| Document::Note.error(fault, offset);
        let text = read_text(bytes)?;
        match raw::kind_but_note(bytes) {
            Some(kind) => Err(error(ContentFault::OtherKind(kind), 0)),
            None => Ok(Self(text)),
        }
    }

    /// The text, with its last newline.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// The bytes that are signed: the text itself.
    #[must_use]
    pub const fn tbs(&self) -> &'a [u8] {
        self.0.as_bytes()
    }
}

/// Whether bytes have the form of a note's text, whatever else they may be.
pub(crate) fn read_text(bytes: &[u8]) -> Result<&str, ContentError> {
    let error = |fault, offset| Document::Note.error(fault, offset);
    if bytes.len() > MAX_TEXT {
        return Err(error(ContentFault::TooLong { limit: MAX_TEXT }, MAX_TEXT));
    }
    let text = std::str::from_utf8(bytes).map_err(|e| error(ContentFault::NotUtf8, e.valid_up_to()))?;
    match text.find(|c| c != '\n' && is_deceptive(c)) {
        Some(at) => Err(error(ContentFault::ControlCharacter, at)),
        None if text.is_empty() => Err(error(ContentFault::Empty, 0)),
        None if !text.ends_with('\n') => Err(error(ContentFault::NoFinalNewline, text.len())),
        None => Ok(text),
    }
}

#[cfg(test)]
mod tests;

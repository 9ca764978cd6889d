//! The comment that is signed.

use super::MinisignError;
use crate::text::is_deceptive;

/// The longest trusted comment that is read, in bytes. minisign has room for 8,192 with all that stands around it.
pub(super) const MAX_LEN: usize = 8000;

/// The longest file name, in bytes: what file systems have.
const MAX_FILE: usize = 255;

/// How every trusted comment that is made here begins. See [`TrustedComment::is_signed_in`].
const BEGIN: &str = "timestamp:";

/// A trusted comment in minisign's own style: `timestamp:1700000000⇥file:NAME⇥hashed`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedComment(String);

impl TrustedComment {
    /// The comment for a file that is signed at `time`, in seconds since 1970.
    ///
    /// The name is one without directories, as minisign has it. It cannot end its field, because it has no control characters.
    ///
    /// # Errors
    /// [`MinisignError::FileName`] when the name is empty, `.` or `..`, longer than 255 bytes, or has a slash, a backslash, a control
    /// character or a mark of writing direction.
    pub fn new(time: u64, file: &str) -> Result<Self, MinisignError> {
        let usable = (1..=MAX_FILE).contains(&file.len())
            && !matches!(file, "." | "..")
            && !file.contains(|c: char| is_deceptive(c) || matches!(c, '/' | '\\'));
        if usable { Ok(Self(format!("{BEGIN}{time}\tfile:{file}\thashed"))) } else { Err(MinisignError::FileName) }
    }

    /// The text, without a newline.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether bytes could be taken for a signature with a trusted comment: what minisign signs second.
    #[must_use]
    pub fn is_signed_in(bytes: &[u8]) -> bool {
        bytes.get(64..).is_some_and(|comment| comment.starts_with(BEGIN.as_bytes()))
    }
}

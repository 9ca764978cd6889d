//! Checkpoints (C2SP tlog-checkpoint v1.0.0).

use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::note::{Note, NoteError};
use std::fmt;
use std::str::FromStr;

/// What a log says about itself at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// Root of their tree.
    pub root: Hash,
    /// Further lines, none of them empty.
    pub extensions: Vec<String>,
}

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Not origin, size, root and extension lines.
    #[error("line {0} of the checkpoint is malformed")]
    Line(usize),
    /// Signed by a key of another name than the origin.
    #[error("the checkpoint is of the log {found}, not of {wanted}")]
    Origin {
        /// The origin in the checkpoint.
        found: String,
        /// The name of the key.
        wanted: String,
    },
    /// The note around it was refused.
    #[error(transparent)]
    Note(#[from] NoteError),
}

impl Checkpoint {
    /// Checks the note's signature by the log's key and reads the checkpoint.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn open(note: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        note.verify(std::slice::from_ref(key))?;
        let checkpoint: Self = note.text().parse()?;
        if checkpoint.origin == key.name() {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Origin { found: checkpoint.origin, wanted: key.name().to_owned() })
        }
    }
}

impl FromStr for Checkpoint {
    type Err = CheckpointError;
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let mut lines = text.strip_suffix('\n').ok_or(CheckpointError::Line(1))?.split('\n');
        let origin = lines.next().filter(|l| !l.is_empty()).ok_or(CheckpointError::Line(1))?.to_owned();
        let size = lines.next().and_then(decimal).ok_or(CheckpointError::Line(2))?;
        let root = lines.next().and_then(Hash::from_base64).ok_or(CheckpointError::Line(3))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        match extensions.iter().position(String::is_empty) {
            Some(n) => Err(CheckpointError::Line(n.saturating_add(4))),
            None if size == 0 && root != Hash::EMPTY_ROOT => Err(CheckpointError::Line(3)),
            None => Ok(Self { origin, size, root, extensions }),
        }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, self.root)?;
        self.extensions.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

/// A decimal number as C2SP writes it: digits only, no leading zero, below 2^63.
pub(crate) fn decimal(s: &str) -> Option<u64> {
    let canonical = s == "0" || (!s.starts_with('0') && s.bytes().all(|b| b.is_ascii_digit()));
    s.parse().ok().filter(|n: &u64| canonical && i64::try_from(*n).is_ok())
}

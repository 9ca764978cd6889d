//! The checkpoint that was verified last, kept so that a log which goes back or forks is noticed.

use crate::error::AuditError;
use chancery_reqlog::durable::write_atomic;
use chancery_tlog::{Checkpoint, VerifierKey};
use std::io;
use std::path::{Path, PathBuf};

/// A file with a checkpoint.
pub(crate) struct State {
    path: PathBuf,
    /// What it held; nothing before the first audit.
    pub(crate) earlier: Option<Checkpoint>,
}

impl State {
    pub(crate) fn read(path: &Path, key: &VerifierKey) -> Result<Self, AuditError> {
        let earlier = match std::fs::read_to_string(path) {
            Ok(note) => Some(Checkpoint::open(&note, key).map_err(|source| AuditError::State { path: path.to_owned(), source })?),
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(AuditError::Read { path: path.to_owned(), source }),
        };
        Ok(Self { path: path.to_owned(), earlier })
    }

    pub(crate) fn save(&self, note: &str) -> Result<(), AuditError> {
        write_atomic(&self.path, note.as_bytes(), 0o644).map_err(AuditError::Save)
    }
}

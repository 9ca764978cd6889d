//! A log that came out of a backup: it is not written before it was compared with what others saw.
//!
//! The mark is a file in the log's directory. While it is there, [`crate::Log::open`] refuses with [`crate::OpenError::Restored`], unless
//! [`crate::LogConfig::accept_restored`] says otherwise.

use crate::durable::{self, DurableError};
use std::path::{Path, PathBuf};

/// The name of the mark in the log's directory.
pub const MARK: &str = "restored";

const TEXT: &str =
    "This log came out of a backup. Nothing is signed before `chanceryd log accept` was given a checkpoint that others hold.\n";

/// Marks a log, before any other file of it is restored.
///
/// # Errors
/// [`DurableError`].
pub fn mark(log: &Path) -> Result<(), DurableError> {
    durable::create_dir_all(log, 0o755)?;
    durable::write_atomic(&path(log), TEXT.as_bytes(), 0o600)
}

/// Takes the mark away. The caller has opened the log against what others saw, and recorded it.
///
/// # Errors
/// [`DurableError`].
pub fn unmark(log: &Path) -> Result<(), DurableError> {
    let mark = path(log);
    crate::store::remove_if_exists(&mark).map_err(|source| DurableError::Io { step: "remove", path: mark, source })?;
    durable::sync_dir(log)
}

/// Whether a log is marked.
#[must_use]
pub fn is_marked(log: &Path) -> bool {
    // In doubt it is: what cannot be looked at is no reason to sign.
    path(log).try_exists().unwrap_or(true)
}

fn path(log: &Path) -> PathBuf {
    log.join(MARK)
}

//! The numbers of a key host that serves, as they are now.

use super::{AdminError, files};
use crate::config::Gateway;
use std::path::Path;

/// Asks the gateway of this directory, where its `signer.toml` says that it has them.
///
/// # Errors
/// There is no such place, or nobody answers there.
pub fn numbers(dir: &Path) -> Result<String, AdminError> {
    let place = Gateway::read(dir)?.metrics.ok_or_else(|| AdminError::NoNumbers { file: dir.join("signer.toml") })?;
    place.fetch().map_err(|source| AdminError::Unanswered { place, source })
}

/// Writes them into a file that everybody may read, which is replaced whole.
///
/// # Errors
/// [`AdminError::File`].
pub fn write_numbers(to: &Path, text: &str) -> Result<(), AdminError> {
    files::replace(to, text.as_bytes(), 0o644)
}

//! The file with the publisher's private key: only its owner may have access to it.

use std::io::Read as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A private key in PEM is a few hundred bytes long.
const MAX_BYTES: u64 = 64 * 1024;

/// Why the private key of a profile cannot be used. Another try gives the same answer until the file is mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyFileError {
    /// The file cannot be read.
    #[error("cannot read the private key {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
    /// Not a regular file.
    #[error("the private key {} is not a regular file", path.display())]
    NotAFile {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner have access.
    #[error("the private key {} has mode {mode:04o}, so others than its owner have access; run chmod 0600 on it, and enroll again if somebody may have read it", path.display())]
    Mode {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to another user.
    #[error("the private key {} belongs to user {owner}, neither to root nor to the user who owns this process", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// Number of its owner.
        owner: u32,
    },
}

/// Reads a private key after it is made sure that only its owner has access. The checks are made on the open file.
pub(crate) fn read_private_key(path: &Path) -> Result<String, KeyFileError> {
    let unreadable = |source| KeyFileError::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let meta = file.metadata().map_err(unreadable)?;
    let mode = meta.permissions().mode() & 0o7777;
    if !meta.is_file() {
        return Err(KeyFileError::NotAFile { path: path.to_owned() });
    }
    // A service manager hands a credential over as a file of root's whose access list shows as rights of its group.
    let others = if meta.uid() == 0 && meta.gid() == 0 { 0o037 } else { 0o077 };
    if mode & others != 0 {
        return Err(KeyFileError::Mode { path: path.to_owned(), mode });
    }
    if meta.uid() != 0 && meta.uid() != nix::unistd::geteuid().as_raw() {
        return Err(KeyFileError::Owner { path: path.to_owned(), owner: meta.uid() });
    }
    let mut text = String::new();
    file.take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

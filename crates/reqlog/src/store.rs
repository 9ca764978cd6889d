//! What the log asks of a disk, one call per step that can fail.
//!
//! The second implementation, `faulty`, fails on command; the log's fault table is tested through it. A store for several key hosts
//! (one transaction with compare-and-swap of the head in an existing engine) would stand beside these two.

use crate::durable::{self, DurableError};
use std::fmt::Debug;
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

#[cfg(test)]
pub(crate) mod faulty;

/// A disk. Nothing is durable before the call that says so has returned.
pub(crate) trait Store: Send + Sync + Debug {
    /// Creates a file of zeros whose space is really there, so that writing into it neither finds the disk full nor has to grow the file
    /// (which makes each sync a third slower; writing the zeros out beforehand gains nothing more). An existing file is replaced.
    fn allocate(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Gives up a file's space from here on and allocates it anew, as zeros, up to this length.
    fn allocate_anew(&self, file: &File, from: u64, length: u64) -> io::Result<()>;

    /// Writes into a segment.
    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes what was written into a segment durable. After an error the file is not to be trusted.
    fn sync_data(&self, file: &File) -> io::Result<()>;

    /// Gives a file another name; durable after `sync_dir`.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> Result<(), DurableError>;

    /// Cuts a full segment to its used length and makes it read-only.
    fn seal(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Writes a file that nobody reads yet.
    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;

    /// Makes staged files durable.
    fn sync_staged(&self, files: &[PathBuf]) -> io::Result<()>;

    /// Replaces the published checkpoint, durably.
    fn publish_checkpoint(&self, path: &Path, bytes: &[u8]) -> Result<(), DurableError>;
}

/// Beyond so many files, one sync of the whole file system is cheaper than one of each.
const SYNC_EACH: usize = 8;

/// The file system.
#[derive(Debug)]
pub(crate) struct Disk;

impl Store for Disk {
    fn allocate(&self, path: &Path, length: u64) -> io::Result<()> {
        remove_if_exists(path)?;
        let file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        let result = match durable::allocate(&file, length) {
            Ok(()) => Ok(()),
            // Some file systems cannot reserve; written zeros take the space as well.
            Err(e) if e.kind() == io::ErrorKind::Unsupported => write_zeros(&file, length),
            Err(e) => Err(e),
        };
        let result = result.and_then(|()| durable::sync_all(&file));
        if result.is_err() {
            // A file of too little space must not be taken for a whole one, nor keep the space it got.
            let _ = std::fs::remove_file(path);
        }
        result
    }

    fn allocate_anew(&self, file: &File, from: u64, length: u64) -> io::Result<()> {
        file.set_len(from)?;
        match durable::allocate(file, length) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => file.set_len(length),
            allocated => allocated,
        }
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        file.write_all_at(bytes, offset)
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        durable::sync_data(file)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        durable::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DurableError> {
        durable::sync_dir(path)
    }

    fn seal(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = File::options().write(true).open(path)?;
        file.set_len(length)?;
        file.set_permissions(Permissions::from_mode(0o444))?;
        durable::sync_all(&file)
    }

    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        remove_if_exists(path)?;
        let mut file = File::options().write(true).create_new(true).open(path)?;
        file.write_all(bytes)?;
        file.set_permissions(Permissions::from_mode(0o444))
    }

    fn sync_staged(&self, files: &[PathBuf]) -> io::Result<()> {
        match files.first() {
            Some(first) if files.len() > SYNC_EACH => durable::sync_file_system(durable::parent(first)),
            _ => files.iter().try_for_each(|path| durable::sync_all(&File::open(path)?)),
        }
    }

    fn publish_checkpoint(&self, path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
        durable::write_atomic(path, bytes, 0o644)
    }
}

/// Removes a file that may not be there.
pub(crate) fn remove_if_exists(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

fn write_zeros(file: &File, length: u64) -> io::Result<()> {
    const BLOCK: usize = 1 << 20;
    let zeros = vec![0; BLOCK];
    let mut at = 0;
    while at < length {
        let left = usize::try_from(length.saturating_sub(at)).unwrap_or(BLOCK).min(BLOCK);
        file.write_all_at(zeros.get(..left).unwrap_or_default(), at)?;
        at = at.saturating_add(u64::try_from(left).unwrap_or(u64::MAX));
    }
    Ok(())
}

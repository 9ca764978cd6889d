//! Durable writes: the only place in the project that renames files or forces them to the disk.
//!
//! A file that another program reads is replaced by one recipe: temporary file beside it, write, fsync, rename, fsync of the directory.
//! After an error of fsync nothing here reads the file back to see whether it went well: the kernel may have thrown the pages away and
//! still show them (so a caller must treat such an error as final for that file).

use rustix::fs::{FlockOperation, OFlags};
use std::fs::{File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};
use tempfile::NamedTempFile;

/// Temporary files carry this prefix, so that what a crash leaves behind is recognised and never taken for content.
pub const TEMPORARY_PREFIX: &str = ".tmp-";

/// A durable write failed.
#[derive(Debug, thiserror::Error)]
pub enum DurableError {
    /// The file system refused one step. Nothing was replaced unless the step is the last one, `sync directory`: then the new
    /// content is in place but may be gone after a power cut. A retry of the whole call is safe.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
    /// An immutable file exists with other bytes. It was left alone; a retry gives the same answer. Compare both, and find out who
    /// wrote it.
    #[error("{} already exists with other content and is never overwritten", path.display())]
    Differs {
        /// The file.
        path: PathBuf,
    },
}

impl DurableError {
    /// Whether the disk (or the quota) is full, so that the same call may succeed once there is room.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Io { source, .. } if is_full(source))
    }
}

/// Whether an error says that the disk, the quota or the file size limit is exhausted.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge)
}

fn failed<'a>(step: &'static str, path: &'a Path) -> impl Fn(io::Error) -> DurableError + 'a {
    move |source| DurableError::Io { step, path: path.to_owned(), source }
}

/// Replaces `path` by a file with these bytes and permission bits (for example `0o644`, not masked by the umask).
///
/// Afterwards the file holds either the old or the new content, whatever happens, and the new content is on the disk.
///
/// # Errors
/// [`DurableError::Io`].
pub fn write_atomic(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DurableError> {
    let file = write_temporary(path, bytes, mode)?;
    replace(file, path)
}

/// Creates `path` with these bytes and permission bits; if it exists, it must already hold exactly these bytes.
///
/// # Errors
/// [`DurableError::Differs`] if the file exists with other bytes, else [`DurableError::Io`].
pub fn write_immutable(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DurableError> {
    let file = write_temporary(path, bytes, mode)?;
    match file.persist_noclobber(path) {
        Ok(_) => sync_dir(parent(path)),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
            let existing = std::fs::read(path).map_err(failed("read", path))?;
            if existing == bytes { Ok(()) } else { Err(DurableError::Differs { path: path.to_owned() }) }
        }
        Err(error) => Err(failed("create", path)(error.error)),
    }
}

/// Like [`write_atomic`], and the new modification time is at least one second after that of the file it replaces.
///
/// HTTP servers derive `Last-Modified` from the modification time in whole seconds: without the step, a cache that saw the old file
/// in this very second would keep it.
///
/// # Errors
/// [`DurableError::Io`].
pub fn replace_increasing_mtime(path: &Path, bytes: &[u8], mode: u32) -> Result<(), DurableError> {
    let file = write_temporary(path, bytes, mode)?;
    if let Some(old) = modified(path)? {
        let least = old.checked_add(Duration::from_secs(1)).unwrap_or(old);
        let time = SystemTime::now().max(least);
        file.as_file().set_modified(time).map_err(failed("set the time of", path))?;
        sync_all(file.as_file()).map_err(failed("sync", path))?;
    }
    replace(file, path)
}

/// Forces what was written to a file to the disk.
///
/// # Errors
/// [`DurableError::Io`].
pub fn sync_file(path: &Path) -> Result<(), DurableError> {
    let synced = File::open(path).and_then(|file| file.sync_data());
    synced.map_err(|source| DurableError::Io { step: "sync", path: path.to_owned(), source })
}

/// Forces the names in a directory to the disk: new, renamed and removed files.
///
/// # Errors
/// [`DurableError::Io`].
pub fn sync_dir(path: &Path) -> Result<(), DurableError> {
    let directory = rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, rustix::fs::Mode::empty())
        .map_err(|e| failed("open directory", path)(e.into()))?;
    rustix::fs::fsync(&directory).map_err(|e| failed("sync directory", path)(e.into()))
}

/// Creates a directory and its missing parents, with these permission bits on those created, durably.
///
/// # Errors
/// [`DurableError::Io`].
pub fn create_dir_all(path: &Path, mode: u32) -> Result<(), DurableError> {
    let mut missing = Vec::new();
    let mut at = Some(path);
    while let Some(directory) = at {
        if directory.as_os_str().is_empty() || directory.is_dir() {
            break;
        }
        missing.push(directory);
        at = directory.parent();
    }
    for directory in missing.into_iter().rev() {
        match std::fs::create_dir(directory) {
            Ok(()) => set_mode(directory, mode)?,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && directory.is_dir() => {}
            Err(e) => return Err(failed("create directory", directory)(e)),
        }
        sync_dir(parent(directory))?;
    }
    Ok(())
}

/// Moves a file that is already on the disk to another name on the same file system. The caller syncs the directory.
pub(crate) fn rename(from: &Path, to: &Path) -> io::Result<()> {
    rustix::fs::rename(from, to).map_err(Into::into)
}

/// Forces the content (and the length, if it changed) of a file to the disk.
pub(crate) fn sync_data(file: &File) -> io::Result<()> {
    rustix::fs::fdatasync(file).map_err(Into::into)
}

/// Forces the content and all metadata of a file to the disk.
pub(crate) fn sync_all(file: &File) -> io::Result<()> {
    rustix::fs::fsync(file).map_err(Into::into)
}

/// Forces a file's content to the disk, and has the kernel forget it: it is read from the disk then.
pub(crate) fn forget(path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    sync_data(&file)?;
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).map_err(Into::into)
}

/// Forces everything written to the file system that holds `directory` to the disk.
pub(crate) fn sync_file_system(directory: &Path) -> io::Result<()> {
    rustix::fs::syncfs(File::open(directory)?).map_err(Into::into)
}

/// Reserves disk space for a file, whose new part reads as zeros.
pub(crate) fn allocate(file: &File, length: u64) -> io::Result<()> {
    rustix::fs::fallocate(file, rustix::fs::FallocateFlags::empty(), 0, length).map_err(Into::into)
}

/// Takes the exclusive lock of a file without waiting; `false` if another open file holds it.
pub(crate) fn try_lock(file: &File) -> io::Result<bool> {
    match rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

fn write_temporary(path: &Path, bytes: &[u8], mode: u32) -> Result<NamedTempFile, DurableError> {
    let mut file =
        tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(parent(path)).map_err(failed("create a file beside", path))?;
    file.write_all(bytes).map_err(failed("write", path))?;
    // The umask has a say in the mode of a created file, but not in this.
    file.as_file().set_permissions(Permissions::from_mode(mode)).map_err(failed("set the mode of", path))?;
    sync_all(file.as_file()).map_err(failed("sync", path))?;
    Ok(file)
}

fn replace(file: NamedTempFile, path: &Path) -> Result<(), DurableError> {
    file.persist(path).map_err(|e| failed("replace", path)(e.error))?;
    sync_dir(parent(path))
}

fn modified(path: &Path) -> Result<Option<SystemTime>, DurableError> {
    match std::fs::metadata(path).and_then(|m| m.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(failed("look at", path)(e)),
    }
}

fn set_mode(path: &Path, mode: u32) -> Result<(), DurableError> {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).map_err(failed("set the mode of", path))
}

/// The directory of a file; `.` for a bare name.
pub(crate) fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(p) if !p.as_os_str().is_empty() => p,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    fn names(dir: &Path) -> Vec<String> {
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn atomic_write_replaces_content_and_mode_and_leaves_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_atomic(&path, b"one", 0o600).unwrap();
        write_atomic(&path, b"two", 0o644).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(mode(&path), 0o644);
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn immutable_file_accepts_the_same_bytes_and_refuses_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        write_immutable(&path, b"one", 0o444).unwrap();
        write_immutable(&path, b"one", 0o444).unwrap();
        assert!(matches!(write_immutable(&path, b"two", 0o444), Err(DurableError::Differs { .. })));
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        assert_eq!(names(dir.path()), ["a"]);
    }

    #[test]
    fn modification_time_grows_by_a_second_even_when_the_old_one_lies_in_the_future() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("summary");
        replace_increasing_mtime(&path, b"one", 0o644).unwrap();
        let future = SystemTime::now() + Duration::from_secs(3600);
        File::options().write(true).open(&path).unwrap().set_modified(future).unwrap();
        replace_increasing_mtime(&path, b"two", 0o644).unwrap();
        let new = std::fs::metadata(&path).unwrap().modified().unwrap();
        assert!(new >= future + Duration::from_secs(1));
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
    }

    #[test]
    fn errors_name_the_step_and_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let error = write_atomic(&dir.path().join("missing/a"), b"x", 0o600).unwrap_err();
        assert!(error.to_string().starts_with("cannot create a file beside"), "{error}");
        assert!(!error.is_full());
    }

    #[test]
    fn directories_are_created_with_their_mode() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b");
        create_dir_all(&path, 0o700).unwrap();
        create_dir_all(&path, 0o755).unwrap();
        assert_eq!((mode(&dir.path().join("a")), mode(&path)), (0o700, 0o700));
    }

    #[test]
    fn a_second_lock_on_the_same_file_is_refused_until_the_first_is_dropped() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let first = file.reopen().unwrap();
        let second = file.reopen().unwrap();
        assert!(try_lock(&first).unwrap());
        assert!(!try_lock(&second).unwrap());
        drop(first);
        assert!(try_lock(&second).unwrap());
    }
}

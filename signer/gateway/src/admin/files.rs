//! New files, whole and durable or not there at all. Existing ones are never touched.

use super::AdminError;
use std::fs::{self, File, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tempfile::NamedTempFile;

/// New files that stand or fall together: dropped before [`NewFiles::keep`], they are gone again.
#[derive(Default)]
pub(super) struct NewFiles {
    made: Vec<PathBuf>,
}

impl NewFiles {
    /// Creates a file, as [`create`].
    pub(super) fn create(&mut self, path: PathBuf, bytes: &[u8], mode: u32) -> Result<(), AdminError> {
        create(&path, bytes, mode)?;
        self.made.push(path);
        Ok(())
    }

    pub(super) fn keep(mut self) {
        self.made.clear();
    }
}

impl Drop for NewFiles {
    fn drop(&mut self) {
        for path in &self.made {
            // What cannot be removed is named by the next try.
            drop(fs::remove_file(path));
        }
    }
}

/// Creates a directory for the owner alone, and those above it that are missing.
pub(super) fn directory(path: &Path) -> Result<(), AdminError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed(path, "made"))
}

/// Creates a file with these bytes and permission bits.
pub(super) fn create(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AdminError> {
    let (parent, file) = staged(path, bytes, mode)?;
    match file.persist_noclobber(path) {
        Ok(_) => File::open(parent).and_then(|d| d.sync_all()).map_err(failed(path, "made durable")),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => Err(AdminError::Exists { path: path.to_owned() }),
        Err(e) => Err(failed(path, "written")(e.error)),
    }
}

/// The bytes in a temporary file beside the place, and the directory of both.
fn staged<'a>(path: &'a Path, bytes: &[u8], mode: u32) -> Result<(&'a Path, NamedTempFile), AdminError> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let write = || -> io::Result<_> {
        let mut file = tempfile::Builder::new().prefix(".tmp-").permissions(Permissions::from_mode(mode)).tempfile_in(parent)?;
        // What the umask of who calls us takes away is needed by the user of the service.
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    Ok((parent, write().map_err(failed(path, "written"))?))
}

/// Replaces a file, as a whole.
pub(super) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AdminError> {
    let (parent, file) = staged(path, bytes, mode)?;
    file.persist(path).map_err(|e| failed(path, "written")(e.error))?;
    File::open(parent).and_then(|d| d.sync_all()).map_err(failed(path, "made durable"))
}

/// The files of a directory; none when it is not there.
pub(super) fn list(directory: &Path) -> Result<Vec<PathBuf>, AdminError> {
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed(directory, "read"))?,
    };
    entries.map(|entry| entry.map(|e| e.path()).map_err(failed(directory, "read"))).collect()
}

pub(super) fn read(path: &Path) -> Result<String, AdminError> {
    fs::read_to_string(path).map_err(failed(path, "read"))
}

fn failed<'a>(path: &'a Path, done: &'static str) -> impl Fn(io::Error) -> AdminError + 'a {
    move |source| AdminError::File { path: path.to_owned(), done, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_came_in_between_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        create(&path, b"first", 0o600).unwrap();
        assert!(matches!(create(&path, b"second", 0o600), Err(AdminError::Exists { .. })));
        assert_eq!(read(&path).unwrap(), "first");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "no temporary file is left");
    }
}

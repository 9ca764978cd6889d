//! Files and directories that hold secrets: they are only used when nobody but us and root can read them.

use rustix::fs::{Mode, OFlags};
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Why a file with a secret was not used.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// The file system refused.
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
    /// A pipe, a device, a directory where a file is needed, or the other way round.
    #[error("{} is not a {wanted}", path.display())]
    Kind {
        /// What it is.
        path: PathBuf,
        /// What it should be.
        wanted: &'static str,
    },
    /// Somebody else could change it.
    #[error("{} belongs to user {owner}, who could change it; run this as that user, or: chown {us} {}", path.display(), path.display())]
    Owner {
        /// The file or directory.
        path: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who should.
        us: u32,
    },
    /// Somebody else could read or change it.
    #[error("{} can be used by others than its owner (mode {mode:04o}); run: chmod {fix} {}", path.display(), path.display())]
    Mode {
        /// The file or directory.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// What they should be.
        fix: &'static str,
    },
    /// More than a secret of this kind can have.
    #[error("{} has more than {max} bytes, so it is not what it should be", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// How many are allowed.
        max: usize,
    },
}

/// Reads a whole file of at most `max` bytes that nobody but us and root can read, or nobody but its owner when we are root. The bytes are
/// wiped when dropped.
///
/// # Errors
/// [`GuardError`].
pub fn read(path: &Path, max: usize) -> Result<Zeroizing<Vec<u8>>, GuardError> {
    // Without NONBLOCK, a pipe in place of the file would hold us up before we can see that it is one.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file: File = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| failed("open", path, e.into()))?.into();
    let metadata = file.metadata().map_err(|e| failed("look at", path, e))?;
    if !metadata.is_file() {
        return Err(GuardError::Kind { path: path.to_owned(), wanted: "regular file" });
    }
    private(path, &metadata, "600")?;
    let bytes = read_to_end(file, max).map_err(|e| failed("read", path, e))?;
    bytes.ok_or_else(|| GuardError::TooLarge { path: path.to_owned(), max })
}

/// Checks that a directory is one, and nobody's but ours and root's: files may be made in it.
pub(crate) fn check_dir(path: &Path) -> Result<(), GuardError> {
    let metadata = directory(path)?;
    owner(path, &metadata)?;
    mode(path, &metadata, "700")
}

/// Checks that a directory is one, and that nobody else can enter it. Root may read what belongs to the keeper's user, as it enrolls clients.
pub(crate) fn check_dir_to_read(path: &Path) -> Result<(), GuardError> {
    private(path, &directory(path)?, "700")
}

fn directory(path: &Path) -> Result<Metadata, GuardError> {
    let metadata = std::fs::metadata(path).map_err(|e| failed("look at", path, e))?;
    if metadata.is_dir() { Ok(metadata) } else { Err(GuardError::Kind { path: path.to_owned(), wanted: "directory" }) }
}

/// Reads up to the end; `None` when there are more than `max` bytes. The buffer never moves, so that it leaves no copies behind.
///
/// # Errors
/// Those of `from`.
pub fn read_to_end(mut from: impl Read, max: usize) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut bytes = Zeroizing::new(vec![0; max.saturating_add(1)]);
    let mut len: usize = 0;
    while let Some(room) = bytes.get_mut(len..).filter(|room| !room.is_empty()) {
        match from.read(room) {
            Ok(0) => break,
            Ok(n) => len = len.saturating_add(n),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    bytes.truncate(len);
    Ok((len <= max).then_some(bytes))
}

fn private(path: &Path, metadata: &Metadata, fix: &'static str) -> Result<(), GuardError> {
    if !rustix::process::geteuid().is_root() {
        owner(path, metadata)?;
    }
    mode(path, metadata, fix)
}

fn owner(path: &Path, metadata: &Metadata) -> Result<(), GuardError> {
    let (us, owner) = (rustix::process::geteuid().as_raw(), metadata.uid());
    if owner == us || owner == 0 { Ok(()) } else { Err(GuardError::Owner { path: path.to_owned(), owner, us }) }
}

fn mode(path: &Path, metadata: &Metadata, fix: &'static str) -> Result<(), GuardError> {
    let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    // A credential that systemd passes belongs to root and its group; an access list opens it to us, and shows as group bits.
    let others = if owner == 0 && metadata.gid() == 0 { 0o037 } else { 0o077 };
    if mode & others != 0 {
        return Err(GuardError::Mode { path: path.to_owned(), mode, fix });
    }
    Ok(())
}

fn failed(step: &'static str, path: &Path, source: io::Error) -> GuardError {
    GuardError::Io { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn file(dir: &Path, mode: u32) -> PathBuf {
        let path = dir.join(format!("{mode:o}"));
        std::fs::write(&path, "secret").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        // Tests may run as root, whose group is trusted; nobody's is not.
        let _ = std::os::unix::fs::chown(&path, None, Some(65534));
        path
    }

    #[test]
    fn only_what_nobody_else_can_use_is_read() {
        let dir = tempfile::tempdir().unwrap();
        for good in [0o600, 0o400, 0o700] {
            assert_eq!(read(&file(dir.path(), good), 6).unwrap().as_slice(), b"secret", "{good:o}");
        }
        for bad in [0o640, 0o620, 0o604, 0o601, 0o660, 0o666] {
            let error = read(&file(dir.path(), bad), 6).unwrap_err();
            assert!(matches!(error, GuardError::Mode { mode, .. } if mode == bad), "{error}");
        }
        let path = file(dir.path(), 0o644);
        let error = read(&path, 6).unwrap_err().to_string();
        assert_eq!(error, format!("{p} can be used by others than its owner (mode 0644); run: chmod 600 {p}", p = path.display()));
    }

    #[test]
    fn what_is_no_file_of_the_right_size_is_refused_without_waiting_for_it() {
        let dir = tempfile::tempdir().unwrap();
        let pipe = dir.path().join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(matches!(read(&pipe, 6), Err(GuardError::Kind { .. })));
        assert!(matches!(read(dir.path(), 6), Err(GuardError::Kind { .. })));
        assert!(matches!(read(&file(dir.path(), 0o600), 5), Err(GuardError::TooLarge { .. })));
        assert_eq!(read(&dir.path().join("missing"), 6).unwrap_err().to_string(), format!("cannot open {}/missing", dir.path().display()));
    }

    #[test]
    fn root_reads_what_is_the_keepers_and_makes_nothing_there() {
        let dir = tempfile::tempdir().unwrap();
        let (sub, inside) = (dir.path().join("keys"), file(dir.path(), 0o600));
        std::fs::create_dir(&sub).unwrap();
        std::fs::set_permissions(&sub, std::fs::Permissions::from_mode(0o700)).unwrap();
        if [&sub, &inside].into_iter().any(|path| std::os::unix::fs::chown(path, Some(65534), None).is_err()) {
            return;
        }
        assert_eq!(read(&inside, 6).unwrap().as_slice(), b"secret");
        check_dir_to_read(&sub).unwrap();
        let error = check_dir(&sub).unwrap_err();
        assert!(
            matches!(error, GuardError::Owner { owner: 65534, us: 0, .. }) && error.to_string().contains("run this as that user"),
            "{error}"
        );
    }

    #[test]
    fn a_directory_that_others_can_enter_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let sub = dir.path().join("keys");
        std::fs::create_dir(&sub).unwrap();
        for (mode, good) in [(0o700, true), (0o755, false), (0o701, false)] {
            std::fs::set_permissions(&sub, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(check_dir(&sub).is_ok(), good, "{mode:o}");
        }
    }
}

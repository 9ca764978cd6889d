//! The lock of a repository.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::Repo;

/// A repository in which nobody prunes and no other `chancery` writes, as long as this value lives.
///
/// libostree takes open-file-description locks on `.lock`, shared for writing and exclusive for pruning; we take a shared one, as every
/// writer does. `flock(2)` does not exclude libostree, so an exclusive one on the same file keeps our own processes apart.
#[derive(Debug)]
pub struct RepoLock {
    _file: File,
}

/// Why the lock was not taken.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LockError {
    /// Somebody else has it.
    #[error(
        "{} is locked by another process for {} s already, a prune most likely; try again when it is done, nothing was written",
        path.display(), waited.as_secs()
    )]
    Busy {
        /// The lock file.
        path: PathBuf,
        /// How long we waited.
        waited: Duration,
    },
    /// The file system refused.
    #[error("cannot lock {}", path.display())]
    Io {
        /// The lock file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
}

impl RepoLock {
    /// Takes the lock, waiting for it as long as `patience`.
    ///
    /// # Errors
    /// [`LockError`].
    pub fn take(repo: &Repo, patience: Duration) -> Result<Self, LockError> {
        let path = repo.path().join(".lock");
        let failed = |source| LockError::Io { path: path.clone(), source };
        let open = || File::options().create(true).truncate(false).read(true).write(true).mode(0o660).open(&path);
        let file = open().map_err(failed)?;
        // The kernel wakes whoever waits for a lock, but only in a thread that waits for nothing else. When we gave up before it gets
        // the lock, it finds nobody to hand it to and drops it.
        let (sender, receiver) = sync_channel(1);
        std::thread::spawn(move || drop(sender.send(wait(&file).map(|()| file))));
        match receiver.recv_timeout(patience) {
            Ok(Ok(file)) => Ok(Self { _file: file }),
            Ok(Err(source)) => Err(failed(source)),
            Err(RecvTimeoutError::Timeout) => Err(LockError::Busy { path, waited: patience }),
            Err(RecvTimeoutError::Disconnected) => Err(failed(ErrorKind::Other.into())),
        }
    }
}

fn wait(file: &File) -> io::Result<()> {
    file.lock()?;
    let shared = libc::flock {
        l_type: i16::try_from(libc::F_RDLCK).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
    loop {
        match fcntl(file, FcntlArg::F_OFD_SETLKW(&shared)) {
            Err(Errno::EINTR) => {}
            other => return other.map(drop).map_err(Into::into),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};
    use std::time::Instant;

    fn repo() -> (tempfile::TempDir, Repo) {
        let dir = tempfile::tempdir().unwrap();
        for sub in ["config", "objects"] {
            std::fs::create_dir(dir.path().join(sub)).unwrap();
        }
        let repo = Repo::open(dir.path()).unwrap();
        (dir, repo)
    }

    /// Takes an open-file-description lock in this process; those of two open files exclude each other even here.
    fn ofd(repo: &Repo, kind: libc::c_int) -> Result<File, Errno> {
        let file = File::options().read(true).write(true).open(repo.path().join(".lock")).unwrap();
        let lock = libc::flock { l_type: i16::try_from(kind).unwrap(), l_whence: 0, l_start: 0, l_len: 0, l_pid: 0 };
        fcntl(&file, FcntlArg::F_OFD_SETLK(&lock)).map(|_| file)
    }

    /// Takes the lock of a prune as soon as nobody has it. Tests run beside each other: the child of another one, which is not its own
    /// program yet, may still hold what was just given up here.
    fn prune_when_free(repo: &Repo) -> File {
        let deadline = Instant::now().checked_add(Duration::from_secs(10)).unwrap();
        loop {
            match ofd(repo, libc::F_WRLCK) {
                Ok(file) => return file,
                Err(Errno::EAGAIN) if Instant::now() < deadline => std::thread::yield_now(),
                Err(error) => panic!("the lock stays taken: {error}"),
            }
        }
    }

    #[test]
    fn our_lock_keeps_a_prune_out_but_not_other_writers() {
        let (_dir, repo) = repo();
        let lock = RepoLock::take(&repo, Duration::from_secs(5)).unwrap();
        assert!(ofd(&repo, libc::F_RDLCK).is_ok());
        assert_eq!(ofd(&repo, libc::F_WRLCK).unwrap_err(), Errno::EAGAIN);
        drop(lock);
        prune_when_free(&repo);
    }

    #[test]
    fn a_lock_that_is_not_given_up_ends_in_an_error_that_says_so() {
        let (_dir, repo) = repo();
        drop(RepoLock::take(&repo, Duration::from_secs(5)).unwrap());
        let prune = prune_when_free(&repo);
        let error = RepoLock::take(&repo, Duration::from_millis(50)).unwrap_err();
        assert!(matches!(error, LockError::Busy { .. }), "{error}");
        drop(prune);
        // Whoever waited in vain does not hold the lock afterwards.
        RepoLock::take(&repo, Duration::from_secs(5)).unwrap();
        prune_when_free(&repo);
    }

    #[test]
    fn two_of_us_come_one_after_the_other() {
        let (_dir, repo) = repo();
        let first = RepoLock::take(&repo, Duration::from_secs(5)).unwrap();
        assert!(matches!(RepoLock::take(&repo, Duration::from_millis(50)), Err(LockError::Busy { .. })));
        drop(first);
        RepoLock::take(&repo, Duration::from_secs(5)).unwrap();
    }

    #[test]
    fn libostree_waits_for_us_with_its_prune() {
        let dir = tempfile::tempdir().unwrap();
        let ostree = |arguments: &[&str]| {
            let mut command = Command::new("ostree");
            command.arg(format!("--repo={}", dir.path().display())).args(arguments).stdout(Stdio::null()).stderr(Stdio::piped());
            command.output()
        };
        assert!(ostree(&["init", "--mode=archive"]).expect("the ostree program is installed").status.success());
        assert!(ostree(&["config", "set", "core.lock-timeout-secs", "0"]).unwrap().status.success());
        let lock = RepoLock::take(&Repo::open(dir.path()).unwrap(), Duration::from_secs(5)).unwrap();
        let refused = ostree(&["prune", "--refs-only"]).unwrap();
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("ocking repo exclusive failed"), "{refused:?}");
        drop(lock);
        assert!(ostree(&["prune", "--refs-only"]).unwrap().status.success());
    }
}

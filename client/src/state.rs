//! The newest checkpoint that was seen, kept between runs: so a log that was cut or forked is noticed.

use chancery_reqlog::durable::{self, DurableError};
use chancery_tlog::{Checkpoint, CheckpointError, VerifierKey};
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

/// A checkpoint is a few hundred bytes, more with many cosignatures.
const MAX_BYTES: u64 = 1024 * 1024;

/// Where the newest checkpoint is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateStore {
    /// In a file, shared by all processes that use the same profile.
    File(PathBuf),
    /// Nowhere: for programs that keep a client for long and see to it themselves, and for measurements.
    Memory,
}

/// A signed checkpoint, checked with the pinned key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) checkpoint: Checkpoint,
    pub(crate) note: String,
}

/// Why the checkpoint seen last cannot be read or saved. Nothing is signed then: without it a rollback would go unnoticed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StateError {
    /// The file system refused.
    #[error("cannot {step} {}, where the checkpoint seen last is kept", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
    /// The file could not be replaced.
    #[error("cannot save the checkpoint seen last")]
    Save(#[source] DurableError),
    /// The file holds something else.
    #[error(
        "{} does not hold a checkpoint of the pinned log; if the key host got a new log on purpose, move the file away, else find out who changed it",
        path.display()
    )]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: CheckpointError,
    },
    /// Others change the file all the time.
    #[error("{} was changed by other processes at every try; run the command again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
}

impl StateStore {
    /// The usual place: beside the profile, or in the directory that the environment variable `CHANCERY_STATE` names.
    #[must_use]
    pub fn beside(profile: &Path) -> Self {
        let mut name = profile.file_name().unwrap_or_default().to_os_string();
        name.push(".checkpoint");
        match std::env::var_os("CHANCERY_STATE").filter(|dir| !dir.is_empty()) {
            Some(dir) => Self::File(PathBuf::from(dir).join(name)),
            None => Self::File(profile.with_file_name(name)),
        }
    }

    /// Reads what is kept; `None` when nothing is, yet.
    pub(crate) fn load(&self, log: &VerifierKey) -> Result<Option<Seen>, StateError> {
        let Self::File(path) = self else { return Ok(None) };
        read(path, log)
    }

    /// Puts `new` in the place of `old`. Answers `false`, and changes nothing, when another process was faster.
    pub(crate) fn replace(&self, old: Option<&Seen>, new: &Seen, log: &VerifierKey) -> Result<bool, StateError> {
        let Self::File(path) = self else { return Ok(true) };
        let _lock = lock(path)?;
        if read(path, log)?.as_ref() != old {
            return Ok(false);
        }
        durable::write_atomic(path, new.note.as_bytes(), 0o644).map_err(StateError::Save)?;
        Ok(true)
    }
}

impl Seen {
    pub(crate) fn open(note: &str, log: &VerifierKey) -> Result<Self, CheckpointError> {
        Ok(Self { checkpoint: Checkpoint::open(note, log)?, note: note.to_owned() })
    }
}

fn read(path: &Path, log: &VerifierKey) -> Result<Option<Seen>, StateError> {
    let unreadable = |source| StateError::Io { step: "read", path: path.to_owned(), source };
    let mut note = String::new();
    match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
        Ok(file) => file.take(MAX_BYTES).read_to_string(&mut note).map_err(unreadable)?,
    };
    Seen::open(&note, log).map(Some).map_err(|source| StateError::Content { path: path.to_owned(), source })
}

/// The file itself is replaced, so the lock is on another one beside it.
fn lock(path: &Path) -> Result<File, StateError> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".lock");
    let path = path.with_file_name(name);
    let failed = |step| {
        let path = path.clone();
        move |source| StateError::Io { step, path, source }
    };
    if let Some(dir) = path.parent() {
        std::fs::create_dir_all(dir).map_err(failed("create the directory of"))?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(failed("open"))?;
    file.lock().map_err(failed("lock"))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Key;

    #[test]
    fn whoever_was_faster_is_not_overwritten() {
        let dir = tempfile::tempdir().unwrap();
        let (store, key) = (StateStore::File(dir.path().join("sub/seen")), Key::new("log.example"));
        let log = key.verifier();
        let seen = |size| Seen::open(&key.checkpoint(size), &log).unwrap();
        assert_eq!(store.load(&log).unwrap(), None);
        assert!(store.replace(None, &seen(3), &log).unwrap());
        assert!(!store.replace(None, &seen(2), &log).unwrap(), "somebody saved 3 meanwhile");
        assert_eq!(store.load(&log).unwrap(), Some(seen(3)));
        assert!(store.replace(Some(&seen(3)), &seen(4), &log).unwrap());
        assert_eq!(store.load(&log).unwrap(), Some(seen(4)));
    }

    #[test]
    fn a_checkpoint_of_another_log_is_an_error_and_not_a_fresh_start() {
        let dir = tempfile::tempdir().unwrap();
        let (path, key) = (dir.path().join("seen"), Key::new("log.example"));
        durable::write_atomic(&path, Key::new("log.example").checkpoint(3).as_bytes(), 0o644).unwrap();
        let error = StateStore::File(path).load(&key.verifier()).unwrap_err();
        assert!(matches!(error, StateError::Content { .. }), "{error}");
    }

    #[test]
    fn the_state_is_beside_the_profile() {
        let beside = StateStore::beside("/etc/chancery/web1.toml".as_ref());
        assert_eq!(beside, StateStore::File(PathBuf::from("/etc/chancery/web1.toml.checkpoint")));
    }
}

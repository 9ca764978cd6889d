//! The checkpoint that was verified last, kept so that a log which goes back or forks is noticed.

use crate::error::AuditError;
use chancery_reqlog::SignedCheckpoint;
use chancery_reqlog::durable::write_atomic;
use chancery_tlog::{Checkpoint, VerifierKey};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// A file with a checkpoint. While this value lives, no other audit uses the file: else a slower one could put an older checkpoint back.
pub(crate) struct State {
    path: PathBuf,
    /// What it held; nothing before the first audit.
    pub(crate) earlier: Option<Earlier>,
    _lock: File,
}

/// The checkpoint that was verified before.
pub(crate) struct Earlier {
    pub(crate) checkpoint: Checkpoint,
    /// With its signatures.
    pub(crate) note: String,
}

impl State {
    pub(crate) fn read(path: &Path, key: &VerifierKey) -> Result<Self, AuditError> {
        let lock = lock(path)?;
        let earlier = match std::fs::read_to_string(path) {
            Ok(note) => {
                let checkpoint = Checkpoint::open(&note, key).map_err(|source| AuditError::State { path: path.to_owned(), source })?;
                Some(Earlier { checkpoint, note })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(AuditError::Read { path: path.to_owned(), source }),
        };
        Ok(Self { path: path.to_owned(), earlier, _lock: lock })
    }

    /// Keeps a checkpoint that was verified, here and for what comes next.
    pub(crate) fn advance(&mut self, signed: &SignedCheckpoint) -> Result<(), AuditError> {
        self.save(&signed.note)?;
        self.earlier = Some(Earlier { checkpoint: signed.checkpoint.clone(), note: signed.note.clone() });
        Ok(())
    }

    pub(crate) fn save(&self, note: &str) -> Result<(), AuditError> {
        write_atomic(&self.path, note.as_bytes(), 0o644).map_err(AuditError::Save)
    }
}

/// The file itself is replaced, so the lock is on another one beside it.
fn lock(path: &Path) -> Result<File, AuditError> {
    let mut name = path.as_os_str().to_os_string();
    name.push(".lock");
    let path = PathBuf::from(name);
    let open = || {
        let file = File::options().create(true).truncate(false).write(true).open(&path)?;
        file.lock()?;
        Ok(file)
    };
    open().map_err(|source| AuditError::Lock { path: path.clone(), source })
}

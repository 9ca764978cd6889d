//! What a witness saw last of each log: kept on the disk before anybody is told.

use super::WitnessError;
use super::key::WitnessKey;
use super::request::{Refusal, Request};
use crate::error::AuditError;
use crate::show::hex;
use chancery_reqlog::durable;
use chancery_tlog::{Checkpoint, Note, NoteSigner as _, VerifierKey, cosign, verify_consistency};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

pub(super) struct Memory {
    key: WitnessKey,
    /// By origin.
    logs: BTreeMap<String, Seen>,
    _lock: File,
}

struct Seen {
    key: VerifierKey,
    path: PathBuf,
    newest: Option<Cosigned>,
}

struct Cosigned {
    checkpoint: Checkpoint,
    /// Seconds since 1970.
    time: u64,
    note: String,
}

impl Memory {
    pub(super) fn open(dir: &Path, key: WitnessKey, logs: Vec<VerifierKey>) -> Result<Self, AuditError> {
        let path = dir.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|source| AuditError::Lock { path: path.clone(), source })?;
        lock.try_lock().map_err(|_| WitnessError::InUse(dir.to_owned()))?;
        let mut memory = Self { key, logs: BTreeMap::new(), _lock: lock };
        for log in logs {
            let path = dir.join(hex(&Sha256::digest(log.name()))).join("checkpoint");
            let newest = memory.read(&path, &log)?;
            let origin = log.name().to_owned();
            if memory.logs.insert(origin.clone(), Seen { key: log, path, newest }).is_some() {
                return Err(WitnessError::Twice(origin).into());
            }
        }
        Ok(memory)
    }

    /// What was cosigned last must bear the log's signature and our own.
    fn read(&self, path: &Path, log: &VerifierKey) -> Result<Option<Cosigned>, AuditError> {
        let note = match std::fs::read(path) {
            Ok(bytes) => String::from_utf8(bytes).map_err(|_| WitnessError::Damaged(path.to_owned()))?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(AuditError::Read { path: path.to_owned(), source }),
        };
        let own = Note::parse(&note).ok().and_then(|n| n.verify(std::slice::from_ref(self.key.verifier())).ok());
        let time = own.and_then(|verified| verified.first()?.time);
        let damaged = || WitnessError::Damaged(path.to_owned());
        let checkpoint = Checkpoint::open(&note, log).map_err(|_| damaged())?;
        Ok(Some(Cosigned { checkpoint, time: time.ok_or_else(damaged)?, note }))
    }

    /// The cosignature of a checkpoint that extends what was seen. It is kept, durably, before it is returned. `now` is in seconds since 1970.
    pub(super) fn add(&mut self, request: &Request, now: u64) -> Result<String, Refusal> {
        let seen = self.logs.get_mut(&request.checkpoint.origin).ok_or(Refusal::UnknownLog)?;
        Checkpoint::open(&request.note, &seen.key).map_err(|_| Refusal::Signature)?;
        let new = &request.checkpoint;
        if request.old > new.size {
            return Err(Refusal::OldBeyond);
        }
        let known = seen.newest.as_ref().map_or(0, |n| n.checkpoint.size);
        if request.old != known {
            return Err(Refusal::OtherSize(known));
        }
        if let Some(newest) = &seen.newest {
            if newest.checkpoint.size == new.size && newest.checkpoint.root != new.root {
                return Err(Refusal::Fork);
            }
            verify_consistency(known, &newest.checkpoint.root, new.size, &new.root, &request.proof).map_err(|_| Refusal::Proof)?;
        }
        if (known == 0 || known == new.size) && !request.proof.is_empty() {
            return Err(Refusal::Proof);
        }
        // The clock of a witness never goes back either.
        let time = now.max(seen.newest.as_ref().map_or(0, |n| n.time));
        let text = new.to_string();
        let line = cosign(&text, time, &self.key);
        let own = |line: &&str| !line.starts_with(&format!("\u{2014} {} ", self.key.name()));
        let signatures: String =
            request.note.strip_prefix(&text).unwrap_or_default().lines().filter(own).map(|line| format!("{line}\n")).collect();
        let note = format!("{text}{signatures}{line}");
        let keep = || {
            if let Some(dir) = seen.path.parent() {
                durable::create_dir_all(dir, 0o755)?;
            }
            durable::write_atomic(&seen.path, note.as_bytes(), 0o644)
        };
        keep().map_err(Refusal::Storage)?;
        seen.newest = Some(Cosigned { checkpoint: new.clone(), time, note });
        Ok(line)
    }

    /// The newest cosigned checkpoint of a log, by the SHA-256 of its origin in hex.
    pub(super) fn newest(&self, log: &str) -> Option<&str> {
        let seen = self.logs.values().find(|seen| hex(&Sha256::digest(seen.key.name())) == log)?;
        seen.newest.as_ref().map(|n| n.note.as_str())
    }
}

#[cfg(test)]
mod tests;

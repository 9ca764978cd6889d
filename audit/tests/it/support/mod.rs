//! Logs, and the auditor's program.

mod key;

use chancery_reqlog::{Decision, Leaf, Log, LogConfig, NewEntry, Token};
use chancery_tlog::VerifierKey;
use key::LogKey;
use std::path::{Path, PathBuf};
use std::process::Command;

const ORIGIN: &str = "signer.example/requests";

/// A log, and a directory for whoever audits it.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    key: LogKey,
}

/// What a run of `chancery-audit` gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Site {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = LogKey::new(dir.path(), ORIGIN);
        Self { dir, key }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn key(&self) -> &VerifierKey {
        &self.key.key
    }

    /// Appends so many entries to the log of this name, the first one at this time, and publishes them.
    pub(crate) fn append(&self, log: &str, count: u64, time: u64) {
        let mut config = LogConfig::new(self.path(log), ORIGIN);
        config.segment_bytes = 1 << 20;
        let (mut log, _) = Log::open(config, Box::new(self.key.clone()), self.key.key.clone()).unwrap();
        let entry = |n| NewEntry { leaf: leaf(time + n).to_bytes(), details: Vec::new() };
        let batch: Vec<_> = (0..count).map(entry).collect();
        log.append(&batch).unwrap();
        log.close().unwrap();
    }

    /// Runs the auditor with the key of the log.
    pub(crate) fn audit(&self, arguments: &[&str]) -> Ran {
        run(self.dir.path(), &[arguments, &["--vkey", &self.key.key.to_string()]].concat())
    }
}

/// Runs the auditor.
pub(crate) fn run(dir: &Path, arguments: &[&str]) -> Ran {
    let done = Command::new(env!("CARGO_BIN_EXE_chancery-audit")).current_dir(dir).args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}

fn leaf(time: u64) -> Leaf {
    let mut leaf = Leaf::event(Token::DENY, Decision::Deny, time);
    leaf.reason = Some(Token::new("ref-not-granted").unwrap());
    leaf
}

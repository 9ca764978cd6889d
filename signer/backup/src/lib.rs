//! Backups: what a key host is, in one file that is sealed to recipients who keep their identities elsewhere.
//!
//! A backup is a tar archive in the age format. Keys are in it as they lie on the disk: sealed under the passphrase, which is not in it.
#![forbid(unsafe_code)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        clippy::cast_possible_truncation,
        reason = "tests count small things, and their files need not survive a power cut"
    )
)]

pub mod cli;
mod error;
mod make;
mod names;
mod restore;
mod share;

pub use error::BackupError;
pub use make::{Made, Plan, make};
pub use restore::{Opener, Restored, restore};
pub use share::{Split, SplitIdentity};

use chancery_keeper::config::Config;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

const FORMAT: &str = "chancery-backup/v1";
/// The first file of an archive.
const MANIFEST: &str = "backup.toml";

/// What a backup says about itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    format: String,
    /// When it was made, in RFC 3339.
    created: String,
    /// Name of the request log.
    origin: String,
    /// Whether the log's entries are in it.
    with_log: bool,
    /// The newest checkpoint that was published then.
    checkpoint: String,
}

/// Where the files of a key host are. Their names in a backup do not depend on it.
#[derive(Debug, Clone)]
struct Places {
    dir: PathBuf,
    log: PathBuf,
}

impl Places {
    /// The path of a file by its name in a backup.
    fn of(&self, name: &str) -> PathBuf {
        name.strip_prefix("log/").map_or_else(|| self.dir.join(name), |in_log| self.log.join(in_log))
    }

    /// What is not where a restored key host would look for it.
    fn check(&self, config: &Config) -> Result<(), BackupError> {
        for (what, path, usual) in [("keys", &config.keys, "keys"), ("policy", &config.policy, "policy.toml")] {
            if *path != self.dir.join(usual) {
                return Err(BackupError::Elsewhere { what, path: path.clone(), usual: usual.into() });
            }
        }
        if config.log == self.log { Ok(()) } else { Err(BackupError::OtherLog { log: config.log.clone() }) }
    }
}

fn io_error<'a>(step: &'static str, path: &'a Path) -> impl Fn(std::io::Error) -> BackupError + 'a {
    move |source| BackupError::Io { step, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;

//! What goes wrong with backups.

use chancery_keeper::config::ConfigError;
use chancery_keeper::guarded::GuardError;
use chancery_keeper::key::KeyError;
use chancery_reqlog::durable::DurableError;
use std::io;
use std::path::PathBuf;

/// Why nothing was backed up or restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BackupError {
    /// Nobody could open it.
    #[error("{text:?} is no recipient of age; `age-keygen` prints one, which begins with age1")]
    Recipient {
        /// What was given.
        text: String,
    },
    /// The file with the identity has none.
    #[error("{} has no identity of age; it must have a line that begins with AGE-SECRET-KEY-1", path.display())]
    Identity {
        /// The file.
        path: PathBuf,
    },
    /// Files lie elsewhere than a restored key host would look for them.
    #[error(
        "signer.toml has its {what} at {}; a backup has them at {} below the key host's directory alone; put them there, or copy the directory by other means",
        path.display(),
        usual.display()
    )]
    Elsewhere {
        /// `keys` or `policy`.
        what: &'static str,
        /// Where they are.
        path: PathBuf,
        /// Where they should be.
        usual: PathBuf,
    },
    /// The log of the key host that was backed up was elsewhere.
    #[error("signer.toml in the backup has the log at {}; restore it there: --log {}", log.display(), log.display())]
    OtherLog {
        /// Where.
        log: PathBuf,
    },
    /// There is no checkpoint to compare a restored log with.
    #[error("there is no request log yet, so a backup could not be told from an older one; run `chanceryd serve` once, then back up")]
    NoCheckpoint,
    /// A backup is never overwritten.
    #[error("{} exists already; give the backup another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// Restoring never mixes with what is there.
    #[error("{} is not empty; a key host is restored into a directory of its own", dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
    },
    /// The age format, or the identity.
    #[error("{} does not open: it was changed, or it is sealed to another recipient", path.display())]
    Sealed {
        /// The backup.
        path: PathBuf,
        /// What age says.
        #[source]
        source: age::DecryptError,
    },
    /// Sealing failed before anything was written.
    #[error("the backup cannot be sealed to these recipients")]
    Seal(#[source] age::EncryptError),
    /// Reading stopped in the middle.
    #[error("{} was changed or cut off, and nothing of it was restored; take another copy of it", path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What is wrong.
        #[source]
        source: io::Error,
    },
    /// It opens, and is no backup of ours.
    #[error("{} is no backup of a key host: {what}; nothing of it was restored", path.display())]
    Content {
        /// The backup.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
    /// A share cannot be used.
    #[error("the share {} was changed, or is no share of a backup; take another copy of it", path.display())]
    Share {
        /// The file.
        path: PathBuf,
    },
    /// A share of another backup.
    #[error("the share {} belongs to another backup than {}", path.display(), first.display())]
    OtherShare {
        /// The file.
        path: PathBuf,
        /// The one before it.
        first: PathBuf,
    },
    /// The same share twice.
    #[error("the share {} is given twice", path.display())]
    SameShare {
        /// The file.
        path: PathBuf,
    },
    /// Not enough of them.
    #[error("{given} shares are given, and {needed} are needed")]
    TooFewShares {
        /// How many there are.
        given: usize,
        /// How many it takes.
        needed: u8,
    },
    /// They are whole, and do not make the identity.
    #[error("the shares do not make the identity that they name, so one of them is forged; try others")]
    Shares,
    /// A number that makes no sense.
    #[error(
        "a backup is split into at most 255 shares, of which at least 2 and at most all are needed; write for example --split 3 --of 5"
    )]
    Split,
    /// A file of ours cannot be used.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// The keyring.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file could not be written.
    #[error(transparent)]
    Durable(#[from] DurableError),
    /// The result.
    #[error("the result could not be printed")]
    Output(#[source] io::Error),
    /// A file could not be read or written.
    #[error("cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: io::Error,
    },
}

impl BackupError {
    /// 1 refused or failed, 2 usage or configuration.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        if matches!(self, Self::Config(_)) { 2 } else { 1 }
    }
}

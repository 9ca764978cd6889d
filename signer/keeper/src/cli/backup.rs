//! `chancery-keeper backup` and `restore`.

use super::{CliError, Options, now};
use crate::backup::{self, BackupError, Opener, Plan};
use age::x25519::Recipient;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::str::FromStr as _;

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to make; nothing is overwritten.
    #[arg(long, value_name = "FILE")]
    to: PathBuf,
    /// Who can open it: a recipient that `age-keygen` prints. May be given more than once.
    #[arg(long, value_name = "age1…", required = true)]
    recipient: Vec<String>,
    /// With the request log and its private details. Without it, only the log's newest checkpoint is in the backup.
    #[arg(long)]
    with_log: bool,
    /// With the private keys of the CA and of the gateway, so that clients need no new profiles.
    #[arg(long)]
    with_pki_keys: bool,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The identity that opens it, as `age-keygen` writes it, in a file that nobody else can read.
    #[arg(long, value_name = "FILE")]
    identity: PathBuf,
}

impl Backup {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let config = options.config()?;
        let recipients = self.recipient.iter().map(|text| Recipient::from_str(text).map_err(|_| BackupError::Recipient { text: text.clone() }));
        let recipients = recipients.collect::<Result<Vec<_>, _>>()?;
        let plan = Plan { with_log: self.with_log, with_pki_keys: self.with_pki_keys };
        let made = backup::make(&options.dir, &config, &self.to, &recipients, plan, now())?;
        let facts = json!({ "file": self.to, "files": made.files, "entries": made.entries, "with_log": plan.with_log });
        let text = format!(
            "{} has {} files; the log had {} entries\nthe passphrase is not in it: without the passphrase it is of no use\n",
            self.to.display(),
            made.files,
            made.entries
        );
        options.print(&facts, &text)
    }
}

impl Restore {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let restored = backup::restore(&self.file, &Opener::read(&self.identity)?, &options.dir)?;
        let dir = options.dir.display();
        let facts = json!({
            "dir": options.dir, "files": restored.files, "created": restored.created, "entries": restored.entries,
            "with_log": restored.with_log,
        });
        let log = if restored.with_log { "" } else { "put the log's segments back into log/wal, which the backup does not have\n      " };
        let text = format!(
            "restored {} files to {dir}, as they were on {}; the log had {} entries\nnothing is signed yet\n\
             next: {log}chanceryd log accept --checkpoint FILE --dir {dir}, with the newest checkpoint that a publisher or a witness holds\n",
            restored.files, restored.created, restored.entries
        );
        options.print(&facts, &text)
    }
}

//! `chancery-keeper backup` and `restore`.

use super::{CliError, Options, now};
use crate::backup::{self, BackupError, Opener, Plan, Split, SplitIdentity};
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
    #[arg(long, value_name = "age1…", required_unless_present = "split")]
    recipient: Vec<String>,
    /// With the request log and its private details. Without it, only the log's newest checkpoint is in the backup.
    #[arg(long)]
    with_log: bool,
    /// With the private keys of the CA and of the gateway, so that clients need no new profiles.
    #[arg(long)]
    with_pki_keys: bool,
    /// Seal it to an identity that is split into shares, so many of which open it.
    #[arg(long, value_name = "NEEDED", requires_all = ["of", "shares"])]
    split: Option<u8>,
    /// How many shares to make.
    #[arg(long, value_name = "ALL", requires = "split")]
    of: Option<u8>,
    /// The directory for the shares; take each to another person.
    #[arg(long, value_name = "DIR", requires = "split")]
    shares: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Restore {
    /// The backup.
    file: PathBuf,
    /// The identity that opens it, as `age-keygen` writes it, in a file that nobody else can read.
    #[arg(long, value_name = "FILE", required_unless_present = "share", conflicts_with = "share")]
    identity: Option<PathBuf>,
    /// A share of the identity that opens it; as many are needed as the shares say.
    #[arg(long, value_name = "FILE")]
    share: Vec<PathBuf>,
}

impl Backup {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let config = options.config()?;
        let recipients =
            self.recipient.iter().map(|text| Recipient::from_str(text).map_err(|_| BackupError::Recipient { text: text.clone() }));
        let mut recipients = recipients.collect::<Result<Vec<_>, _>>()?;
        let mut shares = Vec::new();
        if let (Some(needed), Some(of), Some(dir)) = (self.split, self.of, &self.shares) {
            let identity = SplitIdentity::generate(Split::new(needed, of)?);
            // Before the backup, which would be of no use without them.
            shares = identity.write(dir)?;
            recipients.push(identity.recipient().clone());
        }
        let plan = Plan { with_log: self.with_log, with_pki_keys: self.with_pki_keys };
        let made = backup::make(&options.dir, &config, &self.to, &recipients, plan, now());
        if let (Err(_), Some(dir)) = (&made, &self.shares) {
            // Shares of nothing would be carried away for nothing; why there is no backup is told already.
            shares.iter().for_each(|share| drop(std::fs::remove_file(share)));
            drop(std::fs::remove_dir(dir));
        }
        let made = made?;
        let facts = json!({ "file": self.to, "files": made.files, "entries": made.entries, "with_log": plan.with_log, "shares": shares });
        let text = format!(
            "{} has {} files; the log had {} entries\nthe passphrase is not in it: without the passphrase it is of no use\n",
            self.to.display(),
            made.files,
            made.entries
        );
        let handed = shares.iter().map(|path| format!("share: {}\n", path.display())).collect::<String>();
        let text = text + &handed;
        options.print(&facts, &text)
    }
}

impl Restore {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let opener = match &self.identity {
            Some(path) => Opener::read(path)?,
            None => Opener::from_shares(&self.share)?,
        };
        let restored = backup::restore(&self.file, &opener, &options.dir)?;
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

//! The command line.

use crate::{BackupError, Opener, Plan, Split, SplitIdentity, make, restore};
use age::x25519::Recipient;
use chancery_keeper::cli::{now, print};
use chancery_keeper::config::Config;
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::str::FromStr as _;

/// Seals a Chancery key host into one file, and makes key hosts out of such files. It opens no key.
#[derive(Debug, Parser)]
#[command(
    name = "chancery-backup",
    version,
    after_help = "Example:\n  chanceryd backup --to keyhost.age --recipient age1… --with-log --dir /etc/chancery\n  chanceryd restore keyhost.age --identity backup.key --dir /etc/chancery\n\n`chanceryd backup …` and `chanceryd restore …` are the same commands."
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, Args)]
struct Options {
    /// The key host's directory.
    #[arg(long, global = true, env = "CHANCERY_DIR", default_value = ".", value_name = "DIR")]
    dir: PathBuf,
    /// Print facts as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Seal keys, policy, configuration and the log's checkpoint into one file; needs no passphrase. The key host may be serving.
    #[command(
        after_help = "Example:\n  age-keygen -o backup.key        # elsewhere: prints the recipient, and keeps what opens the backup\n  chanceryd backup --to keyhost.age --recipient age1… --with-log --dir /etc/chancery\n  chanceryd backup --to keyhost.age --split 3 --of 5 --shares shares --dir /etc/chancery\n\nKeys are in it as on the disk: sealed under the passphrase. `age -d` opens it too; inside is a tar archive."
    )]
    Backup(Backup),
    /// Make a key host out of a backup. It signs nothing before `log accept`.
    #[command(
        after_help = "Example:\n  chanceryd restore keyhost.age --identity backup.key --dir /etc/chancery\n  chanceryd restore keyhost.age --share share-1.txt --share share-3.txt --share share-4.txt \\\n      --dir /etc/chancery\n  chanceryd log accept --checkpoint web1.checkpoint --dir /etc/chancery"
    )]
    Restore(Restore),
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn run(self) -> Result<(), BackupError> {
        match self.command {
            Command::Backup(command) => command.run(&self.options),
            Command::Restore(command) => command.run(&self.options),
        }
    }
}

impl Options {
    fn print(&self, facts: &impl Serialize, text: &str) -> Result<(), BackupError> {
        print(self.json, facts, text).map_err(BackupError::Output)
    }
}

#[derive(Debug, Args)]
struct Backup {
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
struct Restore {
    /// The backup.
    file: PathBuf,
    /// The identity that opens it, as `age-keygen` writes it, in a file that nobody else can read.
    #[arg(long, value_name = "FILE", required_unless_present = "share", conflicts_with = "share")]
    identity: Option<PathBuf>,
    /// A share of the identity that opens it; as many are needed as the shares say.
    #[arg(long, value_name = "FILE")]
    share: Vec<PathBuf>,
    /// Where the log is to be, when the key host had it outside its directory; the same path as before.
    #[arg(long, value_name = "DIR")]
    log: Option<PathBuf>,
}

impl Backup {
    fn run(self, options: &Options) -> Result<(), BackupError> {
        let config = Config::read(&options.dir)?;
        let recipients =
            self.recipient.iter().map(|text| Recipient::from_str(text).map_err(|_| BackupError::Recipient { text: text.clone() }));
        let mut recipients = recipients.collect::<Result<Vec<_>, _>>()?;
        let mut shares = Vec::new();
        let new_dir = self.shares.as_ref().filter(|dir| !dir.exists());
        if let (Some(needed), Some(of), Some(dir)) = (self.split, self.of, &self.shares) {
            let identity = SplitIdentity::generate(Split::new(needed, of)?);
            // Before the backup, which would be of no use without them.
            shares = identity.write(dir)?;
            recipients.push(identity.recipient().clone());
        }
        let plan = Plan { with_log: self.with_log, with_pki_keys: self.with_pki_keys };
        let made = make(&options.dir, &config, &self.to, &recipients, plan, now());
        if made.is_err() {
            // Shares of nothing would be carried away for nothing; why there is no backup is told already.
            shares.iter().for_each(|share| drop(std::fs::remove_file(share)));
            drop(new_dir.map(std::fs::remove_dir));
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
    fn run(self, options: &Options) -> Result<(), BackupError> {
        let opener = match &self.identity {
            Some(path) => Opener::read(path)?,
            None => Opener::from_shares(&self.share)?,
        };
        let restored = restore(&self.file, &opener, &options.dir, self.log.as_deref())?;
        let dir = options.dir.display();
        let facts = json!({
            "dir": options.dir, "files": restored.files, "created": restored.created, "entries": restored.entries,
            "with_log": restored.with_log,
        });
        let log =
            if restored.with_log { "" } else { "put the log's segments back into the log's wal/, which the backup does not have\n      " };
        let text = format!(
            "restored {} files to {dir}, as they were on {}; the log had {} entries\nnothing is signed yet\n\
             next: {log}chanceryd log accept --checkpoint FILE --dir {dir}, with the newest checkpoint that a publisher or a witness holds\n",
            restored.files, restored.created, restored.entries
        );
        options.print(&facts, &text)
    }
}

//! The command line.

use crate::error::AuditError;
use crate::place::Place;
use crate::show::{Which, show};
use crate::state::State;
use crate::verify::verify;
use chancery_tlog::VerifierKey;
use clap::{Args, Parser, Subcommand};
use std::io::Write as _;
use std::path::PathBuf;

/// Verifies the request log of a Chancery key host, from static files and one key alone.
#[derive(Debug, Parser)]
#[command(
    name = "chancery-audit",
    version,
    after_help = "Example:\n  chancery-audit verify https://log.example.org/requests --vkey-file log.vkey --state seen.checkpoint\n  chancery-audit show /srv/log 10..20 --vkey-file log.vkey\n\nExit codes: 0 done, 1 failed, 2 usage, 3 the files cannot be reached, 4 the log misbehaved."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify every file of the log, and that it extends what was verified before.
    #[command(after_help = "Example:\n  chancery-audit verify /srv/log --vkey-file log.vkey --state seen.checkpoint")]
    Verify {
        #[command(flatten)]
        log: LogArgs,
        /// Keep the verified checkpoint here; the next run fails when the log went back or forked since.
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
    },
    /// Show entries; each is led back to the signed checkpoint before it is shown.
    #[command(after_help = "Example:\n  chancery-audit show /srv/log 10..20 --vkey-file log.vkey --json")]
    Show {
        #[command(flatten)]
        log: LogArgs,
        /// An index, or a range such as 10..20; without it all entries.
        entries: Option<String>,
    },
}

#[derive(Debug, Args)]
struct LogArgs {
    /// A directory with the log's files, or the URL that they are served under.
    #[arg(value_name = "DIR|URL")]
    log: String,
    /// The log's verification key, as `chanceryd log vkey` prints it.
    #[arg(long, value_name = "VKEY", conflicts_with = "vkey_file", required_unless_present = "vkey_file")]
    vkey: Option<String>,
    /// A file with that key.
    #[arg(long, value_name = "FILE")]
    vkey_file: Option<PathBuf>,
}

impl LogArgs {
    fn key(&self) -> Result<VerifierKey, AuditError> {
        let text = match (&self.vkey, &self.vkey_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => std::fs::read_to_string(path).map_err(|source| AuditError::Read { path: path.clone(), source })?,
            (None, None) => String::new(),
        };
        text.trim().parse().map_err(AuditError::Key)
    }
}

impl Cli {
    /// Whether programs read what is printed.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn run(self) -> Result<(), AuditError> {
        match self.command {
            Command::Verify { log, state } => {
                let key = log.key()?;
                let state = state.map(|path| State::read(&path, &key)).transpose()?;
                let verified = verify(Place::new(&log.log), &key, state.as_ref())?;
                if self.json {
                    let json = serde_json::to_string(&verified).map_err(|e| AuditError::Output(e.into()))?;
                    say(&format!("{json}\n"))
                } else {
                    say(&verified.text())
                }
            }
            Command::Show { log, entries } => {
                let which = entries.map_or(Ok(Which::All), |text| text.parse())?;
                show(Place::new(&log.log), &log.key()?, &which, self.json, say)
            }
        }
    }
}

fn say(text: &str) -> Result<(), AuditError> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(AuditError::Output)
}

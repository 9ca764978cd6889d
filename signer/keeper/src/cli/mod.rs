//! The command line.

mod init;
mod key;
mod log;
mod policy;
mod rotate;
mod rotate_log;
mod run;
mod token;

use crate::config::{Config, ConfigError};
use crate::door::{self, DoorError};
use crate::key::KeyError;
use crate::passphrase::{PassphraseError, Source};
use crate::policy::PolicyErrors;
use crate::record::EntryError;
use crate::serve::ServeError;
use chancery_cell::{CellError, harden};
use chancery_reqlog::{AppendError, DiscloseError, MirrorError, OpenError, PublishError, ReadError, RedactError, WitnessError};
use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use std::error::Error;
use std::io::{self, Write as _};
use std::os::fd::RawFd;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The program.
pub const NAME: &str = "chancery-keeper";

/// Holds keys, policy and the request log of a Chancery key host. It opens no network socket.
#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
    after_help = "Example:\n  chancery-keeper key new release --for ostree-summary,ostree-commit --dir /etc/chancery\n  chancery-keeper policy check --dir /etc/chancery\n\n`chanceryd key|token|policy|log …` are the same commands."
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
    /// Read the passphrase from a file that nobody else can read; without this the terminal is asked.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "passphrase_fd")]
    passphrase_file: Option<PathBuf>,
    /// Read the passphrase from an open file descriptor.
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(RawFd).range(0..))]
    passphrase_fd: Option<RawFd>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the keyring and the log's key; `chanceryd init` calls this.
    #[command(after_help = "Example:\n  chancery-keeper init --dir /etc/chancery --passphrase-file /root/chancery.pass")]
    Init,
    /// Serve the gateway at the other end of standard input; `chanceryd serve` starts this.
    #[command(after_help = "Example:\n  chanceryd serve --dir /etc/chancery --passphrase-file /root/chancery.pass")]
    Run {
        /// Standard input was accepted by a socket of the service manager, whose owner and mode say who may connect; without this the
        /// other end must belong to the same user or root.
        #[arg(long)]
        from_socket_unit: bool,
        /// Wait until `key unlock` brings the passphrase, on the socket `unlock.sock` in the directory.
        #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
        locked: bool,
        /// Where that socket is made instead.
        #[arg(long, value_name = "FILE", requires = "locked")]
        unlock_socket: Option<PathBuf>,
    },
    /// Make, list, export and import keys.
    #[command(subcommand)]
    Key(key::Key),
    /// Add, list and check tokens (PKCS#11), in which keys can be.
    #[command(subcommand)]
    Token(token::Token),
    /// Host the library of one token, in a process of its own; `chancery-keeper run` starts this.
    #[command(hide = true)]
    TokenHost {
        /// The name of the token, for people who list processes.
        name: String,
    },
    /// Check policies.
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Check, export, disclose and redact the request log, and show its key.
    #[command(subcommand)]
    Log(log::Log),
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The passphrase.
    #[error(transparent)]
    Passphrase(#[from] PassphraseError),
    /// A key or the keyring.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The PIN of a token.
    #[error("there is no PIN; it is asked for on the terminal, or taken from --pin-file or --pin-fd")]
    Pin(#[source] PassphraseError),
    /// The process of a token.
    #[error(transparent)]
    TokenHost(#[from] crate::token::HostError),
    /// A name or construction on the command line.
    #[error("{what}{}", if instead.is_empty() { String::new() } else { format!("\n  {instead}") })]
    Usage {
        /// What is wrong.
        what: String,
        /// What to write instead.
        instead: String,
    },
    /// A file that was named, such as a policy, cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The policy has errors.
    #[error(transparent)]
    Policy(#[from] PolicyErrors),
    /// A policy that was to be checked has errors, and they are printed already.
    #[error("the policy is refused")]
    PolicyRefused,
    /// There is no request log.
    #[error("there is no request log in {}; it begins with the first `chanceryd serve`. If there was one, it is lost: look for its backup", dir.display())]
    NoLog {
        /// Where it would be.
        dir: PathBuf,
    },
    /// The request log is damaged, and what was found is printed already.
    #[error("the request log in {} is damaged", dir.display())]
    LogDamaged {
        /// Its directory.
        dir: PathBuf,
    },
    /// The request log cannot be opened.
    #[error(transparent)]
    Log(#[from] OpenError),
    /// The newest entries of the request log cannot be read back.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Nothing was disclosed.
    #[error(transparent)]
    Disclose(#[from] DiscloseError),
    /// Nothing was redacted.
    #[error(transparent)]
    Redact(#[from] RedactError),
    /// Nothing was exported.
    #[error(transparent)]
    Export(#[from] MirrorError),
    /// What others hold does not fit the restored log.
    #[error("the restored log does not fit the checkpoint in {}; it is not accepted, and nothing is signed", file.display())]
    NotAccepted {
        /// The file with the checkpoint.
        file: PathBuf,
        /// Why.
        #[source]
        source: OpenError,
    },
    /// A log that did not come out of a backup.
    #[error("the log in {} did not come out of a backup, or was accepted already; there is nothing to accept", dir.display())]
    NotRestored {
        /// Its directory.
        dir: PathBuf,
    },
    /// A checkpoint that proves nothing.
    #[error("{} has no checkpoint of this log with entries in it; take the newest one that a publisher or a witness holds", file.display())]
    NoCheckpoint {
        /// The file.
        file: PathBuf,
    },
    /// That the log was accepted could not be recorded.
    #[error("that the log was accepted could not be recorded, so nothing is signed: {why}")]
    Unrecorded {
        /// Why.
        why: String,
    },
    /// What is kept of a witness cannot be used.
    #[error(transparent)]
    Witness(#[from] WitnessError),
    /// Service.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The way to a keeper that waits for its passphrase.
    #[error(transparent)]
    Door(#[from] DoorError),
    /// Standard input is no gateway.
    #[error("standard input is not a socket to a gateway of the same user; `chanceryd serve` starts the keeper")]
    Gateway {
        /// What the kernel says.
        #[source]
        source: io::Error,
    },
    /// An entry of a rotation could not be made.
    #[error("nothing was changed")]
    Rotation(#[from] EntryError),
    /// It could not be recorded.
    #[error("the log cannot be written")]
    Append(#[source] AppendError),
    /// It could not be published.
    #[error("the log is complete, but its static files are not; start the key host or run `log fsck`")]
    Publish(#[source] Arc<PublishError>),
    /// The cell.
    #[error(transparent)]
    Cell(#[from] CellError),
    /// Signals that the gateway heeds would end the keeper too.
    #[error("the kernel refuses to block signals")]
    Signals {
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Output.
    #[error("the result could not be printed")]
    Output(#[source] io::Error),
}

impl CliError {
    /// 1 refused or failed, 2 usage or configuration, 4 the log misbehaved.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::Usage { .. } | Self::File { .. } | Self::Policy(_) | Self::Gateway { .. } => 2,
            Self::Cell(CellError::Missing { .. }) => 2,
            Self::Log(OpenError::Origin { .. } | OpenError::KeyMismatch { .. }) => 2,
            Self::Log(error) if run::misbehaves(error) => 4,
            Self::Disclose(DiscloseError::Beyond { .. }) => 2,
            Self::Export(MirrorError::Log(error)) if error.is_misbehaviour() => 4,
            Self::NotAccepted { source, .. } if run::misbehaves(source) => 4,
            Self::LogDamaged { .. } | Self::Read(_) => 4,
            _ => 1,
        }
    }
}

impl Cli {
    /// Runs the command.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn run(self) -> Result<(), CliError> {
        let options = &self.options;
        match self.command {
            Command::Init => init::init(options),
            Command::Run { from_socket_unit, locked, unlock_socket } => {
                let door = locked.then(|| unlock_socket.unwrap_or_else(|| door::place(&options.dir)));
                run::run(options, from_socket_unit, door.as_deref())
            }
            Command::Key(command) => command.run(options),
            Command::Token(command) => command.run(options),
            Command::TokenHost { .. } => Ok(crate::token::host()?),
            Command::Policy(command) => command.run(options),
            Command::Log(command) => command.run(options),
        }
    }
}

impl Options {
    fn config(&self) -> Result<Config, CliError> {
        Ok(Config::read(&self.dir)?)
    }

    fn source(&self) -> Source {
        match (&self.passphrase_file, self.passphrase_fd) {
            (Some(path), _) => Source::File(path.clone()),
            (None, Some(number)) => Source::Descriptor(number),
            (None, None) => Source::Terminal,
        }
    }

    /// Prints `facts` as JSON when that was asked for, else the text.
    fn print(&self, facts: &impl Serialize, text: &str) -> Result<(), CliError> {
        print(self.json, facts, text).map_err(CliError::Output)
    }
}

/// Prints `facts` as JSON if so wanted, else the text.
///
/// # Errors
/// Standard output takes nothing.
pub fn print(json: bool, facts: &impl Serialize, text: &str) -> io::Result<()> {
    if !json {
        return put(text);
    }
    put(&format!("{}\n", serde_json::to_string_pretty(facts)?))
}

fn put(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

fn say(text: &str) -> Result<(), CliError> {
    put(text).map_err(CliError::Output)
}

/// What is no result, such as warnings and progress.
fn remark(text: &str) {
    // Where nobody reads our errors, nothing can be done about it.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// What a program does first and last: it gives away nothing of its memory, and says why it failed.
pub fn program<E: Error>(name: &str, run: impl FnOnce() -> Result<(), E>, exit_code: impl FnOnce(&E) -> u8) -> ExitCode {
    if let Err(error) = harden() {
        report(name, &error);
        return ExitCode::FAILURE;
    }
    run().map_or_else(
        |error| {
            report(name, &error);
            ExitCode::from(exit_code(&error))
        },
        |()| ExitCode::SUCCESS,
    )
}

/// Prints an error of a program, and what caused it.
fn report(program: &str, error: &dyn Error) {
    let mut text = format!("{program}: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!("  because: {error}\n"));
        cause = error.source();
    }
    remark(&text);
}

/// Seconds since 1970.
#[must_use]
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

//! Starts the keeper, and hands over to it what is its own.

use crate::cli::Unlock;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::net::UnixStream;
use tokio::process::Child;

const PROGRAM: &str = "chancery-keeper";

/// Why the keeper could not be started.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The program is not there.
    #[error("{} cannot be started; install it beside chanceryd or name it with --keeper", program.display())]
    Start {
        /// What was started.
        program: PathBuf,
        /// Why it was not.
        #[source]
        source: io::Error,
    },
    /// It ended with a failure; its own message is above.
    #[error("{} failed; its message is above", program.display())]
    Failed {
        /// What was started.
        program: PathBuf,
    },
    /// No socket pair.
    #[error("no channel to the keeper could be made")]
    Channel(#[source] io::Error),
}

/// Where the keeper's program is: as named, or beside this one.
#[must_use]
pub fn program(named: Option<&Path>) -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(PROGRAM));
    named.map(Path::to_owned).or_else(beside).unwrap_or_else(|| PROGRAM.into())
}

/// Starts the keeper with one end of a socket pair as its standard input.
///
/// It gets a process group of its own: a Ctrl-C at the terminal stops the gateway, which drains and then lets the keeper go.
///
/// # Errors
/// [`KeeperError`].
pub fn spawn(program: &Path, dir: &Path, unlock: &Unlock) -> Result<(Child, UnixStream), KeeperError> {
    let (ours, its) = std::os::unix::net::UnixStream::pair().map_err(KeeperError::Channel)?;
    ours.set_nonblocking(true).map_err(KeeperError::Channel)?;
    let ours = UnixStream::from_std(ours).map_err(KeeperError::Channel)?;
    let mut command = Command::new(program);
    command
        .arg("run")
        .arg("--dir")
        .arg(dir)
        .args(unlock.arguments())
        .stdin(Stdio::from(OwnedFd::from(its)))
        .stdout(Stdio::null())
        .process_group(0);
    let child =
        tokio::process::Command::from(command).spawn().map_err(|source| KeeperError::Start { program: program.to_owned(), source })?;
    Ok((child, ours))
}

/// Becomes the keeper's program, with these arguments. Returns only when that fails.
#[must_use]
pub fn become_it(program: &Path, arguments: &[std::ffi::OsString]) -> KeeperError {
    let source = Command::new(program).args(arguments).exec();
    KeeperError::Start { program: program.to_owned(), source }
}

/// Runs a command of the keeper and gives what it prints.
///
/// # Errors
/// [`KeeperError`].
pub fn output(program: &Path, arguments: &[&std::ffi::OsStr]) -> Result<Vec<u8>, KeeperError> {
    let start = |source| KeeperError::Start { program: program.to_owned(), source };
    let done = Command::new(program).args(arguments).stderr(Stdio::inherit()).stdin(Stdio::inherit()).output().map_err(start)?;
    if done.status.success() { Ok(done.stdout) } else { Err(KeeperError::Failed { program: program.to_owned() }) }
}

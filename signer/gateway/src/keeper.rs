//! Starts the keeper, and hands over to it what is its own.

use crate::cli::Unlock;
use crate::link::KeeperState;
use rustix::process::{Pid, Signal, kill_process};
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;

const PROGRAM: &str = "chancery-keeper";
const BACKUP: &str = "chancery-backup";

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
        /// How it ended.
        status: ExitStatus,
    },
    /// No socket pair.
    #[error("no channel to the keeper could be made")]
    Channel(#[source] io::Error),
    /// The keeper's own service is not there.
    #[error("nobody answers at {}; start chancery-keeper.socket, or leave out --keeper-socket", path.display())]
    Connect {
        /// Its socket.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The keeper's own service holds on to the channel, and so to the log.
    #[error("the keeper's service did not end within {patience:?}; see its journal, and stop it before another one is started")]
    Lingers {
        /// How long it was waited for.
        patience: Duration,
    },
    /// The system does not say how it ended.
    #[error("the end of the keeper could not be waited for")]
    Wait(#[source] io::Error),
}

/// Where the keeper's program is: as named, or beside this one.
#[must_use]
pub fn program(named: Option<&Path>) -> PathBuf {
    let beside = || Some(std::env::current_exe().ok()?.parent()?.join(PROGRAM));
    named.map(Path::to_owned).or_else(beside).unwrap_or_else(|| PROGRAM.into())
}

/// Lets an interrupt end the keeper alone from now on: Ctrl-C on a terminal reaches both, and what was begun here has to be taken back.
pub(crate) fn outlive_interrupts() {
    // The handler outlives the runtime. Without one an interrupt ends us in the middle, which is no reason not to begin.
    if let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() {
        let _inside = runtime.enter();
        drop(signal(SignalKind::interrupt()));
    }
}

/// Where the program for backups is: beside that of the keeper.
#[must_use]
pub fn backup_program(keeper: &Path) -> PathBuf {
    keeper.with_file_name(BACKUP)
}

/// How a keeper ended; of one that another service runs only its silence is seen.
#[derive(Debug, Clone, Copy)]
pub struct Ended(Option<ExitStatus>);

impl Ended {
    /// Its exit code, where it is known.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.0.and_then(|status| status.code())
    }

    /// Whether nothing is known to its discredit.
    #[must_use]
    pub fn success(&self) -> bool {
        self.0.is_none_or(|status| status.success())
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(status) => status.fmt(f),
            None => f.write_str("a closed channel (its own journal says why)"),
        }
    }
}

/// A running keeper: a child of ours, or one that its own service runs.
pub struct Keeper {
    child: Option<Child>,
}

impl Keeper {
    /// Starts the keeper with one end of a socket pair as its standard input; returns the other, which never blocks.
    ///
    /// To be called before the gateway enters its cell, in which it can start no program.
    ///
    /// It gets a process group of its own, so that a Ctrl-C at the terminal stops the gateway, which drains and then lets the keeper
    /// go; unless it is to ask for a passphrase, for only the group in the foreground may read the terminal.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub fn start(program: &Path, dir: &Path, unlock: &Unlock) -> Result<(Self, UnixStream), KeeperError> {
        let (ours, its) = UnixStream::pair().map_err(KeeperError::Channel)?;
        ours.set_nonblocking(true).map_err(KeeperError::Channel)?;
        let mut command = Command::new(program);
        command.arg("run").arg("--dir").arg(dir).args(unlock.arguments()).stdin(Stdio::from(OwnedFd::from(its))).stdout(Stdio::null());
        if !unlock.asks_the_terminal() {
            command.process_group(0);
        }
        let child = command.spawn().map_err(|source| KeeperError::Start { program: program.to_owned(), source })?;
        Ok((Self { child: Some(child) }, ours))
    }

    /// Connects to a keeper that its own service starts for each connection (`chancery-keeper.socket`). To be called before the gateway
    /// enters its cell, in which it can make no such socket.
    ///
    /// # Errors
    /// [`KeeperError::Connect`].
    pub fn connect(path: &Path) -> Result<(Self, UnixStream), KeeperError> {
        let connect = || {
            let channel = UnixStream::connect(path)?;
            channel.set_nonblocking(true).map(|()| channel)
        };
        Ok((Self { child: None }, connect().map_err(|source| KeeperError::Connect { path: path.to_owned(), source })?))
    }

    /// Waits until it has let go of its channel and ended, after the gateway hung up; makes an end of a child that takes longer than
    /// `patience`. The log is free then, for a command or for the next keeper.
    ///
    /// # Errors
    /// [`KeeperError::Wait`], [`KeeperError::Lingers`].
    pub async fn end(self, mut state: watch::Receiver<KeeperState>, patience: Duration) -> Result<Ended, KeeperError> {
        // Of one that another service runs, the silence of its channel is all that is seen.
        if self.child.is_none() {
            let gone = state.wait_for(|state| *state == KeeperState::Gone);
            drop(timeout(patience, gone).await.map_err(|_| KeeperError::Lingers { patience })?);
        }
        self.closed(patience).await
    }

    /// Waits for its end after its channel was closed; makes an end of a child that takes longer than `patience`.
    ///
    /// # Errors
    /// [`KeeperError::Wait`].
    pub async fn closed(mut self, patience: Duration) -> Result<Ended, KeeperError> {
        if let Ok(ended) = timeout(patience, self.wait()).await {
            return ended.map_err(KeeperError::Wait);
        }
        tracing::error!("the keeper did not end; it is killed");
        self.kill().map_err(KeeperError::Wait)
    }

    async fn wait(&mut self) -> io::Result<Ended> {
        let Some(child) = &mut self.child else { return Ok(Ended(None)) };
        let mut ended = signal(SignalKind::child())?;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(Ended(Some(status)));
            }
            ended.recv().await;
        }
    }

    /// Makes an end of it at once. Whatever it acknowledged is durable: it may be killed at any time.
    ///
    /// # Errors
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<Ended> {
        let Some(child) = &mut self.child else { return Ok(Ended(None)) };
        child.kill()?;
        child.wait().map(|status| Ended(Some(status)))
    }

    /// The number of its process, where it is a child of ours.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Stops a keeper that does not read its channel yet.
    pub async fn stop(self, patience: Duration) {
        let pid = self.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(Err(error)) = pid.map(|pid| kill_process(pid, Signal::TERM)) {
            tracing::warn!(%error, "the keeper could not be told to stop");
        }
        drop(self.closed(patience).await);
    }
}

/// Becomes the keeper's program, with these arguments. Returns only when that fails.
#[must_use]
pub fn become_it(program: &Path, arguments: &[OsString]) -> KeeperError {
    let source = Command::new(program).args(arguments).exec();
    KeeperError::Start { program: program.to_owned(), source }
}

/// Runs a command of the keeper and gives what it prints.
///
/// # Errors
/// [`KeeperError`].
pub fn output<A: AsRef<OsStr>>(program: &Path, arguments: impl IntoIterator<Item = A>) -> Result<Vec<u8>, KeeperError> {
    let start = |source| KeeperError::Start { program: program.to_owned(), source };
    let done = Command::new(program).args(arguments).stderr(Stdio::inherit()).stdin(Stdio::inherit()).output().map_err(start)?;
    if done.status.success() { Ok(done.stdout) } else { Err(KeeperError::Failed { program: program.to_owned(), status: done.status }) }
}

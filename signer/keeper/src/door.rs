//! The door of a keeper that starts with locked keys: a socket on its own machine, on which an operator brings the passphrase.
//!
//! What is brought goes from one process to the other without touching a disk, and the gateway never sees it.

use crate::guarded;
use crate::key::Keyring;
use crate::passphrase::Passphrase;
use chancery_channel::{FromKeeper, encode};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::fs::Mode;
use rustix::process::umask;
use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whoever brings the passphrase has it at hand.
const PATIENCE: Duration = Duration::from_secs(10);
/// Opening a keyring takes a second or so; a machine that is very slow takes longer.
const OPENING: Duration = Duration::from_secs(120);
/// No answer is longer, in bytes.
const ANSWER_MAX: usize = 4096;
/// The whole answer when the keys are open.
const OPEN: &str = "open";

/// Why a keeper could not be unlocked.
#[derive(Debug, thiserror::Error)]
pub enum DoorError {
    /// The socket cannot be made.
    #[error("cannot listen on {}; its directory must be writable for the keeper, or name another place with --unlock-socket", path.display())]
    Listen {
        /// Where.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Waiting failed.
    #[error("the wait for a passphrase was cut short")]
    Wait(#[source] io::Error),
    /// The gateway went away meanwhile.
    #[error("the gateway ended before anybody brought the passphrase")]
    Alone,
    /// Nobody waits there.
    #[error("no key host waits for its passphrase at {}; it is not started with --locked, or its keys are open already", path.display())]
    Nobody {
        /// Where.
        path: PathBuf,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// It went away before it answered.
    #[error("the key host did not say whether its keys are open; `chancery status` and its journal do")]
    Silent(#[source] io::Error),
    /// It refused.
    #[error("the keys stay locked: {0}")]
    Refused(String),
}

/// The socket's usual place.
pub(crate) fn place(dir: &Path) -> PathBuf {
    dir.join("unlock.sock")
}

/// A socket on which a passphrase is awaited.
pub struct Door {
    listener: UnixListener,
}

impl Door {
    /// Listens. To be called before the process enters its cell, in which it can bind nothing.
    ///
    /// # Errors
    /// [`DoorError::Listen`].
    pub fn open(path: &Path) -> Result<Self, DoorError> {
        let listen = || {
            // A socket that a keeper before us left. What is no socket is left alone, and in the way.
            if std::fs::symlink_metadata(path).is_ok_and(|at| at.file_type().is_socket()) {
                std::fs::remove_file(path)?;
            }
            let usual = umask(Mode::XUSR | Mode::RWXG | Mode::RWXO);
            let listener = UnixListener::bind(path);
            umask(usual);
            listener
        };
        Ok(Self { listener: listen().map_err(|source| DoorError::Listen { path: path.to_owned(), source })? })
    }

    /// Tells the gateway that the keys are locked, and waits until somebody brings the passphrase that opens them.
    ///
    /// # Errors
    /// [`DoorError`]. A keyring that does not open is the visitor's to hear of, and no error.
    pub fn wait(self, gateway: &UnixStream, keys: &Path) -> Result<Keyring, DoorError> {
        let mut message = Vec::new();
        encode(&FromKeeper::Locked, &mut message).map_err(|e| DoorError::Wait(io::Error::other(e)))?;
        (&mut &*gateway).write_all(&message).map_err(DoorError::Wait)?;
        tracing::info!("the keys are locked; an operator opens them with `chanceryd key unlock`");
        loop {
            self.somebody(gateway)?;
            let visitor = match self.listener.accept() {
                Ok((visitor, _)) => visitor,
                Err(error) => {
                    tracing::warn!(%error, "somebody at the door went away");
                    continue;
                }
            };
            if let Some(keyring) = attend(&visitor, keys) {
                return Ok(keyring);
            }
        }
    }

    /// Waits until somebody connects; an error when the gateway goes away first.
    fn somebody(&self, gateway: &UnixStream) -> Result<(), DoorError> {
        loop {
            let mut both = [PollFd::new(&self.listener, PollFlags::IN), PollFd::new(gateway, PollFlags::IN)];
            match poll(&mut both, None) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(DoorError::Wait(error.into())),
            }
            let [door, channel] = both.map(|fd| fd.revents());
            // The gateway says nothing before we are ready: this is its end.
            if !channel.is_empty() {
                return Err(DoorError::Alone);
            }
            if !door.is_empty() {
                return Ok(());
            }
        }
    }
}

/// Takes what a visitor brings and tells it how it went.
fn attend(visitor: &UnixStream, keys: &Path) -> Option<Keyring> {
    let opened = brought(visitor).and_then(|passphrase| Keyring::open(keys, &passphrase).map_err(|e| e.to_string()));
    let said = match &opened {
        Ok(_) => {
            tracing::info!("the keys are open");
            OPEN
        }
        Err(why) => {
            tracing::warn!(why, "the keys stay locked");
            why
        }
    };
    if let Err(error) = (&mut &*visitor).write_all(said.as_bytes()) {
        tracing::warn!(%error, "whoever brought a passphrase did not wait for the answer");
    }
    opened.ok()
}

fn brought(visitor: &UnixStream) -> Result<Passphrase, String> {
    visitor.set_write_timeout(Some(PATIENCE)).map_err(|e| e.to_string())?;
    let by = Instant::now().checked_add(PATIENCE).ok_or("the clock is at its end")?;
    Passphrase::received(Hurried { visitor, by }).map_err(|e| e.to_string())
}

/// Reads until then, however little comes at once.
struct Hurried<'a> {
    visitor: &'a UnixStream,
    by: Instant,
}

impl io::Read for Hurried<'_> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let left = self.by.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.visitor.set_read_timeout(Some(left))?;
        let mut from = self.visitor;
        from.read(room)
    }
}

/// Brings a passphrase to the keeper that waits for it at `path`.
///
/// # Errors
/// [`DoorError`].
pub(crate) fn bring(path: &Path, passphrase: &Passphrase) -> Result<(), DoorError> {
    let nobody = |source| DoorError::Nobody { path: path.to_owned(), source };
    let mut keeper = UnixStream::connect(path).map_err(nobody)?;
    keeper.set_read_timeout(Some(OPENING)).map_err(nobody)?;
    keeper.write_all(passphrase.as_bytes()).and_then(|()| keeper.shutdown(Shutdown::Write)).map_err(DoorError::Silent)?;
    let answer = guarded::read_to_end(keeper, ANSWER_MAX).map_err(DoorError::Silent)?.unwrap_or_default();
    match str::from_utf8(&answer) {
        Ok(OPEN) => Ok(()),
        Ok("") | Err(_) => Err(DoorError::Silent(io::ErrorKind::UnexpectedEof.into())),
        Ok(why) => Err(DoorError::Refused(why.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_door_is_for_its_owner_and_replaces_a_socket_but_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = place(dir.path());
        drop(Door::open(&path).unwrap());
        let _again = Door::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let file = dir.path().join("a file");
        std::fs::write(&file, "mine").unwrap();
        assert!(matches!(Door::open(&file), Err(DoorError::Listen { .. })));
        assert_eq!(std::fs::read(&file).unwrap(), b"mine");
    }

    #[test]
    fn a_keeper_whose_gateway_is_gone_waits_no_longer() {
        let dir = tempfile::tempdir().unwrap();
        let door = Door::open(&place(dir.path())).unwrap();
        let (gateway, ours) = UnixStream::pair().unwrap();
        drop(gateway);
        let ended = door.wait(&ours, dir.path()).map(drop).unwrap_err();
        assert!(matches!(ended, DoorError::Alone | DoorError::Wait(_)), "{ended}");
    }

    #[test]
    fn an_answer_that_does_not_come_is_not_taken_for_a_good_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = place(dir.path());
        let passphrase = Passphrase::for_tests("secret words");
        assert!(matches!(bring(&path, &passphrase), Err(DoorError::Nobody { .. })));
        let listener = UnixListener::bind(&path).unwrap();
        let mute = std::thread::spawn(move || drop(listener.accept().unwrap()));
        assert!(matches!(bring(&path, &passphrase), Err(DoorError::Silent(_))));
        mute.join().unwrap();
    }
}

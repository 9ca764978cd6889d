//! Frames between the keeper and the process of a token: `u32le length | postcard body`, as between gateway and keeper, but smaller, with a
//! deadline, and wiped from memory, for one of them has the PIN.

use chancery_channel::{FrameError, encode, split};
use serde::{Deserialize, Serialize};
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Greatest body of a frame, in bytes.
pub(super) const MAX: usize = 256 * 1024;
/// What is to be signed travels in pieces of this many bytes.
pub(super) const CHUNK: usize = 128 * 1024;
const PREFIX: usize = 4;

/// Why the channel cannot be used any more.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// Time is up.
    #[error("it did not answer in time")]
    Late,
    /// The other end is gone.
    #[error("its process ended")]
    Closed,
    /// The socket failed.
    #[error("its socket failed")]
    Io(#[source] io::Error),
    /// What came is no message.
    #[error("it said what is no message")]
    Frame(#[from] FrameError),
    /// A message that has no place here.
    #[error("it said what was not asked for")]
    Unexpected,
}

impl From<io::Error> for WireError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Self::Late,
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// One end of the channel.
pub(super) struct Wire(UnixStream);

/// A whole frame.
pub(super) struct Frame(Zeroizing<Vec<u8>>);

impl Frame {
    pub(super) fn message<'a, T: Deserialize<'a>>(&'a self) -> Result<T, WireError> {
        match split(&self.0)? {
            Some((message, used)) if used == self.0.len() => Ok(message),
            _ => Err(WireError::Unexpected),
        }
    }
}

impl Wire {
    pub(super) const fn new(socket: UnixStream) -> Self {
        Self(socket)
    }

    /// Sends a message; without a deadline it waits as long as it takes.
    pub(super) fn send<T: Serialize>(&mut self, message: &T, by: Option<Instant>) -> Result<(), WireError> {
        // Room for all of it at once, so that the buffer never moves and leaves no copies behind.
        let mut frame = Zeroizing::new(Vec::with_capacity(MAX));
        encode(message, &mut frame)?;
        let mut rest = frame.as_slice();
        while !rest.is_empty() {
            self.0.set_write_timeout(left(by)?).map_err(WireError::Io)?;
            match self.0.write(rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Receives a whole frame.
    pub(super) fn receive(&mut self, by: Option<Instant>) -> Result<Frame, WireError> {
        let mut prefix = [0; PREFIX];
        self.fill(&mut prefix, by)?;
        let len = usize::try_from(u32::from_le_bytes(prefix)).unwrap_or(usize::MAX);
        if len > MAX {
            return Err(FrameError::TooLarge { len }.into());
        }
        let mut frame = Zeroizing::new(vec![0; len.saturating_add(PREFIX)]);
        let (head, body) = frame.split_at_mut(PREFIX);
        head.copy_from_slice(&prefix);
        self.fill(body, by)?;
        Ok(Frame(frame))
    }

    fn fill(&mut self, mut room: &mut [u8], by: Option<Instant>) -> Result<(), WireError> {
        while !room.is_empty() {
            self.0.set_read_timeout(left(by)?).map_err(WireError::Io)?;
            match self.0.read(room) {
                Ok(0) => return Err(WireError::Closed),
                Ok(n) => room = room.split_at_mut_checked(n).map(|(_, rest)| rest).unwrap_or_default(),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Says that nothing more comes.
    pub(super) fn hang_up(&self) {
        // One that is gone has hung up as well.
        let _ = rustix::net::shutdown(&self.0, rustix::net::Shutdown::Write);
    }
}

fn left(by: Option<Instant>) -> Result<Option<Duration>, WireError> {
    let Some(by) = by else { return Ok(None) };
    let left = by.saturating_duration_since(Instant::now());
    if left.is_zero() { Err(WireError::Late) } else { Ok(Some(left)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (Wire, UnixStream) {
        let (one, other) = UnixStream::pair().unwrap();
        (Wire::new(one), other)
    }

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(50))
    }

    #[test]
    fn a_message_comes_as_it_was_sent() {
        let (mut one, other) = pair();
        one.send(&"words", None).unwrap();
        let mut other = Wire::new(other);
        assert_eq!(other.receive(soon()).unwrap().message::<&str>().unwrap(), "words");
        drop(one);
        assert!(matches!(other.receive(None), Err(WireError::Closed)));
    }

    #[test]
    fn who_does_not_answer_or_not_to_the_end_is_late() {
        let (mut one, mut other) = pair();
        assert!(matches!(one.receive(soon()), Err(WireError::Late)));
        other.write_all(&[9, 0, 0, 0, 1]).unwrap();
        assert!(matches!(one.receive(soon()), Err(WireError::Late)));
    }

    #[test]
    fn who_does_not_read_is_late_too() {
        let (mut one, _other) = pair();
        let by = soon();
        let chunk = vec![1_u8; CHUNK];
        assert!((0..100).any(|_| matches!(one.send(&chunk, by), Err(WireError::Late))));
    }

    #[test]
    fn frames_are_bounded_and_hold_one_message() {
        let (mut one, mut other) = pair();
        other.write_all(&[0xff; 8]).unwrap();
        assert!(matches!(one.receive(soon()), Err(WireError::Frame(FrameError::TooLarge { .. }))));
        let (mut one, mut other) = pair();
        other.write_all(&[2, 0, 0, 0, 1, b'x', 1, 0, 0, 0]).unwrap();
        assert_eq!(one.receive(soon()).unwrap().message::<&str>().unwrap(), "x");
        let (mut one, mut other) = pair();
        other.write_all(&[3, 0, 0, 0, 1, b'x', b'y']).unwrap();
        assert!(one.receive(soon()).unwrap().message::<&str>().is_err());
    }

    proptest::proptest! {
        #[test]
        fn whatever_a_vendors_library_makes_of_its_process_is_a_message_or_an_error(body in proptest::collection::vec(proptest::num::u8::ANY, 0..600), len in proptest::num::u32::ANY) {
            let whole = [u32::try_from(body.len()).unwrap().to_le_bytes().as_slice(), &body].concat();
            let lied = [len.to_le_bytes().as_slice(), &body].concat();
            for bytes in [whole, lied] {
                let (mut wire, mut other) = pair();
                other.write_all(&bytes).unwrap();
                drop(other);
                let Ok(frame) = wire.receive(soon()) else { continue };
                let _ = frame.message::<crate::token::message::FromHost>();
                let _ = frame.message::<crate::token::message::ToHost<'_>>();
            }
        }
    }
}

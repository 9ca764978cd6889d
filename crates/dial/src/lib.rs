//! What a key host and a relay say to each other on a connection that the key host opened and parked: `docs/relay-protocol.md`.
//!
//! Frames only: no I/O, no clock. What comes after [`Kind::Ready`] is no longer of this protocol; it is the client's TLS, which only the
//! key host can read.
#![forbid(unsafe_code)]

/// The version of the protocol that this crate speaks.
pub const VERSION: u8 = 1;
/// The protocol's name in the outer TLS handshake (ALPN, RFC 7301).
pub const ALPN: &[u8] = b"chancery-relay/1";
/// Length of every frame, in bytes.
pub const FRAME_LEN: usize = 8;
/// The longest time between two pings that a relay may announce, in milliseconds.
pub const MAX_PING_MS: u32 = 60_000;
/// What relays are called in the outer TLS handshake, after the trust domain. A name that no client looks for: the certificate of a relay
/// must never pass for that of a key host.
pub const RELAY_SUFFIX: &str = "relay.chancery.internal";

/// The name under which relays of a trust domain have their certificates.
#[must_use]
pub fn relay_name(trust_domain: &str) -> String {
    format!("{trust_domain}.{RELAY_SUFFIX}")
}

/// What a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The first frame of each side. The number is 0 from the key host; from the relay, the milliseconds between its pings.
    Hello,
    /// From the relay: is somebody there? With a number that is to be said back.
    Ping,
    /// From the key host: the number of the ping.
    Pong,
    /// From the relay: a client is here. With a number that is to be said back.
    Open,
    /// From the key host: the number of the open. Raw bytes follow in both directions.
    Ready,
}

/// One frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// What it is for.
    pub kind: Kind,
    /// Its number.
    pub number: u32,
}

/// Why bytes are no frame, or a frame is not in its place. The connection is closed then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// Another version.
    #[error("the other side speaks version {0} of the relay protocol, and this one version {VERSION}; install the same release on both")]
    Version(u8),
    /// No such kind.
    #[error("there is no frame of kind {0}; what answers there is no relay of this release")]
    Kind(u8),
    /// Reserved bytes are in use.
    #[error("the reserved bytes of a frame are not zero; what answers there is no relay of this release")]
    Reserved,
    /// A frame that cannot come now.
    #[error("{0:?} came out of turn; install the same release on both sides")]
    OutOfTurn(Kind),
    /// A relay that would ask too seldom, or all the time.
    #[error("the relay wants to ask every {0} ms; set its --ping-interval to at most {MAX_PING_MS} ms")]
    Interval(u32),
}

impl Frame {
    /// A frame.
    #[must_use]
    pub const fn new(kind: Kind, number: u32) -> Self {
        Self { kind, number }
    }

    /// Its bytes: kind, version, two zeros, and the number, big-endian.
    #[must_use]
    pub const fn encode(self) -> [u8; FRAME_LEN] {
        let kind = match self.kind {
            Kind::Hello => 1,
            Kind::Ping => 2,
            Kind::Pong => 3,
            Kind::Open => 4,
            Kind::Ready => 5,
        };
        let [a, b, c, d] = self.number.to_be_bytes();
        [kind, VERSION, 0, 0, a, b, c, d]
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// [`FrameError`], for anything that [`Frame::encode`] does not make.
    pub const fn parse([kind, version, zero, also_zero, a, b, c, d]: [u8; FRAME_LEN]) -> Result<Self, FrameError> {
        if version != VERSION {
            return Err(FrameError::Version(version));
        }
        if zero != 0 || also_zero != 0 {
            return Err(FrameError::Reserved);
        }
        let kind = match kind {
            1 => Kind::Hello,
            2 => Kind::Ping,
            3 => Kind::Pong,
            4 => Kind::Open,
            5 => Kind::Ready,
            other => return Err(FrameError::Kind(other)),
        };
        Ok(Self { kind, number: u32::from_be_bytes([a, b, c, d]) })
    }

    /// Reads a frame that can only be `expected`.
    ///
    /// # Errors
    /// [`FrameError`].
    pub fn expect(bytes: [u8; FRAME_LEN], expected: Self) -> Result<(), FrameError> {
        match Self::parse(bytes)? {
            frame if frame == expected => Ok(()),
            frame => Err(FrameError::OutOfTurn(frame.kind)),
        }
    }
}

/// The relay's greeting, as the key host reads it: milliseconds between its pings.
///
/// # Errors
/// [`FrameError`].
pub fn ping_interval(bytes: [u8; FRAME_LEN]) -> Result<u32, FrameError> {
    match Frame::parse(bytes)? {
        Frame { kind: Kind::Hello, number } if (1..=MAX_PING_MS).contains(&number) => Ok(number),
        Frame { kind: Kind::Hello, number } => Err(FrameError::Interval(number)),
        Frame { kind, .. } => Err(FrameError::OutOfTurn(kind)),
    }
}

/// What a key host answers while it is parked.
///
/// # Errors
/// [`FrameError`].
pub fn answer(bytes: [u8; FRAME_LEN]) -> Result<Frame, FrameError> {
    match Frame::parse(bytes)? {
        Frame { kind: Kind::Ping, number } => Ok(Frame::new(Kind::Pong, number)),
        Frame { kind: Kind::Open, number } => Ok(Frame::new(Kind::Ready, number)),
        Frame { kind, .. } => Err(FrameError::OutOfTurn(kind)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whatever_parses_is_exactly_what_is_written(bytes: [u8; FRAME_LEN]) {
            if let Ok(frame) = Frame::parse(bytes) {
                prop_assert_eq!(frame.encode(), bytes);
            }
        }

        #[test]
        fn every_frame_comes_back(kind in 1_u8..=5, number: u32) {
            let [a, b, c, d] = number.to_be_bytes();
            let bytes = [kind, VERSION, 0, 0, a, b, c, d];
            prop_assert_eq!(Frame::parse(bytes).unwrap().encode(), bytes);
        }

        #[test]
        fn a_key_host_answers_with_the_number_that_it_was_asked(bytes: [u8; FRAME_LEN], number: u32) {
            let reply = |kind| answer(Frame::new(kind, number).encode());
            prop_assert_eq!(reply(Kind::Ping), Ok(Frame::new(Kind::Pong, number)));
            prop_assert_eq!(reply(Kind::Open), Ok(Frame::new(Kind::Ready, number)));
            prop_assert!(reply(Kind::Hello).is_err() && reply(Kind::Pong).is_err() && reply(Kind::Ready).is_err());
            if let Ok(frame) = answer(bytes) {
                prop_assert!(matches!(frame.kind, Kind::Pong | Kind::Ready));
            }
        }
    }

    #[test]
    fn other_versions_kinds_and_reserved_bytes_are_refused() {
        assert_eq!(Frame::parse([1, 2, 0, 0, 0, 0, 0, 0]), Err(FrameError::Version(2)));
        assert_eq!(Frame::parse([0, 1, 0, 0, 0, 0, 0, 0]), Err(FrameError::Kind(0)));
        assert_eq!(Frame::parse([6, 1, 0, 0, 0, 0, 0, 0]), Err(FrameError::Kind(6)));
        assert_eq!(Frame::parse([1, 1, 0, 1, 0, 0, 0, 0]), Err(FrameError::Reserved));
        assert_eq!(ping_interval(Frame::new(Kind::Hello, 0).encode()), Err(FrameError::Interval(0)));
        assert_eq!(ping_interval(Frame::new(Kind::Ping, 1).encode()), Err(FrameError::OutOfTurn(Kind::Ping)));
        assert_eq!(ping_interval(Frame::new(Kind::Hello, 15_000).encode()), Ok(15_000));
    }
}

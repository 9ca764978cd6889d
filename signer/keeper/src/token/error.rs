//! What goes wrong with tokens.

use super::message::{Fault, FaultKind};
use super::wire::WireError;
use chancery_channel::KeyName;
use std::io;

/// Why a token did not do what it was asked for. Nothing here ever holds a PIN.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// Its process could not be started.
    #[error("the process for token {token} could not be started: {why}")]
    Start {
        /// The token.
        token: KeyName,
        /// What the system says.
        why: String,
    },
    /// It answered that it cannot.
    #[error("token {token}: {fault}")]
    Refused {
        /// The token.
        token: KeyName,
        /// What its process says.
        fault: Fault,
    },
    /// Its process is gone, hangs, or says what is no answer. It is not asked again.
    #[error("token {token} is out of service since {why}; mend it (`chanceryd token check {token}`), then start the key host anew")]
    Lost {
        /// The token.
        token: KeyName,
        /// What happened first.
        why: String,
    },
    /// More than a token is asked to sign at once.
    #[error("token {token} is not asked to sign {len} bytes at once, more than {max}; use a construction that signs a digest")]
    TooLong {
        /// The token.
        token: KeyName,
        /// How many bytes there are.
        len: usize,
        /// How many may be.
        max: usize,
    },
}

impl TokenError {
    /// Whether it is for the PIN's sake.
    #[must_use]
    pub const fn is_pin(&self) -> bool {
        matches!(self, Self::Refused { fault: Fault { kind: FaultKind::WrongPin | FaultKind::PinLocked, .. }, .. })
    }
}

/// Why a process for a token ended early.
#[derive(Debug, thiserror::Error)]
pub enum HostError {
    /// Standard input is no keeper.
    #[error("standard input is not a socket to a keeper; `chancery-keeper run` starts this")]
    Keeper(#[source] io::Error),
    /// Signals could not be blocked, or descriptors not listed.
    #[error("the token's process cannot be set up")]
    Process(#[source] io::Error),
    /// The channel failed.
    #[error("the channel to the keeper cannot be used")]
    Wire(#[from] WireError),
}

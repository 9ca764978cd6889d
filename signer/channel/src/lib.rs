//! What crosses from the gateway to the keeper, and its framing.
//!
//! The gateway turns what came over the wire into these types; whoever holds one holds a value that is
//! inside its alphabet and its length. The keeper trusts the *shape* of a message and nothing else: a
//! compromised gateway can lie about who asks, but every decision is made from these values by the keeper.

#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests count small things"))]

mod buffer;
mod digest;
mod frame;
mod message;
mod names;
mod stats;

pub use buffer::ReadBuffer;
pub use digest::{Digest, DigestAlgorithm};
pub use frame::{FrameError, MAX_FRAME, encode, split};
pub use message::{
    Answer, Body, Cell, Checkpoint, ConsistencyProof, Entries, FromKeeper, HashState, KeyDescription, KeyState, Leaf, Payload, Ready,
    Refusal, RefusalKind, SignRequest, Signed, Statement, StatementSubject, ToKeeper,
};
pub use names::{KeyName, NameError, Namespace, Principal, RequestId, Subject};
pub use stats::{BATCH_BOUNDS, STEP_BOUNDS, Stats, Tally, WitnessStats};

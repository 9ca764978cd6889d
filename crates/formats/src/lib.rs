//! Signature constructions: typed content, the exact bytes to be signed, framing and verification.
//!
//! A module per format. Everything here is a pure function of its arguments: no I/O, no clock, no randomness.
//! Content is read, never written again: what was parsed is what is signed.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests count small things"))]

pub mod checksums;
mod construction;
mod content;
pub mod dsse;
pub mod ed25519;
pub mod git;
pub mod gvariant;
mod hex;
pub mod minisign;
pub mod note;
mod numbered;
pub mod openpgp;
pub mod ostree;
pub mod raw;
pub mod signify;
mod ssh;
pub mod sshsig;
mod text;
pub mod tuf;
#[cfg(test)]
mod vectors;

pub use construction::{Construction, Framing, UnknownConstruction};
pub use content::{ContentError, ContentFault, Document};

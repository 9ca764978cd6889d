//! Signature constructions: typed content, the exact bytes to be signed, framing and verification.
//!
//! A module per format. Everything here is a pure function of its arguments: no I/O, no clock, no randomness.

mod construction;

pub use construction::{Construction, UnknownConstruction};

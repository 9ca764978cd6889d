//! The client against a key host that lives in this process, and that can be made to misbehave.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first fault"
)]

mod batch;
mod history;
mod honest;
mod misbehaving;
mod ostree;
mod reaching;
mod status;
mod support;
mod transcripts;

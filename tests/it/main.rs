//! Tests that cross rooms, with real processes and with tools that others wrote.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first fault"
)]

mod bad_input;
mod house;
mod variant;
mod wire;

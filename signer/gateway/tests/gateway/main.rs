//! The gateway as a client meets it: real mutual TLS on a port of its own, in front of a keeper that only plays one.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test stops at its first fault"
)]

mod admin;
mod batches;
mod connections;
mod health;
mod host;
mod identities;
mod keeper;
mod pki;
mod process;
mod program;
mod reads;
mod signatures;

//! The auditor against logs made by the log's own writer, from a directory and from a web server.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test stops at its first fault"
)]

mod show;
mod support;
mod transcripts;
mod verify;
mod web;

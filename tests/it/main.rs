//! Tests that cross rooms, with real processes and with tools that others wrote.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    clippy::cast_possible_truncation,
    reason = "a test stops at its first fault"
)]
#![allow(clippy::disallowed_methods, reason = "what a test writes need not outlive it")]

mod abuse;
mod agent;
mod attest;
mod auditor;
mod bad_client;
mod bad_host;
mod bad_input;
mod badlink;
mod boot;
mod cell;
mod clock;
mod console;
mod cosign;
mod crash;
mod custody;
mod deploy;
mod disk;
mod docs;
#[path = "../../crates/formats/tests/peers/helpers.rs"]
#[allow(dead_code, reason = "each test program uses some of them")]
mod helpers;
mod house;
mod hung;
mod journal;
mod ledger;
mod log;
mod matrix;
mod metrics;
mod netns;
mod offline;
mod once;
mod openpgp;
mod outside;
mod record;
mod relay;
mod relay_reload;
mod reload;
mod sealed;
mod self_test;
mod signing;
mod soak;
mod strangers;
mod token;
mod traces;
mod trouble;
mod unlock;
mod usage;
mod variant;
mod wire;
mod witness;

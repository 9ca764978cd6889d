//! `chancery-audit`: verifies a request log from static files alone.

#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::disallowed_methods,
        clippy::indexing_slicing,
        reason = "tests count small things, in temporary directories"
    )
)]

mod book;
mod bound;
mod cli;
mod console;
mod error;
mod follow;
mod index;
mod monitor;
mod place;
mod reconcile;
mod report;
mod search;
mod show;
mod state;
mod time;
mod verify;
mod web;
mod witness;

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

/// Tells people, and programs where they read.
fn complain(error: &error::AuditError, json: bool) {
    // Where nobody reads our errors, nothing can be done about it.
    if json {
        let _ = writeln!(std::io::stdout().lock(), "{}", error.json());
    }
    let _ = write!(std::io::stderr().lock(), "{}", error.text());
}

/// Waits before the next look at a log, which cannot tell by itself that it has grown.
fn wait(pause: std::time::Duration) {
    std::thread::park_timeout(pause);
}

//! The process that holds keys, policy and the request log.

use chancery_cell::harden;
use chancery_keeper::cli::Cli;
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Err(error) = harden() {
        chancery_keeper::cli::report(&error);
        return ExitCode::FAILURE;
    }
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            chancery_keeper::cli::report(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

//! The process that holds keys, policy and the request log.

use chancery_keeper::cli::{Cli, CliError, NAME, program};
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    program(NAME, || Cli::parse().run(), CliError::exit_code)
}

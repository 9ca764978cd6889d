//! `chancery-audit`: verifies a request log from static files alone.

mod cli;
mod error;
mod place;
mod show;
mod state;
mod verify;
mod web;

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let json = cli.json();
    match cli.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Where nobody reads our errors, nothing can be done about it.
            if json {
                let _ = writeln!(std::io::stdout().lock(), "{}", error.json());
            }
            let _ = write!(std::io::stderr().lock(), "{}", error.text());
            ExitCode::from(error.exit_code())
        }
    }
}

//! `chancery-audit`: verifies a request log from static files alone.

mod cli;
mod error;
mod place;
mod show;
mod state;
mod verify;

use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("chancery-audit: {error}\n");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text.push_str(&format!("  because: {cause}\n"));
                source = cause.source();
            }
            // Where nobody reads our errors, nothing can be done about it.
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
            ExitCode::from(error.exit_code())
        }
    }
}

//! The gateway of a Chancery key host.

use chanceryd::cli::Cli;
use clap::Parser as _;
use std::io::Write as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    match Cli::parse().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut text = format!("chanceryd: {error}");
            let mut source = std::error::Error::source(&error);
            while let Some(cause) = source {
                text.push_str(": ");
                text.push_str(&cause.to_string());
                source = cause.source();
            }
            // There is nowhere else to say it.
            drop(writeln!(std::io::stderr(), "{text}"));
            ExitCode::from(error.exit_code())
        }
    }
}

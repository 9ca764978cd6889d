//! The program behind `chanceryd backup` and `chanceryd restore`.

use chancery_backup::BackupError;
use chancery_backup::cli::Cli;
use chancery_keeper::cli::program;
use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    program("chancery-backup", || Cli::parse().run(), BackupError::exit_code)
}

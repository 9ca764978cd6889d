//! `chancery`: asks a key host for signatures, and verifies them.

mod cli;

fn main() -> std::process::ExitCode {
    cli::run()
}

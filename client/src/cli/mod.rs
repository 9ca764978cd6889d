//! The command line.

mod agent;
mod attest;
mod carry;
mod dropin;
mod enroll;
mod error;
mod gpg;
mod hash;
mod keys;
mod ostree;
mod output;
mod relay;
mod request;
mod self_test;
mod session;
mod sign;
mod ssh_keygen;
mod status;
mod verify;

use chancery::Offline;
use clap::{Args, CommandFactory as _, Parser, Subcommand};
use output::Output;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

const AFTER_HELP: &str = "Example:
  chancery sign dist/tool-1.0.tar.gz --key release --as sshsig --namespace file
  chancery ostree sign-summary /srv/repo --key ostree --subject prod

Exit codes: 0 done, 1 refused or failed check, 2 usage or configuration, 3 key host unreachable, 4 log or signature misbehaved.";

/// Asks a Chancery key host for signatures, and believes only what it has checked.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, max_term_width = 100, after_help = AFTER_HELP)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Args)]
struct Global {
    /// Profile written by `chanceryd enroll` [default: ~/.config/chancery/profile.toml]
    #[arg(long, global = true, value_name = "FILE", env = "CHANCERY_PROFILE", hide_env_values = true)]
    profile: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    json: bool,
    /// How long to try to reach the key host
    #[arg(long, global = true, value_name = "SECONDS", default_value = "30", value_parser = seconds)]
    timeout: Duration,
    /// Files in place of a connection, for `request`
    #[arg(skip)]
    offline: Option<Offline>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a key and a certificate request for this machine
    EnrollRequest(enroll::Enroll),
    /// Have files signed
    Sign(sign::Sign),
    /// Have a statement about files signed: in-toto, in a DSSE envelope
    Attest(attest::Attest),
    /// Have the summary or a commit of an OSTree repository signed
    #[command(subcommand)]
    Ostree(ostree::Ostree),
    /// Ask a key host that has no network, by files
    #[command(subcommand)]
    Request(request::Request),
    /// Verify signatures and receipts, without a network
    #[command(subcommand)]
    Verify(Box<verify::Verify>),
    /// Take the place of ssh-keygen: in git, and wherever `ssh-keygen -Y sign` is called
    #[command(name = "ssh-keygen", after_help = ssh_keygen::HELP)]
    SshKeygen(Foreign),
    /// Take the place of gpg: in git, and wherever `gpg --detach-sign` is called
    #[command(after_help = gpg::HELP)]
    Gpg(Foreign),
    /// Be an ssh-agent whose keys are on the key host: for `ssh-keygen -Y sign` and whatever speaks its protocol
    Agent(agent::Arguments),
    /// Carry checkpoints of a key host to its witnesses, and their cosignatures back
    Carry(carry::Carry),
    /// Be the place where key hosts park that nobody can reach, and carry clients to them
    Relay(relay::Arguments),
    /// Print completions for a shell
    #[command(after_help = "Example:\n  chancery completions bash > /usr/share/bash-completion/completions/chancery")]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Have a test signed on the whole way: for monitors
    SelfTest(self_test::SelfTest),
    /// Ask every endpoint how it is doing
    Status(status::Status),
    /// List the keys of the key host beside the pinned ones
    Keys(keys::Keys),
}

/// The arguments of another program, as they are.
#[derive(Debug, Args)]
struct Foreign {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "ARGUMENT")]
    arguments: Vec<OsString>,
}

/// The command line: under the name of another program, all arguments are that program's.
fn arguments() -> Vec<OsString> {
    let given: Vec<OsString> = std::env::args_os().collect();
    let name = given.first().and_then(|name| Path::new(name).file_name()?.to_str()).unwrap_or_default();
    match name {
        "chancery-ssh-keygen" | "chancery-gpg" => {
            let command = name.trim_start_matches("chancery-").to_owned();
            let own = ["chancery".into(), command.into(), "--".into()];
            own.into_iter().chain(given.into_iter().skip(1)).collect()
        }
        _ => given,
    }
}

pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse_from(arguments());
    let output = Output::new(cli.global.json);
    let done = match cli.command {
        Command::SshKeygen(Foreign { arguments }) => return ended(ssh_keygen::run(&cli.global, &arguments), output),
        Command::Gpg(Foreign { arguments }) => return ended(gpg::run(&cli.global, &arguments), output),
        Command::Agent(arguments) => return ended(agent::run(&cli.global, arguments, output), output),
        Command::EnrollRequest(command) => command.run(output),
        Command::Sign(command) => command.run(&cli.global, output),
        Command::SelfTest(command) => command.run(&cli.global, output),
        Command::Attest(command) => command.run(&cli.global, output),
        Command::Ostree(command) => command.run(&cli.global, output),
        Command::Verify(command) => command.run(&cli.global, output),
        Command::Completions { shell } => {
            // Straight to a pipe that was closed, it would panic.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "chancery", &mut script);
            Output::new(false).result(String::from_utf8_lossy(&script), &serde_json::Value::Null)
        }
        Command::Request(command) => command.run(&cli.global, output),
        Command::Carry(command) => command.run(&cli.global, output),
        Command::Relay(arguments) => relay::run(&cli.global, arguments, output),
        Command::Status(command) => command.run(&cli.global, output),
        Command::Keys(command) => command.run(&cli.global, output),
    };
    ended(done.map(|()| ExitCode::SUCCESS), output)
}

fn ended(done: Result<ExitCode, error::CliError>, output: Output) -> ExitCode {
    match done {
        Ok(code) => code,
        Err(error) => {
            output.error(&error);
            ExitCode::from(error.exit_code())
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>().ok().map(Duration::try_from_secs_f64) {
        Some(Ok(duration)) if !duration.is_zero() => Ok(duration),
        _ => Err("expected a number of seconds above 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands below the options of a command and of all below it.
    fn notes(command: &clap::Command, all: &mut Vec<(String, String)>) {
        all.extend(command.get_after_help().map(|help| (command.get_name().to_owned(), help.to_string())));
        command.get_subcommands().for_each(|below| notes(below, all));
    }

    #[test]
    fn examples_can_be_copied_from_the_help_and_its_text_breaks_where_the_terminal_ends() {
        let mut all = Vec::new();
        notes(&Cli::command(), &mut all);
        assert!(all.len() > 20);
        for (name, help) in all {
            let lines: Vec<_> = help.lines().collect();
            let is_prose = |line: &str| !line.is_empty() && !line.starts_with([' ', '[']) && !line.ends_with(':');
            for (line, next) in lines.iter().zip(lines.iter().skip(1).chain([&""])) {
                assert!(!line.starts_with(' ') || line.chars().count() <= 100, "{name}: broken when it is shown: {line}");
                assert!(!is_prose(line) || !is_prose(next), "{name}: a line break inside of a paragraph: {line}");
            }
        }
    }
}

//! `chancery agent`: an ssh-agent whose keys are on the key host.

mod listener;
mod session;

use super::dropin::subject;
use super::error::CliError;
use super::output::Output;
use super::{Global, session as cli};
use chancery::{Construction, PinnedKey};
use clap::Args;
use listener::{Listener, bind};
use serde_json::json;
use session::{Agent, Served};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

const AFTER_HELP: &str =
    "Programs find the agent by SSH_AUTH_SOCK. It offers the pinned keys that were made for `sshsig`, signs what `ssh-keygen -Y sign` \
and others frame as an SSH signature, in the namespaces that the policy grants, and refuses everything else: SSH logins above all. \
With a COMMAND it serves that command alone and ends with its exit code.

Example:
  chancery agent --subject prod -- ssh-keygen -Y sign -n file -f tarballs.pub tool-1.0.tar.gz
  chancery agent --subject prod --socket ~/.ssh/chancery.sock &
  SSH_AUTH_SOCK=~/.ssh/chancery.sock ssh-add -l";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// Where to listen [default: $XDG_RUNTIME_DIR/chancery-agent.sock]
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
    /// Offer only this key; may be given more than once
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// What is signed, in the terms of the policy [default: CHANCERY_SUBJECT, `git config chancery.subject`, or the directory's name]
    #[arg(long)]
    subject: Option<String>,
    /// Keep the receipt of each signature in this directory, as ENTRY.tlog-proof
    #[arg(long, value_name = "DIR")]
    receipts: Option<PathBuf>,
    /// Serve this command alone
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<std::ffi::OsString>,
}

pub(super) fn run(global: &Global, arguments: Arguments, output: Output) -> Result<ExitCode, CliError> {
    let profile = cli::profile(global)?;
    let keys = offered(profile.keys(), &arguments.keys)?;
    let subject = arguments.subject.clone().map_or_else(subject, Ok)?;
    // A command's own socket lies in a directory that goes with it.
    let temporary = match arguments.socket {
        None if !arguments.command.is_empty() => {
            Some(tempfile::Builder::new().prefix("chancery-agent-").tempdir().map_err(CliError::Runtime)?)
        }
        _ => None,
    };
    let path = match (&arguments.socket, &temporary) {
        (Some(path), _) => path.clone(),
        (None, Some(dir)) => dir.path().join("agent.sock"),
        (None, None) => usual_socket()?,
    };
    cli::wait(async {
        let listener = bind(&path)?;
        let client = cli::client(global, profile).await?;
        let agent = Agent(Arc::new(Served { client, keys, subject, receipts: arguments.receipts, output }));
        let served = serve(&path, listener, agent, &arguments.command, output).await;
        let _ = std::fs::remove_file(&path);
        served
    })
}

/// The newest version of each key that is for SSH signatures, and was asked for.
fn offered(pinned: &[PinnedKey], asked: &[String]) -> Result<Vec<PinnedKey>, CliError> {
    let fits = |key: &&PinnedKey| key.constructions.contains(&Construction::Sshsig) && (asked.is_empty() || asked.contains(&key.name));
    let newest = |key: &&PinnedKey| !pinned.iter().any(|k| k.name == key.name && k.version > key.version);
    let keys: Vec<PinnedKey> = pinned.iter().filter(fits).filter(newest).cloned().collect();
    if let Some(missing) = asked.iter().find(|name| !keys.iter().any(|k| k.name == **name)) {
        return Err(CliError::Usage(format!(
            "the profile pins no key named {missing:?} that was made for sshsig; `chancery keys` lists them"
        )));
    }
    if keys.is_empty() {
        return Err(CliError::Usage("the profile pins no key that was made for sshsig; `chancery keys` lists what there is".to_owned()));
    }
    Ok(keys)
}

fn usual_socket() -> Result<PathBuf, CliError> {
    let dir = std::env::var_os("XDG_RUNTIME_DIR").filter(|dir| !dir.is_empty());
    let dir = dir.ok_or_else(|| CliError::Usage("XDG_RUNTIME_DIR is not set; say where to listen with --socket".to_owned()))?;
    Ok(Path::new(&dir).join("chancery-agent.sock"))
}

async fn serve(
    path: &Path,
    listener: Listener,
    agent: Agent,
    command: &[std::ffi::OsString],
    output: Output,
) -> Result<ExitCode, CliError> {
    let serving = ssh_agent_lib::agent::listen(listener, agent);
    if let [program, arguments @ ..] = command {
        let child = tokio::process::Command::new(program).args(arguments).env("SSH_AUTH_SOCK", path).kill_on_drop(true).status();
        tokio::select! {
            _ = serving => Err(CliError::Usage("the agent ended before its command".to_owned())),
            ended = child => {
                let status = ended.map_err(|source| CliError::Read { path: program.into(), source })?;
                Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
            }
        }
    } else {
        let mut interrupt = signal(SignalKind::interrupt()).map_err(CliError::Runtime)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(CliError::Runtime)?;
        // What `ssh-agent -s` prints; the line also says that connections are taken from now on.
        let text = format!("SSH_AUTH_SOCK={}; export SSH_AUTH_SOCK;\n", path.display());
        output.result(text, &json!({ "socket": path }))?;
        tokio::select! {
            _ = serving => Err(CliError::Usage("the agent cannot take connections any more".to_owned())),
            _ = interrupt.recv() => Ok(ExitCode::SUCCESS),
            _ = terminate.recv() => Ok(ExitCode::SUCCESS),
        }
    }
}

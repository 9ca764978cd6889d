//! `chancery request`: a key host without any network.

use super::error::CliError;
use super::output::Output;
use super::{Cli, Command, Global, session};
use chancery::{Answers, Collected, Error, Offline};
use chancery_reqlog::durable;
use clap::{Args, Parser as _, Subcommand};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const EXPORT_HELP: &str =
    "COMMAND is `sign`, `attest` or `ostree` with all its arguments, as it would be without this; nothing is written but \
REQUEST, which travels, and REQUEST.command, which stays.

Example:
  chancery request export summary.request -- ostree sign-summary /srv/repo --key ostree \\
      --subject prod
  # on the key host; writes summary.request.answer
  chanceryd request answer summary.request --dir /etc/chancery
  chancery request import summary.request summary.request.answer";

#[derive(Debug, Subcommand)]
pub(crate) enum Request {
    /// Write what would be asked for into a file, for a key host without a network
    #[command(after_help = EXPORT_HELP)]
    Export(Export),
    /// Finish the command with the answer that came back
    #[command(after_help = "Example:\n  chancery request import summary.request summary.request.answer")]
    Import(Import),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write
    request: PathBuf,
    /// What is to be signed
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file that was exported; beside it lies REQUEST.command
    request: PathBuf,
    /// The file that the key host wrote
    answer: PathBuf,
}

/// What was to be done, and where.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    directory: PathBuf,
    profile: PathBuf,
    command: Vec<String>,
}

impl Request {
    pub(crate) fn run(self, global: &Global, output: Output) -> Result<(), CliError> {
        match self {
            Self::Export(export) => export.run(global, output),
            Self::Import(import) => import.run(global, output),
        }
    }
}

impl Export {
    fn run(self, global: &Global, output: Output) -> Result<(), CliError> {
        let command = parse(&self.command)?;
        let profile = session::profile(global)?;
        let collected = Collected::default();
        let offline = Global { offline: Some(Offline::Export(collected.clone())), ..global.clone() };
        match run(command, &offline, Output::muted()) {
            // Nothing else went wrong than that nothing was sent.
            Err(CliError::Client(Error::Exported)) | Err(CliError::Several { .. }) if !collected.is_empty() => {}
            Err(error) => return Err(error),
            Ok(()) => return Err(CliError::Usage("this command asks for nothing to be signed".to_owned())),
        }
        let known = session::wait(async { Ok(session::client(&offline, profile.clone()).await?.log_size().await.unwrap_or(0)) })?;
        let file = collected.file(&profile, known)?;
        let here = |source| CliError::Read { path: PathBuf::from("."), source };
        let directory = std::env::current_dir().map_err(here)?;
        let kept = Kept { profile: directory.join(profile.path()), directory, command: self.command };
        let text = serde_json::to_vec_pretty(&kept).map_err(|e| CliError::Print(e.into()))?;
        durable::write_atomic(&beside(&self.request), &text, 0o600)?;
        durable::write_atomic(&self.request, &file, 0o600)?;
        let (count, bytes) = (collected.len(), file.len());
        let plural = if count == 1 { "" } else { "s" };
        let text = format!(
            "{}: {count} request{plural} in {bytes} bytes, signed by {}\nnext: chanceryd request answer on the key host, then chancery request import\n",
            self.request.display(),
            profile.principal()
        );
        output.result(text, &json!({ "request": self.request, "requests": count, "bytes": bytes }))
    }
}

impl Import {
    fn run(self, global: &Global, output: Output) -> Result<(), CliError> {
        let request = session::read_small(&self.request)?;
        let answers = Answers::read(&request, &session::read_small(&self.answer)?).map_err(Error::from)?;
        let path = beside(&self.request);
        let wrong = |e: serde_json::Error| CliError::Read { path: path.clone(), source: e.into() };
        let kept: Kept = serde_json::from_slice(&session::read_small(&path)?).map_err(wrong)?;
        let there = |source| CliError::Read { path: kept.directory.clone(), source };
        std::env::set_current_dir(&kept.directory).map_err(there)?;
        let profile = global.profile.clone().unwrap_or(kept.profile);
        let offline = Global { profile: Some(profile), offline: Some(Offline::Import(Arc::new(answers))), ..global.clone() };
        run(parse(&kept.command)?, &offline, output)
    }
}

/// The command as it would be given alone.
fn parse(command: &[String]) -> Result<Command, CliError> {
    let arguments = std::iter::once("chancery").chain(command.iter().map(String::as_str));
    match Cli::try_parse_from(arguments) {
        Ok(cli) if matches!(cli.command, Command::Sign(_) | Command::Attest(_) | Command::Ostree(_)) => Ok(cli.command),
        Ok(_) => Err(CliError::Usage("only `sign`, `attest` and `ostree` can be exported".to_owned())),
        Err(error) => Err(CliError::Usage(error.to_string().trim_start_matches("error: ").trim_end().to_owned())),
    }
}

fn run(command: Command, global: &Global, output: Output) -> Result<(), CliError> {
    match command {
        Command::Sign(command) => command.run(global, output),
        Command::Attest(command) => command.run(global, output),
        Command::Ostree(command) => command.run(global, output),
        _ => Ok(()),
    }
}

fn beside(request: &Path) -> PathBuf {
    let mut name = request.as_os_str().to_os_string();
    name.push(".command");
    PathBuf::from(name)
}

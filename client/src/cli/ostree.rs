//! `chancery ostree`.

use super::error::CliError;
use super::output::Output;
use super::{Global, session};
use bytes::Bytes;
use chancery::ostree::{Repo, Written, write_commit_signature, write_summary_signature};
use chancery::{Construction, VerifiedSignature};
use chancery_reqlog::durable;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

const SUMMARY_HELP: &str = "Signs REPO/summary as it lies there and puts the signature into REPO/summary.sig in one step, beside those of
others. Make the summary first, and let nobody else write to the repository meanwhile.

Example:
  ostree --repo=/srv/repo summary -u
  chancery ostree sign-summary /srv/repo --key ostree --subject prod";

const COMMIT_HELP: &str = "Signs the commit object and puts the signature into its .commitmeta in one step, beside those of others.

Example:
  chancery ostree sign-commit /srv/repo app/org.example.Tool/x86_64/stable --key ostree --subject prod";

#[derive(Debug, Subcommand)]
pub(crate) enum Ostree {
    /// Have the summary signed
    #[command(after_help = SUMMARY_HELP)]
    SignSummary(SignSummary),
    /// Have a commit signed
    #[command(after_help = COMMIT_HELP)]
    SignCommit(SignCommit),
}

#[derive(Debug, Args)]
pub(crate) struct SignSummary {
    /// The repository's directory
    repo: PathBuf,
    #[command(flatten)]
    options: SignOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SignCommit {
    /// The repository's directory
    repo: PathBuf,
    /// Name of a local ref, or the checksum of a commit
    #[arg(value_name = "REF|CHECKSUM")]
    commit: String,
    #[command(flatten)]
    options: SignOptions,
}

#[derive(Debug, Args)]
struct SignOptions {
    /// Name of the key
    #[arg(long, value_name = "KEY")]
    key: String,
    /// What is signed, in the terms of the policy: the name of the repository
    #[arg(long)]
    subject: String,
    /// Write the receipt, the proof that the request was recorded first, to this file; into the repository it is not written
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// How long to wait for the repository's lock
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = super::seconds)]
    lock_timeout: Duration,
}

impl Ostree {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        match self {
            Self::SignSummary(command) => command.run(global, output),
            Self::SignCommit(command) => command.run(global, output),
        }
    }
}

impl SignSummary {
    fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        session::pinned(&profile, &self.options.key)?;
        let repo = Repo::open(&self.repo)?;
        let summary = Bytes::from(repo.summary()?);
        let keys = profile.keys().to_vec();
        let signature = self.options.sign(global, profile, Construction::OstreeSummaryEd25519, summary.clone())?;
        let written = write_summary_signature(&repo, &summary, &signature, &keys, self.options.lock_timeout)?;
        self.options.report(output, "summary", &signature, &written, json!({ "summary": repo.path().join("summary") }))
    }
}

impl SignCommit {
    fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        session::pinned(&profile, &self.options.key)?;
        let repo = Repo::open(&self.repo)?;
        let commit = repo.commit(repo.resolve(&self.commit)?)?;
        let content = Bytes::copy_from_slice(&commit.bytes);
        let signature = self.options.sign(global, profile, Construction::OstreeCommitEd25519, content)?;
        let written = write_commit_signature(&repo, &commit, &signature, self.options.lock_timeout)?;
        let what = format!("commit {}", commit.id);
        self.options.report(output, &what, &signature, &written, json!({ "commit": commit.id.to_string() }))
    }
}

impl SignOptions {
    /// Signs, and writes the receipt where one is wanted: before the signature, so that no signature is without it.
    fn sign(
        &self,
        global: &Global,
        profile: chancery::Profile,
        construction: Construction,
        content: Bytes,
    ) -> Result<VerifiedSignature, CliError> {
        let signature = session::wait(async {
            let client = session::client(global, profile).await?;
            Ok(client.sign_content(&self.key, construction, &self.subject, content).await?)
        })?;
        if let Some(path) = &self.receipt {
            durable::write_atomic(path, signature.receipt_file(), 0o644)?;
        }
        Ok(signature)
    }

    fn report(&self, output: Output, what: &str, signature: &VerifiedSignature, written: &Written, subject: Value) -> Result<(), CliError> {
        for dropped in &written.dropped {
            output.warn(format_args!("{}: {dropped}", written.path.display()));
        }
        let mut text = format!("signed {what} -> {} ({})\n", written.path.display(), session::by(signature));
        if !written.changed {
            text.push_str("the file held this signature already and was not touched\n");
        }
        if written.kept > 0 {
            let _ = writeln!(text, "kept {} other Ed25519 signatures", written.kept);
        }
        let mut facts = session::facts(signature);
        let more = json!({
            "signatures": written.path,
            "changed": written.changed,
            "kept": written.kept,
            "dropped": written.dropped,
            "receipt": self.receipt,
        });
        for object in [subject, more] {
            if let (Value::Object(facts), Value::Object(object)) = (&mut facts, object) {
                facts.extend(object);
            }
        }
        output.result(text, &facts)
    }
}

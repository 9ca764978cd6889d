//! `chancery ostree`.

use super::error::CliError;
use super::output::Output;
use super::{Global, session};
use bytes::Bytes;
use chancery::ostree::{Repo, Written, write_commit_signature, write_index_signature, write_summary_signature};
use chancery::{Construction, Error, Request, VerifiedSignature};
use chancery_formats::Framing;
use chancery_reqlog::durable;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

const SUMMARY_HELP: &str =
    "Signs REPO/summary as it lies there and puts the signatures into REPO/summary.sig in one step, beside those of \
others. Make the summary first, and let nobody else write to the repository meanwhile.

Example:
  ostree --repo=/srv/repo summary -u
  chancery ostree sign-summary /srv/repo --key ostree --subject prod
  chancery ostree sign-summary /srv/repo --key ostree,ostree-pgp --type ed25519,openpgp \\
      --subject prod";

const INDEX_HELP: &str = "Signs REPO/summary.idx, which Flatpak's clients read before the summary, and puts the signatures into \
REPO/summaries/DIGEST.idx.sig and REPO/summary.idx.sig. The index names its parts by digest, so the key host does not see their refs: \
what protects those is that clients verify the commits.

Example:
  flatpak build-update-repo /srv/repo
  chancery ostree sign-index /srv/repo --key flathub --subject prod
  chancery ostree sign-summary /srv/repo --key flathub --subject prod";

const COMMIT_HELP: &str = "Signs the commit object and puts the signature into its .commitmeta in one step, beside those of others.

Example:
  chancery ostree sign-commit /srv/repo app/org.example.Tool/x86_64/stable --key ostree \\
      --subject prod";

#[derive(Debug, Subcommand)]
pub(crate) enum Ostree {
    /// Have the summary signed
    #[command(name = "sign-summary", after_help = SUMMARY_HELP)]
    Summary(SignSummary),
    /// Have Flatpak's index signed
    #[command(name = "sign-index", after_help = INDEX_HELP)]
    Index(SignIndex),
    /// Have a commit signed
    #[command(name = "sign-commit", after_help = COMMIT_HELP)]
    Commit(SignCommit),
}

#[derive(Debug, Args)]
pub(crate) struct SignSummary {
    /// The repository's directory
    repo: PathBuf,
    #[command(flatten)]
    options: SignOptions,
}

#[derive(Debug, Args)]
pub(crate) struct SignIndex {
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
    /// Names of the keys; each makes the type of signature that it was made for
    #[arg(long = "key", value_name = "KEY,…", value_delimiter = ',', required = true)]
    keys: Vec<String>,
    /// Types of signatures that must be made; refuses to begin when no key makes one of them
    #[arg(long = "type", value_name = "TYPE,…", value_delimiter = ',')]
    types: Vec<Type>,
    /// What is signed, in the terms of the policy: the name of the repository
    #[arg(long)]
    subject: String,
    /// Write the receipt, the proof that the request was recorded first, to this file, with several keys to FILE.KEY for each; into the
    /// repository it is not written
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// How long to wait for the repository's lock
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = super::seconds)]
    lock_timeout: Duration,
}

impl Ostree {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        match self {
            Self::Summary(command) => command.run(global, output),
            Self::Index(command) => command.run(global, output),
            Self::Commit(command) => command.run(global, output),
        }
    }
}

/// What a client of the repository verifies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Type {
    /// `sign-verify=ed25519` of a remote.
    Ed25519,
    /// `gpg-verify` of a remote.
    Openpgp,
}

impl SignSummary {
    fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let signers = self.options.signers(&profile, "ostree-summary")?;
        let repo = Repo::open(&self.repo)?;
        let summary = Bytes::from(repo.summary()?);
        let keys = profile.keys().to_vec();
        let signatures = self.options.sign(global, profile, &signers, &summary)?;
        let written = write_summary_signature(&repo, &summary, &signatures, &keys, self.options.lock_timeout)?;
        self.options.report(output, "summary", &signatures, &written, json!({ "summary": repo.path().join("summary") }))
    }
}

impl SignIndex {
    fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let signers = self.options.signers(&profile, "flatpak-index")?;
        let repo = Repo::open(&self.repo)?;
        let index = Bytes::from(repo.index()?);
        let keys = profile.keys().to_vec();
        let signatures = self.options.sign(global, profile, &signers, &index)?;
        let written = write_index_signature(&repo, &index, &signatures, &keys, self.options.lock_timeout)?;
        self.options.report(output, "index", &signatures, &written, json!({ "index": repo.path().join("summary.idx") }))
    }
}

impl SignCommit {
    fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let signers = self.options.signers(&profile, "ostree-commit")?;
        let repo = Repo::open(&self.repo)?;
        let commit = repo.commit(repo.resolve(&self.commit)?)?;
        let content = Bytes::copy_from_slice(&commit.bytes);
        let signatures = self.options.sign(global, profile, &signers, &content)?;
        let written = write_commit_signature(&repo, &commit, &signatures, self.options.lock_timeout)?;
        let what = format!("commit {}", commit.id);
        self.options.report(output, &what, &signatures, &written, json!({ "commit": commit.id.to_string() }))
    }
}

impl SignOptions {
    /// The keys, each with the construction that it signs by.
    fn signers(&self, profile: &chancery::Profile, family: &str) -> Result<Vec<(String, Construction)>, CliError> {
        let mut signers = Vec::new();
        for name in &self.keys {
            let pinned = session::pinned(profile, name)?;
            let construction = pinned.iter().find_map(|key| key.construction_of(family));
            let not_for = || CliError::Usage(format!("key {name} was not made for {family}; `chancery keys` shows what each is for"));
            signers.push((name.clone(), construction.ok_or_else(not_for)?));
        }
        for wanted in &self.types {
            let framing = if *wanted == Type::Openpgp { Framing::Openpgp } else { Framing::Ed25519 };
            if !signers.iter().any(|(_, c)| c.framing() == framing) {
                let name = if *wanted == Type::Openpgp { "openpgp" } else { "ed25519" };
                return Err(CliError::Usage(format!("none of the keys was made for {family}/{name}; name one with --key")));
            }
        }
        Ok(signers)
    }

    /// Signs with every key, and writes receipts where they are wanted: before the signature, so that no signature is without its own.
    fn sign(
        &self,
        global: &Global,
        profile: chancery::Profile,
        signers: &[(String, Construction)],
        content: &Bytes,
    ) -> Result<Vec<VerifiedSignature>, CliError> {
        let signatures = session::wait(async {
            let client = session::client(global, profile).await?;
            let request =
                |(key, construction): &(String, Construction)| Request::content(key, *construction, &self.subject, content.clone());
            let requests = signers.iter().map(request).collect::<Result<Vec<_>, _>>().map_err(Error::from)?;
            let signatures: Result<Vec<_>, Error> = client.sign_batch(&requests).await?.into_iter().collect();
            Ok(signatures?)
        })?;
        for signature in &signatures {
            if let Some(path) = self.receipt_path(&signature.key().name) {
                durable::write_atomic(&path, signature.receipt_file(), 0o644)?;
            }
        }
        Ok(signatures)
    }

    fn receipt_path(&self, key: &str) -> Option<PathBuf> {
        let path = self.receipt.as_ref()?;
        if self.keys.len() < 2 {
            return Some(path.clone());
        }
        let mut name = path.as_os_str().to_owned();
        name.push(".");
        name.push(key);
        Some(name.into())
    }

    fn report(
        &self,
        output: Output,
        what: &str,
        signatures: &[VerifiedSignature],
        written: &Written,
        subject: Value,
    ) -> Result<(), CliError> {
        for dropped in &written.dropped {
            output.warn(format_args!("{}: {dropped}", written.path.display()));
        }
        let mut text = String::new();
        for signature in signatures {
            let _ = writeln!(text, "signed {what} -> {} ({})", written.path.display(), session::by(signature));
        }
        if !written.changed {
            text.push_str("the file held this signature already and was not touched\n");
        }
        if written.kept > 0 {
            let _ = writeln!(text, "kept {} other signatures", written.kept);
        }
        let mut facts = signatures.first().map(session::facts).unwrap_or_default();
        let more = json!({
            "signatures": written.path,
            "changed": written.changed,
            "kept": written.kept,
            "dropped": written.dropped,
            "receipt": self.receipt,
            "all": signatures.iter().map(session::facts).collect::<Vec<_>>(),
        });
        for object in [subject, more] {
            if let (Value::Object(facts), Value::Object(object)) = (&mut facts, object) {
                facts.extend(object);
            }
        }
        output.result(text, &facts)
    }
}

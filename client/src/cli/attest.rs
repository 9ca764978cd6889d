//! `chancery attest`.

use super::error::CliError;
use super::hash::{Progress, material, total};
use super::output::Output;
use super::{Global, session};
use chancery::{Construction, Error, HashAlgorithm, Material, Request, VerifiedSignature, hex};
use chancery_formats::dsse::{Envelope, Statement, Subject, bundle_json};
use chancery_reqlog::durable;
use clap::Args;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

const AFTER_HELP: &str =
    "Only names and SHA-256 digests travel; the key host compares the names with the grant, writes the statement (in-toto Statement \
v1) and signs it in a DSSE envelope. The receipt is written beside the envelope, with .tlog-proof.

Example:
  chancery attest dist/tool-1.0.tar.gz --key attest \\
      --predicate-type https://example.org/release/v1 --field version=1.0 \\
      --out dist/tool-1.0.intoto.json
  chancery verify attestation dist/tool-1.0.intoto.json dist/tool-1.0.tar.gz --key attest";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Attest {
    /// Files that the statement is about
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Name of the key
    #[arg(long, value_name = "KEY")]
    key: String,
    /// A URI that says what kind of thing is stated
    #[arg(long, value_name = "URI")]
    predicate_type: String,
    /// What is stated of the files
    #[arg(long = "field", value_name = "NAME=VALUE", value_parser = field)]
    fields: Vec<(String, String)>,
    /// What is signed, in the terms of the policy [default: the name of the first file]
    #[arg(long)]
    subject: Option<String>,
    /// Where the envelope is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Write a sigstore bundle (version 0.3, with the key's id as hint) instead of the bare envelope
    #[arg(long)]
    bundle: bool,
}

fn field(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Attest {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        session::pinned(&profile, &self.key)?;
        let subjects = subjects(&self.files)?;
        let named = subjects.first().map(|s| s.name.clone()).unwrap_or_default();
        let subject = self.subject.clone().unwrap_or(named);
        let predicate: BTreeMap<_, _> = self.fields.iter().cloned().collect();
        let statement = Statement::new(subjects, &self.predicate_type, predicate).map_err(|e| CliError::Usage(e.to_string()))?;
        let material = Material::Statement(statement.clone());
        let request = Request::new(&self.key, Construction::Dsse, &subject, material).map_err(Error::from)?;
        let signature = session::wait(async {
            let client = session::client(global, profile).await?;
            Ok(client.sign(&request).await?)
        })?;
        let receipt = receipt_path(&self.out);
        durable::write_atomic(&receipt, signature.receipt_file(), 0o644)?;
        durable::write_atomic(&self.out, &self.framed(&statement, &signature)?, 0o644)?;
        let text = format!("signed a statement about {} files -> {} ({})\n", self.files.len(), self.out.display(), session::by(&signature));
        let mut facts = session::facts(&signature);
        if let Value::Object(facts) = &mut facts {
            facts.insert("envelope".to_owned(), json!(self.out));
            facts.insert("receipt".to_owned(), json!(receipt));
        }
        output.result(text, &facts)
    }

    fn framed(&self, statement: &Statement, signature: &VerifiedSignature) -> Result<Vec<u8>, CliError> {
        if !self.bundle {
            return Ok(signature.framed().to_vec());
        }
        let key_id = hex(&signature.key().public.key_id());
        let bundle = bundle_json(statement, &key_id, signature.raw()).map_err(|e| CliError::Usage(e.to_string()))?;
        Ok(bundle.into_bytes())
    }
}

/// Names and digests of files.
pub(super) fn subjects(files: &[PathBuf]) -> Result<Vec<Subject>, CliError> {
    let progress = Progress::new(total(files));
    let subject = |file: &PathBuf| {
        let name = file.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        let name = name.ok_or_else(|| CliError::Usage(format!("{} has no name that can stand in a statement", file.display())))?;
        let Material::Sshsig { digest, .. } = material(Construction::Sshsig, file, "", HashAlgorithm::Sha256, &progress)? else {
            return Err(CliError::Usage(format!("{} cannot be hashed", file.display())));
        };
        let sha256 = digest.as_slice().try_into().map_err(|_| CliError::Usage("the digest is too short".to_owned()))?;
        Ok(Subject { name, sha256, sha512: None })
    };
    let subjects = files.iter().map(subject).collect();
    progress.finish();
    subjects
}

/// Reads an envelope, in a bundle or not.
pub(super) fn read_envelope(bytes: &[u8]) -> Result<Envelope, chancery::FramedError> {
    Envelope::parse(bytes).or_else(|error| Envelope::parse_bundle(bytes).map_err(|_| error.into()))
}

fn receipt_path(out: &std::path::Path) -> PathBuf {
    let mut name = out.as_os_str().to_owned();
    name.push(".tlog-proof");
    name.into()
}

//! `chancery verify`: needs files and public keys, and no network.

use super::error::CliError;
use super::hash::{Progress, digest, total};
use super::output::Output;
use super::{Global, session};
use chancery::ostree::Repo;
use chancery::{Construction, Expected, Receipt, hex};
use chancery_formats::ed25519::PublicKey;
use chancery_formats::ostree::signatures::SignatureSet;
use chancery_formats::sshsig::{SshSignature, SshsigError, tbs};
use chancery_tlog::VerifierKey;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

const SSHSIG_HELP: &str = "Example:
  chancery verify sshsig tool-1.0.tar.gz --signature tool-1.0.tar.gz.sig --public-key release.pub
  chancery verify sshsig tool-1.0.tar.gz --key release --receipt tool-1.0.tar.gz.sig.tlog-proof";
const SUMMARY_HELP: &str = "Example:
  chancery verify ostree-summary /srv/repo --key ostree";
const COMMIT_HELP: &str = "Example:
  chancery verify ostree-commit /srv/repo app/org.example.Tool/x86_64/stable --key ostree";
const RECEIPT_HELP: &str = "Example:
  chancery verify receipt tool-1.0.tar.gz.sig.tlog-proof --log-vkey signer.example/requests+eca62d7a+AQOh…";

#[derive(Debug, Subcommand)]
pub(crate) enum Verify {
    /// Verify the SSH signature of a file
    #[command(after_help = SSHSIG_HELP)]
    Sshsig(Sshsig),
    /// Verify that the summary of an OSTree repository is signed
    #[command(after_help = SUMMARY_HELP)]
    OstreeSummary(OstreeSummary),
    /// Verify that a commit in an OSTree repository is signed
    #[command(after_help = COMMIT_HELP)]
    OstreeCommit(OstreeCommit),
    /// Verify a receipt and show its entry
    #[command(after_help = RECEIPT_HELP)]
    Receipt(ReceiptFile),
}

#[derive(Debug, Args)]
pub(crate) struct Sshsig {
    /// The file
    file: PathBuf,
    /// Its signature [default: FILE.sig]
    #[arg(long, value_name = "SIG")]
    signature: Option<PathBuf>,
    /// What the signature must be for
    #[arg(long, default_value = "file")]
    namespace: String,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Args)]
pub(crate) struct OstreeSummary {
    /// The repository's directory
    repo: PathBuf,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Args)]
pub(crate) struct OstreeCommit {
    /// The repository's directory
    repo: PathBuf,
    /// Name of a local ref, or the checksum of a commit
    #[arg(value_name = "REF|CHECKSUM")]
    commit: String,
    #[command(flatten)]
    trust: Trust,
}

#[derive(Debug, Args)]
pub(crate) struct ReceiptFile {
    /// The receipt
    receipt: PathBuf,
    /// Verification key of the log [default: the one that the profile pins]
    #[arg(long, value_name = "VKEY")]
    log_vkey: Option<VerifierKey>,
}

/// Whose signature is believed.
#[derive(Debug, Args)]
struct Trust {
    /// Name of a key that the profile pins
    #[arg(long, value_name = "KEY", required_unless_present = "public_key")]
    key: Option<String>,
    /// Public key, as text or in a file: an OpenSSH line, OSTree's base64, or PEM
    #[arg(long, value_name = "KEY|FILE", conflicts_with = "key")]
    public_key: Option<String>,
    /// Receipt that must prove that this signature was recorded
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Verification key of the log for the receipt [default: the one that the profile pins]
    #[arg(long, value_name = "VKEY", requires = "receipt")]
    log_vkey: Option<VerifierKey>,
}

/// What was found to be true.
struct Found {
    what: String,
    by: PublicKey,
    construction: Construction,
    tbs_sha256: [u8; 32],
}

impl Verify {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        match self {
            Self::Sshsig(command) => command.trust.finish(command.verify(global)?, global, output),
            Self::OstreeSummary(command) => command.trust.finish(command.verify(global)?, global, output),
            Self::OstreeCommit(command) => command.trust.finish(command.verify(global)?, global, output),
            Self::Receipt(command) => command.run(global, output),
        }
    }
}

impl Sshsig {
    fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let keys = self.trust.keys(global)?;
        let what = self.file.display().to_string();
        let bad = |source| CliError::Sshsig { what: what.clone(), source };
        let mut beside = self.file.as_os_str().to_os_string();
        beside.push(".sig");
        let armored = session::read_text(self.signature.as_deref().unwrap_or(Path::new(&beside)))?;
        let signature = SshSignature::parse(&armored).map_err(bad)?;
        let by = keys.into_iter().find(|k| *k.as_bytes() == signature.public_key).ok_or_else(|| bad(SshsigError::OtherKey))?;
        if signature.namespace != self.namespace {
            return Err(bad(SshsigError::OtherNamespace { found: signature.namespace, expected: self.namespace.clone() }));
        }
        let progress = Progress::new(total(&[&self.file]));
        let digest = digest(&self.file, signature.algorithm, &progress)?;
        progress.finish();
        signature.verify(&digest).map_err(bad)?;
        let tbs = tbs(&signature.namespace, signature.algorithm, &digest).map_err(bad)?;
        Ok(Found { what, by, construction: Construction::Sshsig, tbs_sha256: Sha256::digest(tbs).into() })
    }
}

impl OstreeSummary {
    fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let keys = self.trust.keys(global)?;
        let repo = Repo::open(&self.repo)?;
        let summary = repo.summary()?;
        let what = format!("the summary of {}", self.repo.display());
        in_set(what, Construction::OstreeSummaryEd25519, &summary, &repo.summary_signatures(), &keys)
    }
}

impl OstreeCommit {
    fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let keys = self.trust.keys(global)?;
        let repo = Repo::open(&self.repo)?;
        let commit = repo.commit(repo.resolve(&self.commit)?)?;
        let path = repo.commit_signatures(commit.id);
        in_set(format!("commit {}", commit.id), Construction::OstreeCommitEd25519, &commit.bytes, &path, &keys)
    }
}

fn in_set(what: String, construction: Construction, signed: &[u8], path: &Path, keys: &[PublicKey]) -> Result<Found, CliError> {
    let bytes = session::read_small(path)?;
    let (set, _) = SignatureSet::parse(&bytes).map_err(|source| CliError::Signatures { path: path.to_owned(), source })?;
    let signs = |key: &&PublicKey| set.ed25519().iter().any(|s| key.verify(signed, s).is_ok());
    match keys.iter().find(signs) {
        Some(by) => Ok(Found { what, by: *by, construction, tbs_sha256: Sha256::digest(signed).into() }),
        None => Err(CliError::NotSigned { what, by: "the given key".to_owned() }),
    }
}

impl ReceiptFile {
    fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let log = log_key(self.log_vkey.as_ref(), global)?;
        let receipt = open_receipt(&self.receipt, &log)?;
        let text = format!(
            "good: entry {} of {}, which had {} entries\n{}\n",
            receipt.index(),
            receipt.checkpoint().origin,
            receipt.checkpoint().size,
            entry(&receipt)
        );
        output.result(text, &receipt_facts(&receipt))
    }
}

impl Trust {
    fn keys(&self, global: &Global) -> Result<Vec<PublicKey>, CliError> {
        if let Some(text) = &self.public_key {
            return Ok(vec![public_key(text)?]);
        }
        let profile = session::profile(global)?;
        Ok(session::pinned(&profile, self.key.as_deref().unwrap_or_default())?.iter().map(|k| k.public).collect())
    }

    fn finish(&self, found: Found, global: &Global, output: Output) -> Result<(), CliError> {
        let mut text = format!("good: {} is signed by {}\n", found.what, found.by.to_ostree());
        let mut facts = json!({
            "good": true,
            "what": found.what,
            "public_key": found.by.to_ostree(),
            "key_id": hex(&found.by.key_id()),
            "construction": found.construction.name(),
            "tbs_sha256": hex(&found.tbs_sha256),
        });
        if let Some(path) = &self.receipt {
            let receipt = open_receipt(path, &log_key(self.log_vkey.as_ref(), global)?)?;
            let wanted = Expected {
                key_id: Some(&found.by.key_id()),
                construction: Some(found.construction),
                tbs_sha256: Some(&found.tbs_sha256),
                ..Expected::default()
            };
            receipt.is_of_signature(&wanted).map_err(CliError::Receipt)?;
            text.push_str(&format!("good: recorded as entry {} of {}\n", receipt.index(), receipt.checkpoint().origin));
            if let Value::Object(facts) = &mut facts {
                facts.insert("receipt".to_owned(), receipt_facts(&receipt));
            }
        }
        output.result(text, &facts)
    }
}

fn public_key(text: &str) -> Result<PublicKey, CliError> {
    let path = Path::new(text);
    let text = if path.is_file() { session::read_text(path)? } else { text.to_owned() };
    let forms = [PublicKey::from_openssh, PublicKey::from_ostree, PublicKey::from_spki_pem];
    forms.iter().find_map(|read| read(&text).ok()).ok_or_else(|| {
        CliError::Usage(
            "--public-key is no Ed25519 key in one of these forms, nor a file with one: `ssh-ed25519 AAAA…`, base64 of 32 bytes, PEM"
                .into(),
        )
    })
}

fn log_key(given: Option<&VerifierKey>, global: &Global) -> Result<VerifierKey, CliError> {
    match given {
        Some(key) => Ok(key.clone()),
        None => Ok(session::profile(global)?.log().clone()),
    }
}

fn open_receipt(path: &Path, log: &VerifierKey) -> Result<Receipt, CliError> {
    Receipt::open(&session::read_small(path)?, log).map_err(CliError::Receipt)
}

fn entry(receipt: &Receipt) -> String {
    String::from_utf8_lossy(&receipt.leaf().to_bytes()).into_owned()
}

fn receipt_facts(receipt: &Receipt) -> Value {
    json!({
        "index": receipt.index(),
        "log": receipt.checkpoint().origin,
        "log_size": receipt.checkpoint().size,
        "entry": serde_json::from_str::<Value>(&entry(receipt)).unwrap_or_default(),
    })
}

//! `chancery verify`: needs files and public keys, and no network.

mod files;
mod repos;

use super::error::CliError;
use super::output::Output;
use super::{Global, session};
use chancery::{Construction, Expected, Opened, Receipt, hex};
use chancery_formats::ed25519::PublicKey;
use chancery_formats::minisign::NumberedKey;
use chancery_formats::openpgp::{Certificate, CertifiedKey, ValidityError};
use chancery_tlog::VerifierKey;
use clap::{Args, Subcommand};
use files::{Attestation, Checksums, File, GitObject, Kind};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

const FILE_HELP: &str = "Example:
  chancery verify sshsig tool-1.0.tar.gz --signature tool-1.0.tar.gz.sig --public-key release.pub
  chancery verify openpgp tool-1.0.tar.gz --key release-pgp --receipt tool-1.0.tar.gz.asc.tlog-proof
  chancery verify minisign tool-1.0.tar.gz --public-key minisign.pub";
const ATTESTATION_HELP: &str = "Every file must be one that the statement is about, with the digest that it states.

Example:
  chancery verify attestation tool-1.0.intoto.json tool-1.0.tar.gz --key attest";
const GIT_HELP: &str = "Reads a raw object, signature included, as `git cat-file tag v1.0` and `git cat-file commit HEAD` print it.

Example:
  git cat-file tag v1.0 > v1.0.tag && chancery verify git-tag v1.0.tag --key git";
const SUMMARY_HELP: &str = "Example:
  chancery verify ostree-summary /srv/repo --key ostree";
const COMMIT_HELP: &str = "Example:
  chancery verify ostree-commit /srv/repo app/org.example.Tool/x86_64/stable --key ostree";
const RECEIPT_HELP: &str = "Example:
  chancery verify receipt tool-1.0.tar.gz.sig.tlog-proof \\
      --log-vkey signer.example/requests+eca62d7a+AQOh…";

#[derive(Debug, Subcommand)]
pub(crate) enum Verify {
    /// Verify the SSH signature of a file
    #[command(after_help = FILE_HELP)]
    Sshsig(File),
    /// Verify the OpenPGP signature of a file
    #[command(after_help = FILE_HELP)]
    Openpgp(File),
    /// Verify the minisign signature of a file
    #[command(after_help = FILE_HELP)]
    Minisign(File),
    /// Verify the signify signature of a file
    #[command(after_help = FILE_HELP)]
    Signify(File),
    /// Verify the signature of a list of checksums, and that it is such a list
    #[command(after_help = FILE_HELP)]
    Checksums(Checksums),
    /// Verify the signature line of a C2SP signed note
    #[command(after_help = FILE_HELP)]
    SignedNote(File),
    /// Verify a statement about files, in a DSSE envelope or a sigstore bundle
    #[command(after_help = ATTESTATION_HELP)]
    Attestation(Attestation),
    /// Verify 64 bytes of Ed25519 over TUF metadata
    #[command(after_help = FILE_HELP)]
    Tuf(File),
    /// Verify 64 bytes of Ed25519 over a file
    #[command(after_help = FILE_HELP)]
    RawEd25519(File),
    /// Verify a signed tag of git
    #[command(after_help = GIT_HELP)]
    GitTag(GitObject),
    /// Verify a signed commit of git
    #[command(after_help = GIT_HELP)]
    GitCommit(GitObject),
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
    /// Public key, as text or in a file: an OpenSSH line, OSTree's base64, PEM, minisign's, signify's, or an OpenPGP certificate
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
    opened: Opened,
}

impl Verify {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let (trust, found) = match self {
            Self::Sshsig(file) => (&file.trust, file.verify(Construction::Sshsig, global)?),
            Self::Openpgp(file) => (&file.trust, file.verify(Construction::OpenpgpDetached, global)?),
            Self::Minisign(file) => (&file.trust, file.verify(Construction::Minisign, global)?),
            Self::Signify(file) => (&file.trust, file.verify(Construction::Signify, global)?),
            Self::SignedNote(file) => (&file.trust, file.verify(Construction::SignedNote, global)?),
            Self::Attestation(command) => (&command.trust, command.verify(global)?),
            Self::Tuf(file) => (&file.trust, file.verify(Construction::Tuf, global)?),
            Self::RawEd25519(file) => (&file.trust, file.verify(Construction::RawEd25519, global)?),
            Self::Checksums(list) => (&list.file.trust, list.verify(global)?),
            Self::GitTag(object) => (&object.trust, object.verify(Kind::Tag, global)?),
            Self::GitCommit(object) => (&object.trust, object.verify(Kind::Commit, global)?),
            Self::OstreeSummary(command) => (&command.trust, command.verify(global)?),
            Self::OstreeCommit(command) => (&command.trust, command.verify(global)?),
            Self::Receipt(command) => return command.run(global, output),
        };
        trust.finish(found, global, output)
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
        if let Some(certificate) = self.certificate()? {
            let point = |key: &CertifiedKey| PublicKey::from_bytes(&key.key.point).ok();
            return Ok(certificate.keys.iter().filter_map(point).collect());
        }
        if let Some(text) = &self.public_key {
            return Ok(vec![public_key(text)?]);
        }
        let profile = session::profile(global)?;
        Ok(session::pinned(&profile, self.key.as_deref().unwrap_or_default())?.iter().map(|k| k.public).collect())
    }

    /// The OpenPGP certificate, when that is what is believed.
    fn certificate(&self) -> Result<Option<Certificate>, CliError> {
        let Some(path) = self.public_key.as_deref().map(Path::new).filter(|path| path.is_file()) else { return Ok(None) };
        let bytes = session::read_small(path)?;
        let binary = bytes.first().is_some_and(|b| b & 0x80 != 0);
        if !binary && !bytes.trim_ascii_start().starts_with(b"-----BEGIN PGP") {
            return Ok(None);
        }
        Certificate::parse(&bytes).map(Some).map_err(|source| CliError::Certificate { path: path.to_owned(), source })
    }

    /// What the certificate says of the key that signed: whose it is, and that it was good at that time.
    fn certified(&self, found: &Found) -> Result<Option<String>, CliError> {
        let Some(certificate) = self.certificate()? else { return Ok(None) };
        let by = certificate.keys.iter().filter(|key| key.key.point == *found.by.as_bytes());
        let mut validity = Err(ValidityError::Revoked);
        for key in by {
            validity = validity.or_else(|_| key.usable_at(found.opened.time));
        }
        validity.map_err(|source| CliError::Validity { what: found.what.clone(), source })?;
        Ok(certificate.user_ids.first().map(|user| chancery::printable(user)))
    }

    fn finish(&self, found: Found, global: &Global, output: Output) -> Result<(), CliError> {
        let whose = self.certified(&found)?;
        let when = found.opened.time.map(|t| format!(" at {}", moment(t))).unwrap_or_default();
        let mut text = format!("good: {} is signed by {}{when}\n", found.what, found.by.to_ostree());
        if let Some(user) = &whose {
            text.push_str(&format!("good: the key was good then, and belongs to {user} as it says itself\n"));
        }
        if let Some(comment) = &found.opened.comment {
            text.push_str(&format!("good: its trusted comment is: {}\n", chancery::printable(comment)));
        }
        let mut facts = json!({
            "good": true,
            "what": found.what,
            "public_key": found.by.to_ostree(),
            "key_id": hex(&found.by.key_id()),
            "construction": found.construction.name(),
            "tbs_sha256": hex(&found.opened.tbs_sha256),
            "time": found.opened.time,
            "comment": found.opened.comment,
            "user_id": whose,
        });
        if let Some(path) = &self.receipt {
            let receipt = open_receipt(path, &log_key(self.log_vkey.as_ref(), global)?)?;
            let wanted = Expected {
                key_id: Some(&found.by.key_id()),
                construction: Some(found.construction),
                tbs_sha256: Some(&found.opened.tbs_sha256),
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
    let numbered = || NumberedKey::parse(&text).ok().map(|k| k.key);
    forms.iter().find_map(|read| read(&text).ok()).or_else(numbered).ok_or_else(|| {
        CliError::Usage(
            "--public-key is no Ed25519 key in one of these forms, nor a file with one: `ssh-ed25519 AAAA…`, base64 of 32 bytes, PEM, the \
             public key of minisign or signify, an OpenPGP certificate"
                .into(),
        )
    })
}

/// A time as people read it.
fn moment(seconds: u64) -> String {
    i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok()).map_or_else(|| seconds.to_string(), |t| t.to_string())
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

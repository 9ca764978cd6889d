//! `chancery sign`.

use super::error::CliError;
use super::hash::{Progress, material, total};
use super::output::Output;
use super::{Global, session};
use chancery::{Construction, Error, HashAlgorithm, PinnedKey, Request, VerifiedSignature};
use chancery_formats::{Framing, openpgp};
use chancery_reqlog::durable;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const AFTER_HELP: &str =
    "The signature of FILE is written to FILE.sig, FILE.asc (openpgp) or FILE.minisig (minisign), and its receipt, the \
proof that the request was recorded first, beside it with .tlog-proof. Nothing is written before both are checked. Of files \
that are signed as sshsig, openpgp or minisign nothing but a digest travels; with the others, FILE itself.

Example:
  chancery sign dist/tool-1.0.tar.gz --key release --as sshsig --namespace file
  ssh-keygen -Y verify -f allowed_signers -I release -n file -s dist/tool-1.0.tar.gz.sig \\
      < dist/tool-1.0.tar.gz
  chancery sign dist/tool-1.0.tar.gz --key release-pgp --as openpgp
  gpg --verify dist/tool-1.0.tar.gz.asc dist/tool-1.0.tar.gz
  chancery sign dist/SHA256SUMS --key sums --as checksums";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Sign {
    /// Files to be signed
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Name of the key
    #[arg(long, value_name = "KEY")]
    key: String,
    /// What kind of signature
    #[arg(long = "as", value_name = "KIND")]
    kind: Kind,
    /// What an SSH signature is for, as verifiers will ask for it
    #[arg(long, default_value = "file")]
    namespace: String,
    /// How the file is hashed for sshsig and openpgp
    #[arg(long, default_value = "sha512", value_parser = ["sha512", "sha256"])]
    hash: String,
    /// What is signed, in the terms of the policy [default: the name of the file]
    #[arg(long)]
    subject: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// An SSH signature, as `ssh-keygen -Y sign` makes it
    Sshsig,
    /// An OpenPGP signature, as `gpg --armor --detach-sign` makes it
    Openpgp,
    /// A minisign signature of the prehashed file
    Minisign,
    /// An OpenBSD signify signature
    Signify,
    /// A list of checksums, read and checked by the key host, with the kind of signature that the key makes
    Checksums,
    /// The signature line of a C2SP signed note
    SignedNote,
    /// 64 bytes of pure Ed25519 over the `signed` part of TUF metadata, in canonical JSON
    Tuf,
    /// 64 bytes of pure Ed25519 over the file
    RawEd25519,
}

impl Kind {
    /// What the key is asked for.
    fn construction(self, pinned: &[&PinnedKey]) -> Result<Construction, CliError> {
        Ok(match self {
            Self::Sshsig => Construction::Sshsig,
            Self::Openpgp => Construction::OpenpgpDetached,
            Self::Minisign => Construction::Minisign,
            Self::Signify => Construction::Signify,
            Self::SignedNote => Construction::SignedNote,
            Self::Tuf => Construction::Tuf,
            Self::RawEd25519 => Construction::RawEd25519,
            Self::Checksums => {
                let found = pinned.iter().find_map(|key| key.construction_of("checksums"));
                found.ok_or_else(|| CliError::Usage("the key was not made for checksums; `chancery keys` shows what each is for".into()))?
            }
        })
    }
}

/// How the file of a signature is called.
pub(crate) fn suffix(construction: Construction) -> &'static str {
    match construction.framing() {
        Framing::Openpgp => ".asc",
        Framing::Minisign => ".minisig",
        _ => ".sig",
    }
}

impl Sign {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let construction = self.kind.construction(&session::pinned(&profile, &self.key)?)?;
        let requests = self.requests(construction)?;
        let results = session::wait(async {
            let client = session::client(global, profile).await?;
            Ok(client.sign_batch(&requests).await?)
        })?;
        let mut believed = Vec::new();
        for result in results {
            match result {
                // A key host that misbehaved once is not to be believed in the rest.
                Err(error @ Error::Misbehaved(_)) => return Err(error.into()),
                other => believed.push(other.map_err(CliError::from)),
            }
        }
        self.finish(believed, output)
    }

    fn requests(&self, construction: Construction) -> Result<Vec<Request>, CliError> {
        let algorithm: HashAlgorithm = self.hash.parse().map_err(|e| CliError::Usage(format!("{e}")))?;
        let progress = Progress::new(total(&self.files));
        let request = |file: &PathBuf| {
            let subject = self.subject_of(file)?;
            let material = material(construction, file, &self.namespace, algorithm, &progress)?;
            Ok(Request::new(&self.key, construction, &subject, material).map_err(Error::from)?)
        };
        let requests = self.files.iter().map(request).collect();
        progress.finish();
        requests
    }

    fn subject_of(&self, file: &Path) -> Result<String, CliError> {
        let name = file.file_name().and_then(|n| n.to_str()).map(str::to_owned);
        let no_name = || CliError::Usage(format!("{} has no name that can be a subject; say --subject", file.display()));
        self.subject.clone().or(name).ok_or_else(no_name)
    }

    fn finish(&self, results: Vec<Result<VerifiedSignature, CliError>>, output: Output) -> Result<(), CliError> {
        let all = results.len();
        let (mut text, mut signed, mut failed): (String, Vec<Value>, Vec<Value>) = Default::default();
        let mut code = 0;
        for (file, result) in self.files.iter().zip(results) {
            match result.and_then(|signature| save(file, signature)) {
                Ok((line, facts)) => {
                    let _ = writeln!(text, "{line}");
                    signed.push(facts);
                }
                Err(error) if all == 1 => return Err(error),
                Err(error) => {
                    output.warn(format_args!("{} is not signed", file.display()));
                    output.explain(&error);
                    code = code.max(error.exit_code());
                    failed.push(json!({ "file": file, "error": error.json() }));
                }
            }
        }
        output.result(text, &json!({ "signed": signed, "failed": failed }))?;
        match failed.len() {
            0 => Ok(()),
            failed => Err(CliError::Several { failed, all, what: "files were not signed", code }),
        }
    }
}

/// Writes the receipt first: where there is a signature, there is its receipt.
fn save(file: &Path, signature: VerifiedSignature) -> Result<(String, Value), CliError> {
    let signature_path = with_suffix(file, suffix(signature.construction()));
    let receipt_path = with_suffix(&signature_path, ".tlog-proof");
    durable::write_atomic(&receipt_path, signature.receipt_file(), 0o644)?;
    let armored = match signature.construction().framing() {
        Framing::Openpgp => openpgp::armor(openpgp::Block::Signature, signature.framed()).into_bytes(),
        _ => signature.framed().to_vec(),
    };
    durable::write_atomic(&signature_path, &armored, 0o644)?;
    let line = format!("signed {} -> {} ({})", file.display(), signature_path.display(), session::by(&signature));
    let mut facts = session::facts(&signature);
    if let Value::Object(facts) = &mut facts {
        facts.insert("file".to_owned(), json!(file));
        facts.insert("signature".to_owned(), json!(signature_path));
        facts.insert("receipt".to_owned(), json!(receipt_path));
    }
    Ok((line, facts))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

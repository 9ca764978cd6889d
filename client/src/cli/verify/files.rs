//! Signatures beside files, and in objects of git.

use super::super::error::CliError;
use super::super::hash::{Progress, material, total};
use super::super::{Global, session};
use super::{Found, Trust};
use chancery::{Construction, FramedError, HashAlgorithm, Material, Opened, open};
use chancery_formats::openpgp::{Hash, Signature};
use chancery_formats::sshsig::SshSignature;
use chancery_formats::{ContentError, checksums, git};
use clap::Args;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct File {
    /// The file
    file: PathBuf,
    /// Its signature [default: FILE.sig, FILE.asc or FILE.minisig]
    #[arg(long, value_name = "SIG")]
    signature: Option<PathBuf>,
    /// What an SSH signature must be for
    #[arg(long, default_value = "file")]
    namespace: String,
    #[command(flatten)]
    pub(super) trust: Trust,
}

#[derive(Debug, Args)]
pub(crate) struct Checksums {
    #[command(flatten)]
    pub(super) file: File,
    /// What kind of signature it is
    #[arg(long = "as", value_name = "KIND", default_value = "sshsig", value_parser = ["sshsig", "openpgp", "minisign", "signify"])]
    kind: String,
}

#[derive(Debug, Args)]
pub(crate) struct Attestation {
    /// The envelope or bundle
    envelope: PathBuf,
    /// Files that it must be about
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) trust: Trust,
}

#[derive(Debug, Args)]
pub(crate) struct GitObject {
    /// The raw object, with its signature
    object: PathBuf,
    #[command(flatten)]
    pub(super) trust: Trust,
}

/// Which object of git.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Tag,
    Commit,
}

impl File {
    pub(super) fn verify(&self, construction: Construction, global: &Global) -> Result<Found, CliError> {
        self.trust.keys(global)?;
        let (what, signature) = (self.file.display().to_string(), self.signature(construction)?);
        let progress = Progress::new(total(&[&self.file]));
        let algorithm = algorithm(construction, &signature);
        let material = material(construction, &self.file, &self.namespace, algorithm, &progress)?;
        progress.finish();
        self.trust.found(what, construction, &material, &signature, global)
    }

    fn signature(&self, construction: Construction) -> Result<Vec<u8>, CliError> {
        let mut beside = self.file.as_os_str().to_os_string();
        beside.push(super::super::sign::suffix(construction));
        session::read_small(self.signature.as_deref().unwrap_or(Path::new(&beside)))
    }
}

/// The hash that the signature says it is of.
fn algorithm(construction: Construction, signature: &[u8]) -> HashAlgorithm {
    let sha256 = match construction {
        Construction::OpenpgpDetached => Signature::read_all(signature).is_ok_and(|all| all.iter().all(|s| s.hash() == Hash::Sha256)),
        _ => {
            let text = std::str::from_utf8(signature).unwrap_or_default();
            SshSignature::parse(text).is_ok_and(|s| s.algorithm == HashAlgorithm::Sha256)
        }
    };
    if sha256 { HashAlgorithm::Sha256 } else { HashAlgorithm::Sha512 }
}

impl Checksums {
    pub(super) fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let construction = format!("checksums/{}", self.kind).parse().map_err(|e| CliError::Usage(format!("{e}")))?;
        let found = self.file.verify(construction, global)?;
        let bytes = session::read_small(&self.file.file)?;
        checksums::Checksums::parse(&bytes).map_err(|source| unusable(&self.file.file, source))?;
        Ok(found)
    }
}

impl Attestation {
    pub(super) fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let keys = self.trust.keys(global)?;
        let what = self.envelope.display().to_string();
        let framed = |source| CliError::Framed { what: what.clone(), source };
        let bytes = session::read_small(&self.envelope)?;
        let envelope = super::super::attest::read_envelope(&bytes).map_err(framed)?;
        let mut error = FramedError::Form(Construction::Dsse);
        for by in keys {
            let statement = match envelope.verify(by.as_bytes()) {
                Ok(statement) => statement,
                Err(e) => {
                    error = e.into();
                    continue;
                }
            };
            for file in super::super::attest::subjects(&self.files)? {
                if !statement.subjects().contains(&file) {
                    return Err(CliError::NotSigned { what: file.name, by: format!("the statement in {what}") });
                }
            }
            let tbs_sha256 = Sha256::digest(statement.pae()).into();
            let opened = Opened { framed: bytes, raw: [0; 64], tbs_sha256, time: None, comment: None };
            let what = format!("{what}, a statement ({}) about {} files,", statement.predicate_type(), statement.subjects().len());
            return Ok(Found { what, by, construction: Construction::Dsse, opened });
        }
        Err(framed(error))
    }
}

impl GitObject {
    pub(super) fn verify(&self, kind: Kind, global: &Global) -> Result<Found, CliError> {
        let bytes = session::read_small(&self.object)?;
        let split = if kind == Kind::Tag { git::split_tag(&bytes) } else { git::split_commit(&bytes) };
        let what = self.object.display().to_string();
        let (content, signature) = split.ok_or_else(|| CliError::NotSigned { what: what.clone(), by: "anybody".to_owned() })?;
        let parsed = if kind == Kind::Tag { git::Tag::parse(&content).map(drop) } else { git::Commit::parse(&content).map(drop) };
        parsed.map_err(|source| unusable(&self.object, source))?;
        let ssh = signature.starts_with(b"-----BEGIN SSH");
        let construction = match (kind, ssh) {
            (Kind::Tag, true) => Construction::GitTagSshsig,
            (Kind::Tag, false) => Construction::GitTagOpenpgp,
            (Kind::Commit, true) => Construction::GitCommitSshsig,
            (Kind::Commit, false) => Construction::GitCommitOpenpgp,
        };
        self.trust.found(what, construction, &Material::content(content.into()), &signature, global)
    }
}

fn unusable(path: &Path, source: ContentError) -> CliError {
    CliError::Signatures { path: path.to_owned(), source }
}

impl Trust {
    /// Tries the keys that are believed.
    pub(super) fn found(
        &self,
        what: String,
        construction: Construction,
        material: &Material,
        signature: &[u8],
        global: &Global,
    ) -> Result<Found, CliError> {
        let name = self.key.as_deref().unwrap_or("key");
        let mut error = FramedError::Form(construction);
        for by in self.keys(global)? {
            match open(construction, material, name, &by, signature) {
                Ok(opened) => return Ok(Found { what, by, construction, opened }),
                Err(e) => error = e,
            }
        }
        Err(CliError::Framed { what, source: error })
    }
}

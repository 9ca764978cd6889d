//! `chancery ssh-keygen`: takes the place of ssh-keygen in git, and in whatever calls `ssh-keygen -Y sign`.

use super::dropin::{hand_over, pinned, sign, typed};
use super::error::CliError;
use super::hash::{Progress, material, total};
use super::{Global, session};
use chancery::{Construction, HashAlgorithm, Material};
use chancery_formats::Framing;
use chancery_formats::ed25519::PublicKey;
use chancery_reqlog::durable;
use std::ffi::OsString;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const HELP: &str =
    "Signs where ssh-keygen would (`-Y sign -n NAMESPACE -f PUBLICKEY [FILE…]`), with the pinned key that has this public key, and hands \
everything else over to the real ssh-keygen (or the program in CHANCERY_SSH_KEYGEN). Tags and commits of git are signed as such \
when the key was made for them. The subject is CHANCERY_SUBJECT, `git config chancery.subject`, or the name of the directory.

Example:
  ln -s $(command -v chancery) ~/bin/chancery-ssh-keygen
  git config gpg.format ssh
  git config gpg.ssh.program ~/bin/chancery-ssh-keygen
  git config user.signingkey \"key::$(cat git.pub)\"
  git tag -s v1.0 -m 'Version 1.0'";

/// What `-Y sign` is told.
#[derive(Default)]
struct Asked {
    namespace: String,
    key: PathBuf,
    algorithm: Option<HashAlgorithm>,
    files: Vec<PathBuf>,
}

pub(super) fn run(global: &Global, arguments: &[OsString]) -> Result<ExitCode, CliError> {
    match asked(arguments)? {
        Some(asked) => asked.sign(global).map(|()| ExitCode::SUCCESS),
        None => hand_over("ssh-keygen", "CHANCERY_SSH_KEYGEN", arguments),
    }
}

/// `None` when this is not about signing.
fn asked(arguments: &[OsString]) -> Result<Option<Asked>, CliError> {
    let text: Vec<&str> = arguments.iter().map(|a| a.to_str().unwrap_or_default()).collect();
    if !text.windows(2).any(|two| two == ["-Y", "sign"]) {
        return Ok(None);
    }
    let mut asked = Asked { namespace: "file".to_owned(), ..Asked::default() };
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let mut value = |what: &str| rest.next().ok_or_else(|| CliError::Usage(format!("{what} needs a value")));
        match argument.to_str().unwrap_or_default() {
            "-Y" => drop(value("-Y")?),
            "-n" => asked.namespace = value("-n")?.to_string_lossy().into_owned(),
            "-f" => asked.key = value("-f")?.into(),
            "-O" => {
                if let Some(name) = value("-O")?.to_str().and_then(|o| o.strip_prefix("hashalg=")) {
                    asked.algorithm = Some(name.parse().map_err(|e| CliError::Usage(format!("{e}")))?);
                }
            }
            // The key is in an agent; be quiet.
            "-U" | "-q" | "-v" => {}
            "--" => asked.files.extend(rest.by_ref().map(PathBuf::from)),
            other if other.starts_with('-') && other.len() > 1 => {
                return Err(CliError::Usage(format!("{other} is not understood with -Y sign; there are -n, -f, -O hashalg=, -U and -q")));
            }
            _ => asked.files.push(argument.into()),
        }
    }
    Ok(Some(asked))
}

impl Asked {
    fn sign(&self, global: &Global) -> Result<(), CliError> {
        let line = self.public_key()?;
        let no_key = |e| CliError::Usage(format!("{} has no Ed25519 public key: {e}", self.key.display()));
        let public = PublicKey::from_openssh(&line).map_err(no_key)?;
        let profile = session::profile(global)?;
        let key = pinned(&profile, |key| key.public == public, "with this public key")?;
        let algorithm = self.algorithm.unwrap_or(HashAlgorithm::Sha512);
        for file in &self.files {
            let (construction, material) = self.material(&key, file, algorithm)?;
            let signature = sign(global, profile.clone(), &key.name, construction, material)?;
            let mut path = file.clone().into_os_string();
            path.push(".sig");
            durable::write_atomic(&PathBuf::from(path), signature.framed(), 0o644)?;
        }
        if self.files.is_empty() {
            let mut content = Vec::new();
            let standard = |source| CliError::Read { path: "standard input".into(), source };
            std::io::stdin().read_to_end(&mut content).map_err(standard)?;
            let (construction, material) = self.of_bytes(&key, content, algorithm);
            let signature = sign(global, profile, &key.name, construction, material)?;
            std::io::stdout().write_all(signature.framed()).map_err(CliError::Print)?;
        }
        Ok(())
    }

    /// The file is a public key, or a private one beside its public half.
    fn public_key(&self) -> Result<String, CliError> {
        let text = session::read_text(&self.key)?;
        if text.starts_with("ssh-") {
            return Ok(text);
        }
        let mut beside = self.key.clone().into_os_string();
        beside.push(".pub");
        session::read_text(&PathBuf::from(beside))
    }

    fn material(
        &self,
        key: &chancery::PinnedKey,
        file: &std::path::Path,
        algorithm: HashAlgorithm,
    ) -> Result<(Construction, Material), CliError> {
        if self.namespace == "git" {
            return Ok(self.of_bytes(key, session::read_small(file)?, algorithm));
        }
        let progress = Progress::new(total(&[file]));
        let material = material(Construction::Sshsig, file, &self.namespace, algorithm, &progress)?;
        progress.finish();
        Ok((Construction::Sshsig, material))
    }

    fn of_bytes(&self, key: &chancery::PinnedKey, content: Vec<u8>, algorithm: HashAlgorithm) -> (Construction, Material) {
        let git = (self.namespace == "git").then(|| typed(key, Framing::Sshsig, &content)).flatten();
        match git {
            Some(construction) => (construction, Material::content(content.into())),
            None => {
                let digest = super::hash::digest_of(algorithm, &content);
                (Construction::Sshsig, Material::Sshsig { namespace: self.namespace.clone(), algorithm, digest })
            }
        }
    }
}

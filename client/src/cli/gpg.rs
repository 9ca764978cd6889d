//! `chancery gpg`: takes the place of gpg in git, and in whatever calls `gpg --detach-sign`.

use super::dropin::{hand_over, pinned, sign, typed};
use super::error::CliError;
use super::{Global, session};
use chancery::{Construction, Material, PinnedKey, VerifiedSignature, hex};
use chancery_formats::Framing;
use chancery_formats::openpgp::{Block, Hash, Hasher, Signature, armor};
use chancery_reqlog::durable;
use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

pub(super) const HELP: &str =
    "Signs where gpg would (`--detach-sign`), with the pinned key that `-u` names by its fingerprint, the end of it, or its name, and \
hands everything else over to the real gpg (or the program in CHANCERY_GPG). Of files nothing but the state of their hash travels. \
Clear-signed messages and encryption are not made. The subject is CHANCERY_SUBJECT, `git config chancery.subject`, or the name of \
the directory.

Example:
  ln -s $(command -v chancery) ~/bin/chancery-gpg
  git config gpg.program ~/bin/chancery-gpg
  git config user.signingkey git-pgp
  git tag -s v1.0 -m 'Version 1.0'
  chancery-gpg --armor --detach-sign -u release-pgp --output Release.gpg Release";

/// What gpg is told.
#[derive(Default)]
struct Asked {
    user: Option<String>,
    armor: bool,
    output: Option<PathBuf>,
    status: Option<u32>,
    file: Option<PathBuf>,
    sha256: bool,
}

/// Options that change nothing for us, with a value and without.
const WITH_VALUE: [&str; 9] = [
    "--homedir",
    "--passphrase-fd",
    "--pinentry-mode",
    "--keyring",
    "--secret-keyring",
    "--trust-model",
    "--compress-level",
    "--logger-fd",
    "-z",
];
const WITHOUT: [&str; 11] = [
    "--batch",
    "--no-tty",
    "--yes",
    "--quiet",
    "-q",
    "--no-verbose",
    "--verbose",
    "--no-use-agent",
    "--use-agent",
    "--no-options",
    "--no-armor",
];

pub(super) fn run(global: &Global, arguments: &[OsString]) -> Result<ExitCode, CliError> {
    match asked(arguments)? {
        Some(asked) => asked.sign(global).map(|()| ExitCode::SUCCESS),
        None => hand_over("gpg", "CHANCERY_GPG", arguments),
    }
}

/// `None` when this is not about a detached signature.
fn asked(arguments: &[OsString]) -> Result<Option<Asked>, CliError> {
    let text: Vec<String> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
    let bundles = |letter: char| text.iter().any(|a| is_bundle(a) && a.contains(letter));
    let verifies = text.iter().any(|a| matches!(a.as_str(), "--verify" | "--decrypt" | "-d"));
    let detached = text.iter().any(|a| a == "--detach-sign" || a == "--detach-sig") || bundles('b');
    if verifies || !detached {
        return Ok(None);
    }
    let (mut asked, mut rest) = (Asked::default(), text.into_iter());
    while let Some(argument) = rest.next() {
        let (name, mut joined) = match argument.split_once('=').filter(|(name, _)| name.starts_with("--")) {
            Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
            None => (argument.clone(), None),
        };
        let mut value = || joined.take().or_else(|| rest.next()).ok_or_else(|| CliError::Usage(format!("{name} needs a value")));
        match name.as_str() {
            "--detach-sign" | "--detach-sig" | "--sign" | "-s" => {}
            "--armor" | "-a" => asked.armor = true,
            "--local-user" | "--default-key" | "-u" => asked.user = Some(value()?),
            "--output" | "-o" => asked.output = Some(value()?.into()),
            "--status-fd" => asked.status = value()?.parse().ok(),
            "--digest-algo" | "--personal-digest-preferences" => asked.sha256 = value()?.eq_ignore_ascii_case("sha256"),
            known if WITH_VALUE.contains(&known) => drop(value()?),
            known if WITHOUT.contains(&known) => {}
            "-" => asked.file = None,
            bundle if is_bundle(bundle) => {
                asked.armor |= bundle.contains('a');
                // The last letter may take the next argument: `-bsau KEY`.
                match bundle.chars().last() {
                    Some('u') => asked.user = Some(value()?),
                    Some('o') => asked.output = Some(value()?.into()),
                    _ => {}
                }
            }
            other if other.starts_with('-') => {
                return Err(CliError::Usage(format!("{other} is not understood with --detach-sign; `chancery gpg --help` says what is")));
            }
            _ => asked.file = Some(argument.into()),
        }
    }
    Ok(Some(asked))
}

/// Several options of one letter each, such as `-bsau`.
fn is_bundle(argument: &str) -> bool {
    let letters = argument.strip_prefix('-').filter(|rest| !rest.is_empty() && !rest.starts_with('-'));
    letters.is_some_and(|letters| {
        letters.chars().all(|c| matches!(c, 'a' | 'b' | 's' | 'u' | 'o' | 'q')) && argument != "-u" && argument != "-o"
    })
}

impl Asked {
    fn sign(&self, global: &Global) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let wanted = self.user.as_deref().unwrap_or_default();
        let key = pinned(&profile, |key| is_meant(key, wanted), &format!("for OpenPGP that {wanted:?} means"))?;
        let (construction, material) = self.material(&key)?;
        let signature = sign(global, profile, &key.name, construction, material)?;
        let bytes = match self.armor {
            true => armor(Block::Signature, signature.framed()).into_bytes(),
            false => signature.framed().to_vec(),
        };
        match self.destination() {
            Some(path) => durable::write_atomic(&path, &bytes, 0o644)?,
            None => std::io::stdout().write_all(&bytes).map_err(CliError::Print)?,
        }
        self.tell(&key, &signature).map_err(CliError::Print)
    }

    /// Where gpg would write: beside the file, or to standard output.
    fn destination(&self) -> Option<PathBuf> {
        if let Some(output) = &self.output {
            return (output.as_os_str() != "-").then(|| output.clone());
        }
        let mut path = self.file.clone()?.into_os_string();
        path.push(if self.armor { ".asc" } else { ".sig" });
        Some(path.into())
    }

    fn material(&self, key: &PinnedKey) -> Result<(Construction, Material), CliError> {
        let path = self.file.clone().unwrap_or_else(|| "standard input".into());
        let failed = |source| CliError::Read { path: path.clone(), source };
        let mut input: Box<dyn Read> = match &self.file {
            Some(file) => Box::new(File::open(file).map_err(failed)?),
            None => Box::new(std::io::stdin().lock()),
        };
        if key.constructions.contains(&Construction::OpenpgpDetached) {
            let mut hasher = Hasher::new(if self.sha256 { Hash::Sha256 } else { Hash::Sha512 });
            std::io::copy(&mut input, &mut HashWriter(&mut hasher)).map_err(failed)?;
            return Ok((Construction::OpenpgpDetached, Material::HashState(hasher.state())));
        }
        let mut content = Vec::new();
        input.read_to_end(&mut content).map_err(failed)?;
        let family = key.construction_of("checksums").filter(|c| c.framing() == Framing::Openpgp);
        let construction = typed(key, Framing::Openpgp, &content).or(family);
        let unfit =
            || CliError::Usage(format!("key {} was made for other things than this content; `chancery keys` shows which", key.name));
        Ok((construction.ok_or_else(unfit)?, Material::content(content.into())))
    }

    /// The lines that programs wait for (`doc/DETAILS` of gpg).
    fn tell(&self, key: &PinnedKey, signature: &VerifiedSignature) -> std::io::Result<()> {
        let made = Signature::read_all(signature.framed()).unwrap_or_default();
        let Some(made) = made.first() else { return Ok(()) };
        let hash = if made.hash() == Hash::Sha256 { 8 } else { 10 };
        let fingerprint = hex(&key.openpgp().fingerprint()).to_uppercase();
        let lines = format!(
            "[GNUPG:] KEY_CONSIDERED {fingerprint} 0\n[GNUPG:] BEGIN_SIGNING H{hash}\n[GNUPG:] SIG_CREATED D 22 {hash} 00 {} {fingerprint}\n",
            made.created()
        );
        match self.status {
            None => Ok(()),
            Some(1) => std::io::stdout().write_all(lines.as_bytes()),
            Some(2) => std::io::stderr().write_all(lines.as_bytes()),
            Some(other) => File::options().append(true).open(format!("/dev/fd/{other}"))?.write_all(lines.as_bytes()),
        }
    }
}

/// Whether `-u` means this key: by name, or by fingerprint or the end of it, which gpg takes with spaces, `0x` and an exclamation mark.
fn is_meant(key: &PinnedKey, wanted: &str) -> bool {
    if !key.constructions.iter().any(|c| c.framing() == Framing::Openpgp) {
        return false;
    }
    let digits: String = wanted.trim_end_matches('!').trim_start_matches("0x").chars().filter(|c| *c != ' ').collect();
    let fingerprint = hex(&key.openpgp().fingerprint());
    wanted.is_empty() || wanted == key.name || (digits.len() >= 16 && fingerprint.ends_with(&digits.to_ascii_lowercase()))
}

struct HashWriter<'a>(&'a mut Hasher);

impl std::io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

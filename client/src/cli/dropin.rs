//! What the programs that take the place of ssh-keygen and gpg have in common.

use super::error::CliError;
use super::{Global, session};
use chancery::{Construction, Error, Material, PinnedKey, Profile, Request, VerifiedSignature};
use chancery_formats::{Framing, git};
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The environment variable that names the subject.
pub(super) const SUBJECT: &str = "CHANCERY_SUBJECT";

/// What git and others want signed: the kind that the content is, if the key is for it.
pub(super) fn typed(key: &PinnedKey, framing: Framing, content: &[u8]) -> Option<Construction> {
    let family = if git::Tag::parse(content).is_ok() {
        "git-tag"
    } else if git::Commit::parse(content).is_ok() {
        "git-commit"
    } else {
        return None;
    };
    key.constructions.iter().copied().find(|c| c.family() == family && c.framing() == framing)
}

/// Asks for the signature.
pub(super) fn sign(
    global: &Global,
    profile: Profile,
    key: &str,
    construction: Construction,
    material: Material,
) -> Result<VerifiedSignature, CliError> {
    let request = Request::new(key, construction, &subject()?, material).map_err(Error::from)?;
    session::wait(async {
        let client = session::client(global, profile).await?;
        Ok(client.sign(&request).await?)
    })
}

/// What is signed, in the terms of the policy: what the environment says, what git's configuration says, or the name of the directory.
pub(super) fn subject() -> Result<String, CliError> {
    if let Ok(subject) = std::env::var(SUBJECT) {
        return Ok(subject);
    }
    let configured = Command::new("git").args(["config", "--get", "chancery.subject"]).output().ok().filter(|out| out.status.success());
    if let Some(out) = configured {
        return Ok(String::from_utf8_lossy(&out.stdout).trim().to_owned());
    }
    let directory = std::env::current_dir().ok().and_then(|dir| dir.file_name().and_then(|n| n.to_str()).map(str::to_owned));
    directory.ok_or_else(|| CliError::Usage(format!("nothing says what the subject is; set {SUBJECT}, or `git config chancery.subject`")))
}

/// The newest pinned key that `fits`.
pub(super) fn pinned(profile: &Profile, fits: impl Fn(&PinnedKey) -> bool, wanted: &str) -> Result<PinnedKey, CliError> {
    let found = profile.keys().iter().filter(|key| fits(key)).max_by_key(|key| key.version).cloned();
    found.ok_or_else(|| {
        let path = profile.path().display();
        CliError::Usage(format!("the profile {path} pins no key {wanted}; `chancery keys` shows those that it pins"))
    })
}

/// Runs the real program for all that is not signing.
pub(super) fn hand_over(program: &str, variable: &str, arguments: &[OsString]) -> Result<ExitCode, CliError> {
    let program = std::env::var_os(variable).unwrap_or_else(|| program.into());
    let status = Command::new(&program).args(arguments).status();
    let status = status.map_err(|source| CliError::Read { path: Path::new(&program).to_owned(), source })?;
    Ok(status.code().and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from))
}

//! What the commands that talk to a key host have in common.

use super::Global;
use super::error::CliError;
use chancery::{Client, Error, Options, PinnedKey, Profile, VerifiedSignature};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The profile that the options name, or the usual one.
pub(crate) fn profile(global: &Global) -> Result<Profile, CliError> {
    let path = global.profile.clone().or_else(usual_profile);
    let path = path.ok_or_else(|| CliError::Usage("there is no home directory; name the profile with --profile".to_owned()))?;
    Ok(Profile::load(&path).map_err(Error::from)?)
}

fn usual_profile() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let config = set("XDG_CONFIG_HOME").or_else(|| Some(set("HOME")?.join(".config")))?;
    Some(config.join("chancery/profile.toml"))
}

/// The pinned versions of a key; to ask for a signature that cannot be believed afterwards would only leave an entry in the log.
pub(crate) fn pinned<'a>(profile: &'a Profile, name: &str) -> Result<Vec<&'a PinnedKey>, CliError> {
    let versions: Vec<_> = profile.keys().iter().filter(|k| k.name == name).collect();
    if versions.is_empty() {
        let names: BTreeSet<_> = profile.keys().iter().map(|k| k.name.as_str()).collect();
        let names = if names.is_empty() { "none at all".to_owned() } else { Vec::from_iter(names).join(", ") };
        return Err(CliError::Usage(format!("the profile {} pins no key named {name:?}; it pins {names}", profile.path().display())));
    }
    Ok(versions)
}

/// A client that tells who waits at a terminal why it waits.
pub(crate) async fn client(global: &Global, profile: Profile) -> Result<Client, CliError> {
    let mut options = Options::default();
    options.deadline = global.timeout;
    options.offline.clone_from(&global.offline);
    options.connect_timeout = options.connect_timeout.min(global.timeout);
    if io::stderr().is_terminal() {
        options.notify = Some(Arc::new(|notice| {
            let (endpoint, why) = (&notice.endpoint, &notice.why);
            let _ = writeln!(io::stderr().lock(), "{endpoint}: {why}; trying again in {:.1} s", notice.pause.as_secs_f64());
        }));
    }
    Ok(Client::connect(profile, options).await?)
}

/// Runs a future to its end.
pub(crate) fn wait<T>(future: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(CliError::Runtime)?;
    runtime.block_on(future)
}

/// What is printed of a signature as JSON.
pub(crate) fn facts(signature: &VerifiedSignature) -> Value {
    let receipt = signature.receipt();
    json!({
        "key": signature.key().name,
        "key_version": signature.key().version,
        "key_id": chancery::hex(&signature.key().public.key_id()),
        "tbs_sha256": chancery::hex(signature.tbs_sha256()),
        "entry": receipt.index(),
        "log": receipt.checkpoint().origin,
        "log_size": receipt.checkpoint().size,
    })
}

/// What is printed of a signature as text.
pub(crate) fn by(signature: &VerifiedSignature) -> String {
    format!("key {} version {}, entry {}", signature.key().name, signature.key().version, signature.receipt().index())
}

/// Reads a small file as a whole: a key, a signature, a receipt.
pub(crate) fn read_small(path: &Path) -> Result<Vec<u8>, CliError> {
    const MAX: u64 = 16 * 1024 * 1024;
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    std::fs::File::open(path).and_then(|f| f.take(MAX).read_to_end(&mut bytes)).map_err(failed)?;
    Ok(bytes)
}

/// Reads a small file of text.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let invalid = |e: std::string::FromUtf8Error| CliError::Read { path: path.to_owned(), source: io::Error::other(e.utf8_error()) };
    String::from_utf8(read_small(path)?).map_err(invalid)
}

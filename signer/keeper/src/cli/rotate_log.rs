//! `chancery-keeper log rotate`: a new log under a new name and key, bound to the old one, which is sealed.

use super::{CliError, Options};
use crate::key::Keyring;
use crate::passphrase::Passphrase;
use crate::record::{log_continues, log_sealed};
use crate::serve::now_ms;
use chancery_reqlog::{Log, LogConfig, NewEntry};
use chancery_tlog::{NoteSigner, VerifierKey};
use serde_json::json;
use std::path::Path;

/// Seals the log of the configuration, and begins another one in `to`. The key of the old log is gone afterwards.
pub(super) fn rotate(options: &Options, origin: &str, to: &Path) -> Result<(), CliError> {
    let config = options.config()?;
    if to.exists() {
        let what = format!("{} exists already", to.display());
        return Err(CliError::Usage { what, instead: "name a directory that is not there yet, such as log-2".to_owned() });
    }
    let passphrase = Passphrase::existing(&options.source())?;
    let keyring = Keyring::open(&config.keys, &passphrase)?;
    drop(passphrase);
    let old = keyring.log_key()?;
    if origin == config.origin {
        let what = format!("the log is named {origin} already");
        return Err(CliError::Usage {
            what,
            instead: "a new log needs a name of its own, since auditors know the old one by it".to_owned(),
        });
    }
    let next = keyring.next_log_key(origin, now_ms().div_euclid(1000))?;
    let (old_vkey, new_vkey) = (old.verifier_key().clone(), next.verifier_key().clone());
    let sealing = log_sealed(&new_vkey.to_string(), now_ms())?;
    let note = append(&config.log, &config.origin, Box::new(old), old_vkey.clone(), sealing)?;
    let first = log_continues(&old_vkey.to_string(), &note, now_ms())?;
    let (key, file) = next.into_parts();
    append(to, origin, Box::new(key), new_vkey.clone(), first)?;
    // Last: until now the old log can be gone on with by another rotation.
    keyring.replace_log_key(&file)?;
    let (sealed, log) = (config.log.display(), to.display());
    let text = format!(
        "sealed {sealed}: its last entry names the new log\nbegun {log}: its first entry names the last checkpoint of the old one\nlog key, for auditors: {new_vkey}\n\n\
         next: in the table [keeper] of signer.toml, write\n  origin = \"{origin}\"\n  log = \"{log}\"\nthen enroll clients again, for their profiles name the log's key\n"
    );
    options.print(&json!({ "sealed": config.log, "log": to, "origin": origin, "vkey": new_vkey.to_string() }), &text)
}

/// Adds one entry to a log that nobody else writes; the checkpoint with it, as it is published.
fn append(dir: &Path, origin: &str, signer: Box<dyn NoteSigner>, key: VerifierKey, entry: NewEntry) -> Result<String, CliError> {
    let (mut log, _) = Log::open(LogConfig::new(dir, origin), signer, key)?;
    let appended = log.append_from_reserve(&[entry]).map_err(CliError::Append)?;
    let note = appended.checkpoint().note.clone();
    log.close().map_err(CliError::Publish)?;
    Ok(note)
}

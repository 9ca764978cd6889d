//! `chancery-keeper init`.

use super::{CliError, Options, now};
use crate::key::{Keyring, log_verifier_key};
use crate::passphrase::Passphrase;
use serde_json::json;

pub(super) fn init(options: &Options) -> Result<(), CliError> {
    let config = options.config()?;
    Keyring::check_absent(&config.keys)?;
    let passphrase = Passphrase::new(&options.source())?;
    Keyring::create(&config.keys, &passphrase, &config.origin, now())?;
    let vkey = log_verifier_key(&config.keys)?.to_string();
    let keys = config.keys.display();
    let text = format!(
        "made the keyring {keys}; without its passphrase nothing in it can be used, and nobody can restore it\n\
         verification key of the request log, for auditors: {vkey}\n"
    );
    options.print(&json!({ "keys": config.keys, "log_vkey": vkey }), &text)
}

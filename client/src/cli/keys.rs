//! `chancery keys`.

use super::error::CliError;
use super::output::Output;
use super::{Global, session};
use chancery::{Error, KeyComparison, KeyState, KeyVerdict};
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write as _;

const AFTER_HELP: &str = "Example:
  chancery keys
  chancery keys --json | jq -r '.keys[] | select(.verdict != \"pinned\") | .name'";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(crate) struct Keys {}

impl Keys {
    pub(crate) fn run(&self, global: &Global, output: Output) -> Result<(), CliError> {
        let profile = session::profile(global)?;
        let keys = session::wait(async { Ok(session::client(global, profile).await?.keys().await?) })?;
        let mut text = String::new();
        for key in &keys {
            let _ = writeln!(text, "{}", line(key));
            let _ = writeln!(text, "    {}  {}", public(key), key.constructions.join(" "));
        }
        output.result(text, &json!({ "keys": keys.iter().map(facts).collect::<Vec<_>>() }))?;
        judge(&keys)
    }
}

/// The error that differing or missing keys are.
pub(super) fn judge(keys: &[KeyComparison]) -> Result<(), CliError> {
    if let Some(misbehaviour) = keys.iter().find_map(KeyComparison::misbehaviour) {
        return Err(Error::from(misbehaviour).into());
    }
    let failed = keys.iter().filter(|k| k.verdict == KeyVerdict::Missing).count();
    if failed > 0 {
        return Err(CliError::Several { failed, all: keys.len(), what: "keys are pinned but the key host does not have them", code: 1 });
    }
    Ok(())
}

pub(super) fn line(key: &KeyComparison) -> String {
    let end = key.retires.map_or_else(String::new, |end| format!(", retired from {} on", time(end)));
    format!("{} version {}  {}{end}  {}", key.name, key.version, state(key.state), verdict(key.verdict))
}

pub(super) fn facts(key: &KeyComparison) -> Value {
    let verdict = match key.verdict {
        KeyVerdict::Pinned => "pinned",
        KeyVerdict::NotPinned => "not-pinned",
        KeyVerdict::Differs => "differs",
        KeyVerdict::Missing => "missing",
    };
    json!({
        "name": key.name,
        "version": key.version,
        "public_key": public(key),
        "constructions": key.constructions,
        "retires": key.retires,
        "state": state(key.state),
        "verdict": verdict,
    })
}

const fn state(state: KeyState) -> &'static str {
    match state {
        KeyState::Open => "open",
        KeyState::Locked => "locked",
        KeyState::Unreachable => "unreachable",
        KeyState::Unknown => "unknown",
    }
}

const fn verdict(verdict: KeyVerdict) -> &'static str {
    match verdict {
        KeyVerdict::Pinned => "the pinned key",
        KeyVerdict::NotPinned => "not pinned: its signatures are not believed here",
        KeyVerdict::Differs => "DIFFERS FROM THE PINNED KEY",
        KeyVerdict::Missing => "MISSING: pinned, but the key host does not have it",
    }
}

fn time(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|s| jiff::Timestamp::from_second(s).ok());
    time.map_or_else(|| seconds.to_string(), |time| time.to_string())
}

fn public(key: &KeyComparison) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(&key.public_key)
}

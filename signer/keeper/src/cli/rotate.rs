//! `chancery-keeper key rotate` and `key retire`.

use super::key::{facts, key_name};
use super::{CliError, Options, now, token};
use crate::config::Config;
use crate::key::{self, Keyring};
use crate::passphrase::Passphrase;
use crate::text::quote;
use clap::Args;

#[derive(Debug, Args)]
pub(super) struct Rotate {
    /// Name of the key.
    name: String,
    /// From when on the old version signs nothing, and the new one does: `now`, or a date such as 2027-01-01 or 2027-01-01T12:00:00Z.
    #[arg(long, value_name = "DATE", default_value = "now")]
    retire: String,
}

#[derive(Debug, Args)]
pub(super) struct Retire {
    /// Name of the key.
    name: String,
    /// Which version; without this the newest.
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    /// From when on: `now`, or a date such as 2027-01-01 or 2027-01-01T12:00:00Z.
    #[arg(long, value_name = "DATE")]
    on: String,
}

impl Rotate {
    pub(super) fn run(self, options: &Options, config: &Config) -> Result<(), CliError> {
        let (name, end) = (key_name(&self.name)?, date(&self.retire)?);
        let keyring = token::keyring_for(options, config, &name, true)?;
        let facts = facts(&keyring.rotate(&name, end, now())?);
        let text = format!(
            "made version {} of key {name}, which signs from {} on\npublic key: {}\n\
             next: give new profiles to all who verify (`chanceryd enroll`), then start the key host anew\n",
            facts.version,
            key::time_text(end),
            facts.public_key
        );
        options.print(&facts, &text)
    }
}

impl Retire {
    pub(super) fn run(self, options: &Options, config: &Config) -> Result<(), CliError> {
        let (name, end) = (key_name(&self.name)?, date(&self.on)?);
        let keyring = Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?;
        let facts = facts(&keyring.retire(&name, self.version, end, now())?);
        let end = key::time_text(end);
        let text = format!("version {} of key {name} signs nothing from {end} on\nnext: start the key host anew\n", facts.version);
        options.print(&facts, &text)
    }
}

/// Seconds since 1970.
fn date(text: &str) -> Result<u64, CliError> {
    let midnight = |day: jiff::civil::Date| day.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp());
    let time = text.parse::<jiff::Timestamp>().ok().or_else(|| midnight(text.parse().ok()?));
    let seconds = if text == "now" { Some(now()) } else { time.and_then(|time| u64::try_from(time.as_second()).ok()) };
    let seconds = seconds.ok_or_else(|| CliError::Usage {
        what: format!("{} is no date", quote(text)),
        instead: "write now, 2027-01-01 or 2027-01-01T12:00:00Z".to_owned(),
    })?;
    // A slip in the year would end a key at once, and nothing brings it back.
    if text != "now" && seconds <= now() {
        let instead = "write now to have it sign nothing from now on, or a time to come; what is retired does not come back".to_owned();
        return Err(CliError::Usage { what: format!("{} is over already", quote(text)), instead });
    }
    Ok(seconds)
}

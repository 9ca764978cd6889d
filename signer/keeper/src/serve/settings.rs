//! `signer.toml`, read again while requests go on.

use super::outbox::unrecorded;
use crate::config::{Config, ConfigError};
use crate::text::chain;
use chancery_channel::{Refusal, RefusalKind};
use chancery_journal::{Journal, Wanted, one_line};
use std::path::PathBuf;

/// The configuration in force, and what can be replaced of it.
#[derive(Debug)]
pub struct Settings {
    /// The key host's directory.
    pub dir: PathBuf,
    /// What the keeper was started with.
    pub running: Config,
    /// What it says on standard error.
    pub journal: Journal,
}

impl Settings {
    /// What the file says now, if nothing is wrong with it.
    pub(crate) fn text(&self) -> Result<String, Refusal> {
        Config::read_with_text(&self.dir).map(|(_, text)| text).map_err(|e| refused(&e))
    }

    /// Says as much from now on as the file wants.
    pub(crate) fn reload(&self) -> Result<(), Refusal> {
        let config = Config::read(&self.dir).map_err(|e| refused(&e))?;
        self.journal.set(&config.journal.level);
        let running = &self.running;
        if config != (Config { journal: Wanted { level: config.journal.level.clone(), ..running.journal.clone() }, ..running.clone() }) {
            tracing::warn!("signer.toml has other settings for the keeper than those in force; they take a restart");
        }
        Ok(())
    }
}

fn refused(error: &ConfigError) -> Refusal {
    unrecorded(RefusalKind::Invalid, "settings-refused", one_line(&chain(error)))
}

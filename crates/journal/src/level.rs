//! How much is said.

use tracing_subscriber::EnvFilter;

/// Longer than anything that somebody writes, in bytes.
const MAX: usize = 1024;
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// How much is said, after it was checked: a part of what `tracing_subscriber::EnvFilter` takes, since the program has no spans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Level(String);

/// Why a text says nothing of how much is to be said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelError {
    /// There is nothing in it, or far too much.
    #[error("write how much is to be said, such as \"info\"")]
    Length,
    /// A word that is no level would be taken for a part of the program, and hide everything else.
    #[error("`{0}` is no level; there are {all}; a part of the program has one behind it: \"info,chanceryd::accept=debug\"", all = LEVELS.join(", "))]
    Word(String),
    /// What stands before a level is no name.
    #[error("`{0}` is no part of a program; write it as in \"info,chanceryd::accept=debug\"")]
    Part(String),
}

impl Level {
    /// Takes `"info"`, `"debug"`, or `"info,chanceryd::accept=debug"`.
    ///
    /// # Errors
    /// [`LevelError`] says what to write.
    pub fn parse(text: &str) -> Result<Self, LevelError> {
        if text.trim().is_empty() || text.len() > MAX {
            return Err(LevelError::Length);
        }
        let directives: Result<Vec<String>, LevelError> = text.split(',').map(directive).collect();
        directives.map(|all| Self(all.join(",")))
    }

    pub(crate) fn filter(&self) -> EnvFilter {
        EnvFilter::new(&self.0)
    }
}

impl Default for Level {
    fn default() -> Self {
        Self("info".to_owned())
    }
}

/// `LEVEL` or `PART=LEVEL`.
fn directive(text: &str) -> Result<String, LevelError> {
    let (part, level) = text.split_once('=').map_or((None, text), |(part, level)| (Some(part.trim()), level));
    let level = level.trim().to_ascii_lowercase();
    if !LEVELS.contains(&level.as_str()) {
        return Err(LevelError::Word(level));
    }
    let is_name = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b':'));
    match part {
        None => Ok(level),
        Some(part) if is_name(part) => Ok(format!("{part}={level}")),
        Some(part) => Err(LevelError::Part(part.to_owned())),
    }
}

//! What gateway, keeper and relay say on standard error: how much, and in which form.
//!
//! Gateway and keeper read it from the same lines of `signer.toml`, so both understand the same by them.
#![forbid(unsafe_code)]

mod level;
mod line;
mod quiet;

pub use level::{Level, LevelError};
pub use quiet::Quiet;

use line::Lines;
use std::io::{self, IsTerminal as _};
use tracing::Subscriber;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

/// The environment variable that wins over `log` in `signer.toml`.
const VARIABLE: &str = "CHANCERY_LOG";

/// What `signer.toml` says of the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// `log`: how much is said.
    pub level: Level,
    /// `log_format`: in which form.
    pub format: Format,
}

/// The form of what is said. Either way one event is one line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object on each line.
    Json,
}

impl Format {
    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

/// The journal of this process, which goes on until the process ends.
#[derive(Debug)]
pub struct Journal {
    handle: reload::Handle<EnvFilter, Registry>,
    from_environment: bool,
}

impl Journal {
    /// Begins to write to standard error.
    #[must_use]
    pub fn start(wanted: &Wanted) -> Self {
        let said = std::env::var(VARIABLE).ok().filter(|said| !said.is_empty());
        let from_environment = said.as_deref().map(Level::parse);
        let level = match &from_environment {
            Some(Ok(level)) => level,
            _ => &wanted.level,
        };
        let colours = wanted.format == Format::Text && io::stderr().is_terminal();
        let (filter, handle) = reload::Layer::new(level.filter());
        let begun = tracing_subscriber::registry().with(filter).with(layer(wanted.format, colours, io::stderr)).try_init();
        drop(begun);
        if let Some(Err(error)) = &from_environment {
            tracing::warn!(%error, "{VARIABLE} is not understood; what signer.toml says counts");
        }
        Self { handle, from_environment: matches!(from_environment, Some(Ok(_))) }
    }

    /// Says as much as this from now on, unless the environment says how much.
    pub fn set(&self, level: &Level) {
        if !self.from_environment {
            // The other end is gone only where another subscriber was set before ours.
            drop(self.handle.reload(level.filter()));
        }
    }
}

/// Text over several lines, such as what is wrong with a file, in one.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

fn layer<S, W>(format: Format, colours: bool, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> tracing_subscriber::registry::LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let base = fmt::layer().with_ansi(colours).with_writer(Lines::new(writer, colours));
    match format {
        Format::Text => base.boxed(),
        Format::Json => base.json().flatten_event(true).boxed(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test stops at its first fault")]
mod tests;

//! What people and programs see.

use super::error::CliError;
use chancery::{Misbehaviour, printable};
use serde_json::{Value, json};
use std::fmt::Display;
use std::io::{self, Write as _};

/// Text or JSON, on standard output; faults and warnings for people on standard error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    muted: bool,
}

impl Output {
    pub(crate) const fn new(json: bool) -> Self {
        Self { json, muted: false }
    }

    /// Says nothing: for a command that is only asked what it would have signed.
    pub(crate) const fn muted() -> Self {
        Self { json: false, muted: true }
    }

    /// Prints the result of a command: text for people, or the same facts for programs.
    pub(crate) fn result(self, text: impl Display, facts: &Value) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        let printed = if self.json { writeln!(out, "{facts}") } else { write!(out, "{text}") };
        printed.and_then(|()| out.flush()).map_err(CliError::Print)
    }

    /// Something that does not end the command.
    pub(crate) fn warn(self, text: impl Display) {
        if self.muted {
            return;
        }
        let _ = writeln!(io::stderr().lock(), "warning: {text}");
    }

    /// What ends the command, or the work on one file of it.
    pub(crate) fn error(self, error: &CliError) {
        if self.json && !matches!(error, CliError::Several { .. }) {
            let _ = writeln!(io::stdout().lock(), "{}", json!({ "error": error.json() }));
        }
        self.explain(error);
    }

    /// The fault in text alone.
    pub(crate) fn explain(self, error: &CliError) {
        if self.muted {
            return;
        }
        let mut err = io::stderr().lock();
        let _ = writeln!(err, "error: {}", printable(&error.to_string()));
        for cause in error.causes() {
            let _ = writeln!(err, "  because {cause}");
        }
        if let Some(evidence) = error.misbehaviour().and_then(Misbehaviour::evidence) {
            let _ = writeln!(
                err,
                "keep these two checkpoints as evidence; seen before:\n\n{}\nshown now:\n\n{}",
                evidence.seen, evidence.shown
            );
        }
        if error.is_misbehaviour() {
            let _ = writeln!(err, "nothing was written; sign nothing more with this key host, and tell those who watch its log");
        }
    }
}

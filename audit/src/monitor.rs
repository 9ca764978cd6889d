//! `chancery-audit monitor`: says what is off, to people and to programs.

mod findings;
mod rules;
mod watch;

use crate::book::BookArgs;
use crate::error::AuditError;
use clap::Args;
use findings::{Finding, prometheus, run_hook};
use rules::Rules;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;
use watch::watch;

#[derive(Debug, Args)]
pub(crate) struct Monitor {
    #[command(flatten)]
    book: BookArgs,
    /// What to look for, in TOML
    #[arg(long, value_name = "FILE")]
    rules: PathBuf,
    /// Keep here how far the log was looked at; each entry is judged once
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// Look once and end: 0 nothing found, 1 something found
    #[arg(long)]
    once: bool,
    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// A program that gets each finding as a line of JSON on its standard input
    #[arg(long, value_name = "PROGRAM")]
    exec: Option<PathBuf>,
    /// Write counts of findings as metrics, for the text files that Prometheus' node exporter reads
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
}

/// What is kept between looks.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Memory {
    /// The first entry that was not judged yet.
    next: u64,
    /// Whether the last start was followed by a stop.
    running: bool,
    /// Digest of the policy in force.
    policy: Option<String>,
    /// Keys that were in service, in hex.
    keys: Vec<String>,
    /// Times of the newest refusals, in milliseconds.
    denials: VecDeque<u64>,
    /// When the log was last seen to grow, in milliseconds.
    grown: u64,
    /// Findings so far by rule.
    counts: std::collections::BTreeMap<String, u64>,
    /// The newest state that was signed of each ref: subject and ref, and the time that the content says.
    newest: std::collections::BTreeMap<String, u64>,
}

impl Monitor {
    pub(crate) fn run(&self, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        let rules = Rules::read(&self.rules)?;
        let mut memory = Memory::read(&self.state)?;
        let mut found_before = 0_usize;
        loop {
            let mut found = Vec::new();
            let looked = self.look(&rules, &mut memory, &mut found);
            let out_of_reach = match looked {
                Ok(()) => None,
                // What the log does wrong is the gravest finding; what is out of reach is one only when it stays so.
                Err(error @ AuditError::Log { .. }) => {
                    found.push(Finding::of_error(&self.book.log.log, &error));
                    Some(error)
                }
                Err(error) => Some(error),
            };
            for finding in &found {
                say(&format!("{}\n", finding.json()))?;
                let count = memory.counts.entry(finding.rule.to_owned()).or_default();
                *count = count.saturating_add(1);
                if let Some(program) = &self.exec {
                    run_hook(program, finding)?;
                }
            }
            if let Some(path) = &self.prometheus {
                prometheus(path, &memory.counts, memory.next, out_of_reach.is_none())?;
            }
            memory.save(&self.state)?;
            found_before = found_before.saturating_add(found.len());
            match out_of_reach {
                Some(error) if self.once || matches!(error, AuditError::Log { .. }) => return Err(error),
                Some(error) => crate::complain(&error, false),
                None if self.once && found_before > 0 => return Err(AuditError::Findings(found_before)),
                None if self.once => return Ok(()),
                None => {}
            }
            crate::wait(Duration::from_secs(self.interval));
        }
    }

    fn look(&self, rules: &Rules, memory: &mut Memory, found: &mut Vec<Finding>) -> Result<(), AuditError> {
        let book = self.book.open()?;
        watch(&book, rules, memory, crate::time::now().unsigned_abs(), found)
    }
}

impl Memory {
    fn read(path: &Path) -> Result<Self, AuditError> {
        match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| AuditError::Read { path: path.to_owned(), source: e.into() }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Self::default()),
            Err(source) => Err(AuditError::Read { path: path.to_owned(), source }),
        }
    }

    fn save(&self, path: &Path) -> Result<(), AuditError> {
        let bytes = serde_json::to_vec(self).map_err(|e| AuditError::Output(e.into()))?;
        chancery_reqlog::durable::write_atomic(path, &bytes, 0o600).map_err(AuditError::Save)
    }
}

impl Finding {
    fn json(&self) -> Value {
        json!({
            "time": self.time, "log": self.log, "index": self.index, "rule": self.rule, "severity": self.severity, "message": self.message,
            "key": self.key, "tbs": self.tbs, "decision": self.decision, "entries": self.entries,
        })
    }
}

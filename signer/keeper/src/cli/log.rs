//! `chancery-keeper log …`.

use super::{CliError, Options, remark};
use crate::key;
use chancery_reqlog::{Finding, Report, fsck};
use clap::Subcommand;
use serde_json::{Value, json};
use std::error::Error as _;
use std::io::{self, IsTerminal as _};

#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Verify the whole request log: every record, checkpoint, signature, detail and published file. Changes nothing; needs no
    /// passphrase. Exit code 4 when it is damaged.
    #[command(after_help = "Example:\n  chanceryd log fsck --explain --dir /etc/chancery")]
    Fsck {
        /// Say what to do about each finding.
        #[arg(long)]
        explain: bool,
    },
    /// Print the key that verifies the log's checkpoints; needs no passphrase.
    #[command(after_help = "Example:\n  chanceryd log vkey --dir /etc/chancery > log.vkey")]
    Vkey,
}

impl Log {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let config = options.config()?;
        let key = key::log_verifier_key(&config.keys)?;
        match self {
            Self::Vkey => options.print(&json!({ "vkey": key.to_string() }), &format!("{key}\n")),
            Self::Fsck { explain } => {
                if !config.log.join("wal").exists() {
                    return Err(CliError::NoLog { dir: config.log });
                }
                let on_terminal = io::stderr().is_terminal();
                let report = fsck(&config.log, &key, |entries| {
                    if on_terminal {
                        remark(&format!("\r{entries} entries verified"));
                    }
                });
                if on_terminal {
                    remark("\r\x1b[K");
                }
                options.print(&facts(&report), &text(&report, explain))?;
                if report.is_sound() { Ok(()) } else { Err(CliError::LogDamaged { dir: config.log }) }
            }
        }
    }
}

fn facts(report: &Report) -> Value {
    let findings: Vec<Value> = report
        .findings
        .iter()
        .map(|f| {
            json!({
                "file": f.file, "offset": f.offset, "index": f.index, "damage": f.problem.is_damage(),
                "problem": problem(f), "advice": f.problem.advice(),
            })
        })
        .collect();
    json!({
        "sound": report.is_sound(), "entries": report.size, "root": report.root.map(|r| r.to_string()), "published": report.published,
        "segments": report.segments, "records": report.records, "redacted": report.redacted, "findings": findings, "further": report.further,
    })
}

fn text(report: &Report, explain: bool) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        let byte = finding.offset.map(|o| format!(" at byte {o}")).unwrap_or_default();
        let entry = finding.index.map(|i| format!(" (entry {i})")).unwrap_or_default();
        out.push_str(&format!("{}{byte}{entry}: {}\n", finding.file.display(), problem(finding)));
        if explain {
            out.push_str(&format!("  {}\n", finding.problem.advice()));
        }
    }
    if report.further > 0 {
        out.push_str(&format!("and {} more findings\n", report.further));
    }
    let verdict = if report.is_sound() { "sound" } else { "DAMAGED" };
    out.push_str(&format!("{verdict}: {} entries in {} segments", report.size, report.segments));
    if let Some(root) = report.root {
        out.push_str(&format!(", root {root}"));
    }
    out.push_str(&report.published.map_or_else(|| ", nothing published\n".to_owned(), |n| format!(", {n} published\n")));
    out
}

fn problem(finding: &Finding) -> String {
    let cause = finding.problem.source().map(|e| format!(": {e}")).unwrap_or_default();
    format!("{}{cause}", finding.problem)
}

//! `chancery-keeper log …`.

use super::{CliError, Options, remark, rotate_log};
use crate::config::Config;
use crate::key::{self, Keyring};
use crate::passphrase::Passphrase;
use crate::record::Recorder;
use crate::serve::now_ms;
use crate::text::{chain, quote};
use chancery_reqlog::{Directory, Finding, LogConfig, Report, disclose, fsck, mirror, redact, redact_older, restored};
use chancery_tlog::Checkpoint;
use clap::Subcommand;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error as _;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

/// A checkpoint with many cosignatures is not longer, in bytes.
const MAX_NOTE: usize = 64 * 1024;

#[derive(Debug, Subcommand)]
pub(super) enum Log {
    /// Verify the whole request log: every record, checkpoint, signature, detail and published file. Changes nothing; needs no
    /// passphrase. Exit code 4 when it is damaged.
    #[command(
        visible_alias = "scrub",
        after_help = "Example:\n  chanceryd log fsck --explain --dir /etc/chancery\n\nThe key host may be serving meanwhile: have it run by a timer, so that a flipped bit on the disk is noticed while there is another copy."
    )]
    Fsck {
        /// Say what to do about each finding.
        #[arg(long)]
        explain: bool,
    },
    /// Print private fields of entries, each so that it can be checked against the public log; needs no passphrase.
    ///
    /// One line of JSON a field, for `chancery-audit`: the value, its salt, and its way to the commitment in the entry. Fields that are not
    /// named stay private. The key host may be serving meanwhile.
    #[command(
        after_help = "Example:\n  chanceryd log disclose 7 subject principal --dir /etc/chancery > entry-7.jsonl\n  chanceryd log disclose 0.. --dir /etc/chancery > everything.jsonl"
    )]
    Disclose {
        /// An index, a range such as 10..20, or 10.. for all from there on.
        #[arg(value_name = "ENTRIES")]
        entries: String,
        /// Names of fields; all fields when none is named.
        fields: Vec<String>,
    },
    /// Delete private fields of an entry for good; the public log and every proof stay as they are. The key host must not be serving.
    #[command(
        after_help = "Example:\n  chanceryd log redact 7 principal --dir /etc/chancery\n  chanceryd log redact --older-than 365 --dir /etc/chancery\n\nBackups and the disk's old blocks are not reached. `facts`, `message` and `payload` may name the same thing again."
    )]
    Redact {
        /// The entry, and names of fields; all fields when none is named. With --older-than names of fields alone.
        #[arg(value_name = "INDEX|FIELD", required_unless_present = "older_than")]
        what: Vec<String>,
        /// Of all entries that are older than so many days, instead of one.
        #[arg(long, value_name = "DAYS")]
        older_than: Option<u32>,
    },
    /// Copy the public files to another directory, such as one that a web server serves; needs no passphrase.
    ///
    /// Each file is verified before it is copied, and the checkpoint is replaced last. Run it again to bring the copy up to date; a log
    /// that went back or forked is refused. The key host may be serving meanwhile.
    #[command(after_help = "Example:\n  chanceryd log export /srv/www/requests --dir /etc/chancery")]
    Export {
        /// The directory; it is made if need be.
        #[arg(value_name = "DIR")]
        to: PathBuf,
    },
    /// Begin another log under another name and key, and seal this one: each names the other, so that nobody can put a third between them.
    /// The key host must not be serving. What was signed before stays provable by the old log, whose key is gone afterwards.
    #[command(
        after_help = "Example:\n  chanceryd log rotate signer.example.org/requests-2027 /etc/chancery/log-2027 --dir /etc/chancery\n  chancery-audit bound /etc/chancery/log/public /etc/chancery/log-2027/public --vkey OLD \\\n      --next-vkey NEW"
    )]
    Rotate {
        /// Name of the new log, like a URL without scheme.
        origin: String,
        /// The directory of the new log; it must not be there yet.
        to: PathBuf,
    },
    /// Let a restored key host sign again, when its log is not older than what others hold.
    ///
    /// The checkpoint must be signed by the log, and the log must have all entries that it says, unchanged. That it was accepted is
    /// recorded.
    #[command(
        after_help = "Example:\n  chanceryd log accept --checkpoint web1.checkpoint --dir /etc/chancery\n\nA publisher keeps the newest checkpoint that it saw beside its profile; a witness cosigns them. Take the newest of all: one that is too old would not show that the backup is."
    )]
    Accept {
        /// A file with the newest checkpoint that a publisher or a witness holds.
        #[arg(long, value_name = "FILE")]
        checkpoint: PathBuf,
    },
    /// Print the key that verifies the log's checkpoints; needs no passphrase.
    #[command(after_help = "Example:\n  chanceryd log vkey --dir /etc/chancery > log.vkey")]
    Vkey,
}

impl Log {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        if let Self::Rotate { origin, to } = &self {
            return rotate_log::rotate(options, origin, to);
        }
        let config = options.config()?;
        let key = key::log_verifier_key(&config.keys)?;
        match self {
            Self::Disclose { entries, fields } => print_disclosed(&config.log, &entries, &fields),
            Self::Redact { what, older_than: Some(days) } => {
                let fields: Vec<&str> = what.iter().map(String::as_str).collect();
                let before = now_ms().saturating_sub(u64::from(days).saturating_mul(86_400_000));
                let changed = redact_older(&config.log, before, &fields)?;
                options.print(&json!({ "redacted": changed }), &format!("redacted {changed} entries\n"))
            }
            Self::Redact { what, older_than: None } => {
                let all: Vec<&str> = what.iter().map(String::as_str).collect();
                let (index, fields) = all.split_first().unwrap_or((&"", &[]));
                let usage = |_| CliError::Usage { what: format!("{index:?} is not an entry's index"), instead: String::new() };
                let index = index.parse().map_err(usage)?;
                let changed = redact(&config.log, index, fields)?;
                let text = if changed { "redacted" } else { "nothing to redact: the entry has no such field, or it was redacted before" };
                options.print(&json!({ "index": index, "redacted": changed }), &format!("{text}\n"))
            }
            Self::Export { to } => {
                let made = mirror(Directory::new(config.log.join("public")), &to, &key, |_| {})?;
                let facts = json!({ "before": made.before, "entries": made.entries, "files": made.files });
                options.print(&facts, &format!("{} has {} entries now; {} files were written\n", to.display(), made.entries, made.files))
            }
            Self::Rotate { .. } => Ok(()),
            Self::Accept { checkpoint } => accept(options, &config, &checkpoint),
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

fn accept(options: &Options, config: &Config, file: &Path) -> Result<(), CliError> {
    if !restored::is_marked(&config.log) {
        return Err(CliError::NotRestored { dir: config.log.clone() });
    }
    let key = key::log_verifier_key(&config.keys)?;
    let none = || CliError::NoCheckpoint { file: file.to_owned() };
    let bytes = std::fs::File::open(file).and_then(|file| crate::guarded::read_to_end(file, MAX_NOTE));
    let bytes = bytes.map_err(|source| CliError::File { path: file.to_owned(), source })?.ok_or_else(none)?;
    let note = String::from_utf8(bytes.to_vec()).map_err(|_| none())?;
    let theirs = Checkpoint::open(&note, &key).ok().filter(|c| c.size > 0).ok_or_else(none)?;
    let signer = Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?.log_key()?;
    let log_config = LogConfig {
        segment_bytes: config.limits.segment,
        seen: vec![note],
        accept_restored: true,
        ..LogConfig::new(&config.log, &config.origin)
    };
    let (log, recovery) = chancery_reqlog::Log::open(log_config, Box::new(signer), key)
        .map_err(|source| CliError::NotAccepted { file: file.to_owned(), source })?;
    Recorder::new(log, 0)?.accept(theirs.size, now_ms()).map_err(|why| CliError::Unrecorded { why })?;
    restored::unmark(&config.log).map_err(|e| CliError::Unrecorded { why: chain(&e) })?;
    let facts = json!({ "entries": recovery.size, "checkpoint": theirs.size });
    let text = format!(
        "accepted: the log has {} entries, and all {} of the checkpoint unchanged\nnext: chanceryd serve --dir {}\n",
        recovery.size,
        theirs.size,
        options.dir.display()
    );
    options.print(&facts, &text)
}

fn print_disclosed(log: &Path, entries: &str, fields: &[String]) -> Result<(), CliError> {
    let usage = || CliError::Usage {
        what: format!("{entries:?} is neither an index nor a range"),
        instead: "write 7, 10..20, or 10.. for all from there on".to_owned(),
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| usage());
    // What is not published yet, no auditor could check.
    let published = || {
        let note = std::fs::read_to_string(log.join("public/checkpoint")).map_err(|_| CliError::NoLog { dir: log.to_owned() })?;
        note.lines().nth(1).and_then(|size| size.parse::<u64>().ok()).ok_or_else(|| CliError::NoLog { dir: log.to_owned() })
    };
    let range = match entries.split_once("..") {
        Some((from, "")) => number(from)?..published()?,
        Some((from, to)) => number(from)?..number(to)?,
        None => number(entries)?..number(entries)?.saturating_add(1),
    };
    if range.is_empty() {
        return Err(usage());
    }
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut missing: BTreeSet<&str> = fields.iter().copied().collect();
    disclose(log, range, &fields, |disclosed| {
        missing.remove(disclosed.disclosure.field.name());
        writeln!(out, "{}", disclosed.to_json())
    })?;
    out.flush().map_err(CliError::Output)?;
    for name in missing {
        remark(&format!("warning: none of these entries has a field {}, or it was redacted; without names all are printed\n", quote(name)));
    }
    Ok(())
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

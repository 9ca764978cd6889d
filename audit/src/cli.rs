//! The command line.

use crate::book::{BookArgs, LogArgs};
use crate::bound::Bound;
use crate::console::{self, Serve};
use crate::error::AuditError;
use crate::follow::Follow;
use crate::index;
use crate::monitor::Monitor;
use crate::place::Place;
use crate::reconcile::Reconcile;
use crate::report::Report;
use crate::search::{Prove, Search, show_one};
use crate::show::{Which, show};
use crate::state::State;
use crate::verify::verify;
use crate::witness::Witness;
use chancery_reqlog::mirror;
use clap::{CommandFactory as _, Parser, Subcommand};
use serde_json::json;
use std::io::Write as _;
use std::path::PathBuf;

/// Verifies the request log of a Chancery key host, from static files and one key alone.
#[derive(Debug, Parser)]
#[command(
    name = "chancery-audit",
    version,
    after_help = "Example:\n  chancery-audit verify https://log.example.org/requests --vkey-file log.vkey \\\n      --state seen.checkpoint\n  chancery-audit show /srv/log 10..20 --vkey-file log.vkey\n\nExit codes: 0 done, 1 failed, 2 usage, 3 the files cannot be reached, 4 the log misbehaved."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Verify every file of the log, and that it extends what was verified before.
    #[command(after_help = "Example:\n  chancery-audit verify /srv/log --vkey-file log.vkey --state seen.checkpoint")]
    Verify {
        #[command(flatten)]
        log: LogArgs,
        /// Keep the verified checkpoint here; the next run fails when the log went back or forked since.
        #[arg(long, value_name = "FILE")]
        state: Option<PathBuf>,
        /// Read only the entries that came after the state; that the older ones are still in the tree as they were is proved without reading them.
        #[arg(long, requires = "state")]
        only_new: bool,
    },
    /// Show entries; each is led back to the signed checkpoint before it is shown.
    #[command(
        after_help = "Example:\n  chancery-audit show /srv/log 10..20 --vkey-file log.vkey --json\n  chancery-audit show /srv/log 7 --vkey-file log.vkey --details entry-7.jsonl"
    )]
    Show {
        #[command(flatten)]
        book: BookArgs,
        /// An index, a range such as 10..20, or a request id; without it all entries.
        entries: Option<String>,
    },
    /// Find entries by key, digest, principal, subject, ref, time, decision; what is found is led back to the signed checkpoint.
    #[command(
        after_help = "Example:\n  chancery-audit search /srv/log --vkey-file log.vkey --index log.db --kind deny --since 24h\n  chancery-audit search /srv/log --vkey-file log.vkey --index log.db --details all.jsonl \\\n      --ref app/tool/x86_64/stable"
    )]
    Search(Search),
    /// Print every entry once, as it comes: one JSON object a line, to standard output, a file, journald or syslog.
    #[command(
        after_help = "Example:\n  chancery-audit follow https://log.example.org/requests --vkey-file log.vkey \\\n      --state siem.checkpoint --to syslog:siem.example.org:514\n\nThe key host does not notice who follows: a reader that hangs delays no signature."
    )]
    Follow(Follow),
    /// Make the receipt of a past entry again.
    #[command(after_help = "Example:\n  chancery-audit prove /srv/log 7 --vkey-file log.vkey --out entry-7.tlog-proof")]
    Prove(Prove),
    /// Compare published signatures with the entries, both ways.
    #[command(
        after_help = "Example:\n  for f in *.tar.gz; do chancery verify sshsig $f --public-key release.pub --json; done \\\n      > published.jsonl\n  chancery-audit reconcile /srv/log --vkey-file log.vkey --published published.jsonl \\\n      --construction sshsig"
    )]
    Reconcile(Reconcile),
    /// Sum up a period: signatures and refusals by key, principal and subject, policy changes, starts and stops.
    #[command(
        after_help = "Example:\n  chancery-audit report /srv/log --vkey-file log.vkey --index log.db --details all.jsonl \\\n      --since 2026-11-01 --until 2026-12-01\n  chancery-audit report /srv/log --vkey-file log.vkey --format html --out november.html"
    )]
    Report(Report),
    /// Look for what is off, and say so: one finding a line of JSON.
    #[command(
        after_help = "Example:\n  chancery-audit monitor /srv/log --vkey-file log.vkey --rules rules.toml --state monitor.json \\\n      --once\n\nExit codes with --once: 0 nothing found, 1 something found, 3 the files cannot be reached, 4 the log misbehaved."
    )]
    Monitor(Monitor),
    /// Serve the record as pages for browsers, read-only: on this machine, or to holders of a client certificate.
    #[command(
        after_help = "Example:\n  chancery-audit serve /srv/log --vkey-file log.vkey --index log.db --details all.jsonl \\\n      --listen 127.0.0.1:8080\n\nPrints `chancery-audit console ready on URL` once pages are served. SIGTERM ends it."
    )]
    Serve(Serve),
    /// Check that a log goes on from one that was sealed (`chanceryd log rotate`): each names the other.
    #[command(after_help = "Example:\n  chancery-audit bound /srv/requests /srv/requests-2027 --vkey OLD --next-vkey NEW")]
    Bound(Bound),
    /// Print completions for a shell.
    #[command(after_help = "Example:\n  chancery-audit completions bash > /usr/share/bash-completion/completions/chancery-audit")]
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Be a witness: cosign checkpoints of logs that never go back.
    #[command(subcommand)]
    Witness(Witness),
    /// Write a page that verifies receipts in a browser, without a server or a network.
    #[command(after_help = "Example:\n  chancery-audit verifier --out verify.html")]
    Verifier {
        /// Where the page is written.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Copy a log, and bring the copy up to date: only what is verified, never backwards.
    #[command(after_help = "Example:\n  chancery-audit mirror https://log.example.org/requests /srv/mirror --vkey-file log.vkey")]
    Mirror {
        #[command(flatten)]
        log: LogArgs,
        /// The directory of the copy; it is made if need be.
        #[arg(value_name = "COPY")]
        to: PathBuf,
    },
}

impl Cli {
    /// Whether programs read what is printed.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    pub(crate) fn run(self) -> Result<(), AuditError> {
        match self.command {
            Command::Verify { log, state, only_new } => {
                let key = log.key()?;
                let state = state.map(|path| State::read(&path, &key)).transpose()?;
                let verified = verify(Place::new(&log.log), &key, state.as_ref(), only_new)?;
                if self.json {
                    let json = serde_json::to_string(&verified).map_err(|e| AuditError::Output(e.into()))?;
                    say(&format!("{json}\n"))
                } else {
                    say(&verified.text())
                }
            }
            Command::Show { book, entries } => match entries.map(|text| (text.parse::<Which>(), text)) {
                Some((Err(error), text)) if index::unhex(&text).is_none() => Err(error),
                Some((Err(_), text)) => say(&show_one(&book.open()?, &text, self.json)?),
                Some((Ok(Which::Some(range)), text)) if range.end.checked_sub(range.start) == Some(1) => {
                    say(&show_one(&book.open()?, text.split("..").next().unwrap_or(&text), self.json)?)
                }
                Some((Ok(which), _)) => show(Place::new(&book.log.log), &book.log.key()?, &which, self.json, say),
                None => show(Place::new(&book.log.log), &book.log.key()?, &Which::All, self.json, say),
            },
            Command::Search(search) => search.run(self.json, say),
            Command::Follow(follow) => follow.run(),
            Command::Prove(prove) => prove.run(self.json, say),
            Command::Reconcile(reconcile) => reconcile.run(self.json, say),
            Command::Report(report) => report.run(self.json, say),
            Command::Monitor(monitor) => monitor.run(say),
            Command::Witness(witness) => witness.run(say),
            Command::Completions { shell } => {
                // Straight to a pipe that was closed, it would panic.
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Self::command(), "chancery-audit", &mut script);
                say(&String::from_utf8_lossy(&script))
            }
            Command::Bound(bound) => bound.run(self.json, say),
            Command::Serve(serve) => serve.run(),
            Command::Verifier { out } => {
                chancery_reqlog::durable::write_atomic(&out, console::verifier_file().as_bytes(), 0o644).map_err(AuditError::Save)?;
                let line = format!("{} verifies receipts in a browser\n", out.display());
                say(&if self.json { format!("{}\n", json!({ "page": out })) } else { line })
            }
            Command::Mirror { log, to } => {
                let made = mirror(Place::new(&log.log), &to, &log.key()?, |_| {}).map_err(AuditError::Mirror)?;
                let facts = json!({ "before": made.before, "entries": made.entries, "files": made.files });
                let line = format!("{} has {} entries now; {} files were written\n", to.display(), made.entries, made.files);
                say(&if self.json { format!("{facts}\n") } else { line })
            }
        }
    }
}

fn say(text: &str) -> Result<(), AuditError> {
    std::io::stdout().lock().write_all(text.as_bytes()).map_err(AuditError::Output)
}

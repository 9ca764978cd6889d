//! `chancery-audit follow`: every entry once, as it comes, for people and for the systems that watch.

mod sink;

use crate::book::LogArgs;
use crate::error::AuditError;
use crate::place::Place;
use crate::state::State;
use chancery_reqlog::{Leaf, StaticLog};
use chancery_tlog::VerifierKey;
use clap::Args;
use serde_json::{Value, json};
use sink::{Sink, To};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Debug, Args)]
pub(crate) struct Follow {
    #[command(flatten)]
    log: LogArgs,
    /// Keep the verified checkpoint here, and go on from there the next time. It is saved after the entries were handed on, so none is lost; the
    /// last ones may come twice, with the same `id`
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Begin at this entry instead of where the state says, or of the log's end
    #[arg(long, value_name = "INDEX")]
    from: Option<u64>,
    /// End when all is handed on, instead of waiting for more
    #[arg(long)]
    once: bool,
    /// How often to look
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    interval: u64,
    /// Where to: - (standard output), file:PATH (appended), journald, syslog:HOST:PORT or syslog:PATH (RFC 5424)
    #[arg(long, value_name = "TARGET", default_value = "-")]
    to: To,
    /// Write how far it is as metrics, for the text files that Prometheus' node exporter reads
    #[arg(long, value_name = "FILE")]
    prometheus: Option<PathBuf>,
}

/// One entry, for programs.
pub(crate) fn event(origin: &str, index: u64, bytes: &[u8]) -> Value {
    let entry = serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    json!({ "id": format!("{origin}#{index}"), "log": origin, "index": index, "entry": entry })
}

impl Follow {
    pub(crate) fn run(&self) -> Result<(), AuditError> {
        let key = self.log.key()?;
        let mut sink = Sink::open(&self.to)?;
        let mut state = self.state.as_deref().map(|path| State::read(path, &key)).transpose()?;
        let mut next = match (self.from, &state) {
            (Some(from), _) => Some(from),
            (None, Some(state)) => Some(state.earlier.as_ref().map_or(0, |e| e.checkpoint.size)),
            // Without a state, what comes from now on, as `tail -f` does; with --once, all.
            (None, None) => self.once.then_some(0),
        };
        loop {
            match self.pass(&key, &mut sink, state.as_mut(), next) {
                Ok(reached) => next = Some(reached),
                // Out of reach is not misbehaviour: it is tried again, and the metrics say that it lags.
                Err(error @ (AuditError::Unreadable(_) | AuditError::NoLog | AuditError::Sink { .. })) if !self.once => {
                    crate::complain(&error, false);
                }
                Err(error) => return Err(error),
            }
            if self.once {
                return Ok(());
            }
            crate::wait(Duration::from_secs(self.interval));
        }
    }

    /// Hands on what is new, and returns where to go on.
    fn pass(&self, key: &VerifierKey, sink: &mut Sink, state: Option<&mut State>, next: Option<u64>) -> Result<u64, AuditError> {
        let seen = state.as_ref().and_then(|s| s.earlier.as_ref());
        let failed = |error| AuditError::of_log(error, seen.map(|e| e.note.as_str()));
        let log = StaticLog::open(Place::new(&self.log.log), key).map_err(failed)?;
        if let Some(earlier) = seen {
            log.check_extends(&earlier.checkpoint).map_err(failed)?;
        }
        let signed = log.checkpoint();
        let size = signed.checkpoint.size;
        let from = next.unwrap_or(size).min(size);
        let mut newest = None;
        for entry in log.entries(from..size) {
            let (index, bytes) = entry.map_err(failed)?;
            newest = Leaf::parse(&bytes).ok().map(|leaf| (leaf.time, leaf.decision)).or(newest);
            sink.write(&signed.checkpoint.origin, index, &bytes)?;
        }
        sink.flush()?;
        if let Some(path) = &self.prometheus {
            metrics(path, size, newest.map(|(time, _)| time))?;
        }
        if let Some(state) = state {
            state.advance(signed)?;
        }
        Ok(size)
    }
}

fn metrics(path: &std::path::Path, size: u64, newest: Option<u64>) -> Result<(), AuditError> {
    let now = crate::time::now().div_euclid(1000);
    let mut text = format!(
        "# HELP chancery_audit_followed_entries Entries that were handed on.\n# TYPE chancery_audit_followed_entries counter\n\
         chancery_audit_followed_entries {size}\n\
         # HELP chancery_audit_followed_timestamp_seconds When they last were.\n# TYPE chancery_audit_followed_timestamp_seconds gauge\n\
         chancery_audit_followed_timestamp_seconds {now}\n"
    );
    if let Some(ms) = newest {
        text.push_str(&format!(
            "# HELP chancery_audit_newest_entry_timestamp_seconds Time of the newest entry.\n# TYPE chancery_audit_newest_entry_timestamp_seconds \
             gauge\nchancery_audit_newest_entry_timestamp_seconds {}\n",
            ms.div_euclid(1000)
        ));
    }
    chancery_reqlog::durable::write_atomic(path, text.as_bytes(), 0o644).map_err(AuditError::Save)
}

//! `chancery-audit report`: what happened in a period, in numbers.

mod render;

use crate::book::{Book, BookArgs};
use crate::error::AuditError;
use crate::index::Filter;
use crate::show::hex;
use crate::time::{Moment, now, show};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::path::PathBuf;

/// More of one kind are summed up in the last line.
const ROWS: u32 = 50;

#[derive(Debug, Args)]
pub(crate) struct Report {
    #[command(flatten)]
    book: BookArgs,
    /// The beginning: 2026-11-01, 2026-11-01T06:00:00Z, or so long ago
    #[arg(long, value_name = "TIME", default_value = "30d")]
    since: Moment,
    /// The end [default: now]
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// In which form
    #[arg(long, value_enum, default_value = "markdown")]
    format: Format,
    /// Where to, instead of standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Markdown,
    Csv,
    Json,
    Html,
}

/// What a report says.
#[derive(Debug, Serialize)]
pub(crate) struct Summary {
    pub(crate) log: String,
    pub(crate) since: String,
    pub(crate) until: String,
    pub(crate) entries_in_log: u64,
    pub(crate) root: String,
    pub(crate) checkpoint: String,
    pub(crate) sections: Vec<Section>,
    pub(crate) events: Vec<Event>,
}

/// Counts by one thing, the greatest first.
#[derive(Debug, Serialize)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) counts: Vec<(String, u64)>,
}

/// What is not a request: starts, policies, keys, the clock.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    pub(crate) index: u64,
    pub(crate) time: String,
    pub(crate) what: String,
}

impl Report {
    pub(crate) fn run(&self, as_json: bool, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        let book = self.book.open()?;
        let until = self.until.unwrap_or(Moment(now()));
        if until.0 <= self.since.0 {
            return Err(AuditError::Usage("the period ends before it begins".to_owned()));
        }
        let summary = summary(&book, self.since, until)?;
        let text = match if as_json { Format::Json } else { self.format } {
            Format::Markdown => render::markdown(&summary),
            Format::Csv => render::csv(&summary),
            Format::Html => render::html(&summary),
            Format::Json => format!("{}\n", serde_json::to_string_pretty(&summary).map_err(|e| AuditError::Output(e.into()))?),
        };
        match &self.out {
            Some(path) => chancery_reqlog::durable::write_atomic(path, text.as_bytes(), 0o644).map_err(AuditError::Save),
            None => say(&text),
        }
    }
}

fn summary(book: &Book, since: Moment, until: Moment) -> Result<Summary, AuditError> {
    let period = Filter { since: Some(since), until: Some(until), ..Filter::default() };
    let signed = Filter { kind: Some("sign".to_owned()), ..period.clone() };
    let denied = Filter { kind: Some("deny".to_owned()), ..period.clone() };
    let field = |name: &str| format!("(SELECT value FROM field f WHERE f.idx = entry.idx AND f.name = '{name}')");
    let by = |name, filter: &Filter, by: &str| Ok::<_, AuditError>(Section { name, counts: filter.count(&book.index, by, ROWS)? });
    let mut sections = vec![
        by("Entries by kind", &period, "kind")?,
        by("Signatures by key", &signed, "lower(hex(key))")?,
        by("Signatures by construction", &signed, "construction")?,
        by("Signatures by principal", &signed, &field("principal"))?,
        by("Signatures by subject", &signed, &field("subject"))?,
        by("Refusals by reason", &denied, "reason")?,
        by("Refusals by principal", &denied, &field("principal"))?,
        by("Refusals by subject", &denied, &field("subject"))?,
        by("Policies in force", &period, "lower(hex(policy))")?,
    ];
    for (key, _) in sections.iter_mut().filter(|s| s.name.ends_with("by key")).flat_map(|s| &mut s.counts) {
        if let Some(name) = crate::index::unhex(key).map(|id| book.index.key_name(&id)).transpose()?.flatten() {
            *key = format!("{name} ({key})");
        }
    }
    sections.push(Section { name: "Microseconds from request to entry", counts: waited(book, since, until)? });
    sections.retain(|section| !section.counts.is_empty());
    let checkpoint = book.log.checkpoint();
    Ok(Summary {
        log: book.origin().to_owned(),
        since: show(since.0.unsigned_abs()),
        until: show(until.0.unsigned_abs()),
        entries_in_log: book.size(),
        root: checkpoint.checkpoint.root.to_string(),
        checkpoint: checkpoint.note.clone(),
        sections,
        events: events(book, &period)?,
    })
}

/// How long requests took to be recorded, where that was disclosed.
fn waited(book: &Book, since: Moment, until: Moment) -> Result<Vec<(String, u64)>, AuditError> {
    let sql = "SELECT CAST(f.value AS INTEGER) FROM field f JOIN entry e ON e.idx = f.idx WHERE f.name = 'waited-us' AND e.time >= ?1 AND e.time < ?2 \
               ORDER BY 1";
    let all = book.index.query(sql, &[&since.0, &until.0], |row| row.get::<_, i64>(0))?;
    let part = |hundredth: usize| {
        let place = all.len().saturating_sub(1).saturating_mul(hundredth).checked_div(100)?;
        all.get(place).map(|us| us.unsigned_abs())
    };
    let parts = [("half of them within", 50), ("95 of 100 within", 95), ("99 of 100 within", 99), ("all within", 100)];
    Ok(parts.into_iter().filter_map(|(name, hundredth)| Some((name.to_owned(), part(hundredth)?))).collect())
}

fn events(book: &Book, period: &Filter) -> Result<Vec<Event>, AuditError> {
    let mut events = Vec::new();
    for kind in ["start", "stop", "policy", "key", "clock", "witness", "rotate", "failed", "unknown"] {
        let filter = Filter { kind: Some(kind.to_owned()), ..period.clone() };
        for row in filter.find(&book.index, None, 1000)? {
            let shown = book.shown_row(&row)?;
            let mut what = row.kind.clone();
            for more in [row.reason.clone(), shown.key_name.clone(), row.key.as_deref().filter(|_| kind == "key").map(hex)] {
                what.extend(more.iter().flat_map(|m| [" ", m]));
            }
            if let Some(policy) = row.policy.as_deref().filter(|_| kind == "policy") {
                what.push_str(&format!(" sha256:{}", hex(policy)));
            }
            events.push(Event { index: row.index, time: show(row.time), what });
        }
    }
    events.sort_by_key(|event| event.index);
    Ok(events)
}

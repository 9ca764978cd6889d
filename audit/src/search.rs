//! `chancery-audit search`, `show` of one entry, and `prove`.

use crate::book::{Book, BookArgs};
use crate::error::AuditError;
use crate::index::Filter;
use crate::show::text;
use chancery_reqlog::durable::write_atomic;
use clap::Args;
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Search {
    #[command(flatten)]
    book: BookArgs,
    #[command(flatten)]
    filter: Filter,
    /// Show at most so many, the newest
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Prove {
    #[command(flatten)]
    book: BookArgs,
    /// An index or a request id
    #[arg(value_name = "INDEX|REQUEST-ID")]
    entry: String,
    /// Where the receipt is written
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Search {
    pub(crate) fn run(&self, as_json: bool, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        let book = self.book.open()?;
        self.filter.check(&book.index)?;
        let found = self.filter.find(&book.index, None, self.limit)?;
        for row in found.iter().rev() {
            let shown = book.shown_row(row)?;
            say(&if as_json { format!("{}\n", shown.json()) } else { text(&shown) })?;
        }
        if !as_json {
            let more = if u32::try_from(found.len()).is_ok_and(|n| n == self.limit) { "; there may be older ones (--limit)" } else { "" };
            say(&format!("{} of {} entries{more}\n", found.len(), book.size()))?;
        }
        Ok(())
    }
}

impl Prove {
    pub(crate) fn run(&self, as_json: bool, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        let book = self.book.open()?;
        let index = book.find(&self.entry)?;
        let receipt = book.log.receipt(index).map_err(|e| AuditError::of_log(e, None))?;
        write_atomic(&self.out, &receipt, 0o644).map_err(AuditError::Save)?;
        let facts = json!({ "index": index, "receipt": self.out, "log_size": book.size() });
        let line = format!("entry {index} of {}: receipt in {}\n", book.origin(), self.out.display());
        say(&if as_json { format!("{facts}\n") } else { line })
    }
}

/// One entry with all that is known of it.
pub(crate) fn show_one(book: &Book, entry: &str, as_json: bool) -> Result<String, AuditError> {
    let shown = book.shown(book.find(entry)?)?;
    if as_json {
        return Ok(format!("{}\n", shown.json()));
    }
    let mut out = text(&shown);
    for (name, value) in &shown.fields {
        for (number, line) in value.lines().enumerate() {
            let _ = writeln!(out, "          {:<12} {line}", if number == 0 { name } else { "" });
        }
    }
    Ok(out)
}

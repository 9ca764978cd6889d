//! `chancery-audit reconcile`: published signatures beside entries, both ways.

use crate::book::BookArgs;
use crate::error::AuditError;
use crate::index::{Filter, unhex};
use clap::Args;
use serde::Deserialize;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Reconcile {
    #[command(flatten)]
    book: BookArgs,
    /// What `chancery verify … --json` printed of each published signature, a line each
    #[arg(long, value_name = "FILE", required = true)]
    published: Vec<PathBuf>,
    #[command(flatten)]
    filter: Filter,
}

/// Of a line only this is looked at.
#[derive(Deserialize)]
struct Published {
    key_id: String,
    tbs_sha256: String,
    #[serde(default)]
    what: String,
}

/// A key and what it signed.
type Signature = (Vec<u8>, Vec<u8>);

impl Reconcile {
    pub(crate) fn run(&self, as_json: bool, say: impl Fn(&str) -> Result<(), AuditError>) -> Result<(), AuditError> {
        let book = self.book.open()?;
        let mut published = self.published()?;
        let (all, mut missing, mut recorded) = (published.len(), 0_u64, 0_u64);
        let filter = Filter { kind: Some("sign".to_owned()), ..self.filter.clone() };
        let (mut before, mut unpublished) = (None, Vec::new());
        // Every entry is asked for, a page at a time, so that memory does not grow with the log.
        loop {
            let page = filter.find(&book.index, before, 10_000)?;
            let Some(last) = page.last() else { break };
            before = Some(last.index);
            for row in page {
                let Some(signature) = row.key.clone().zip(row.tbs.clone()) else { continue };
                match published.get_mut(&signature) {
                    Some((_, found)) => *found = true,
                    None => unpublished.push(row),
                }
                recorded = recorded.saturating_add(1);
            }
        }
        // A signature made outside the asked period has its entry all the same.
        for (signature, (what, found)) in &mut published {
            if !*found {
                let sql = "SELECT count(*) FROM entry WHERE tbs = ?1 AND key = ?2 AND kind = 'sign'";
                let known = book.index.query(sql, &[&signature.1, &signature.0], |row| row.get::<_, i64>(0))?.pop();
                *found = known.is_some_and(|n| n > 0);
            }
            if !*found {
                missing = missing.saturating_add(1);
                let (key, tbs) = (crate::show::hex(&signature.0), crate::show::hex(&signature.1));
                let line = format!(
                    "NO ENTRY: {what}: signed by key {key} over sha256:{tbs}; the key was used past this log, or another log has it\n"
                );
                let facts = json!({ "finding": "no-entry", "what": what, "key": key, "tbs": tbs });
                say(&if as_json { format!("{facts}\n") } else { line })?;
            }
        }
        for row in unpublished.iter().rev() {
            let shown = book.shown_row(row)?;
            let facts = json!({ "finding": "not-published", "shown": shown.json() });
            let line = format!("NOT PUBLISHED: {}", crate::show::text(&shown));
            say(&if as_json { format!("{facts}\n") } else { line })?;
        }
        if missing > 0 || !unpublished.is_empty() {
            return Err(AuditError::Reconcile { missing, unpublished: unpublished.len() });
        }
        let line = format!("good: {all} published signatures and {recorded} entries are the same\n");
        say(&if as_json { format!("{}\n", json!({ "published": all, "entries": recorded })) } else { line })
    }

    /// Each published signature once, with what it is of.
    fn published(&self) -> Result<BTreeMap<Signature, (String, bool)>, AuditError> {
        let mut all = BTreeMap::new();
        for path in &self.published {
            let unreadable = |source| AuditError::Read { path: path.clone(), source };
            let file = BufReader::new(std::fs::File::open(path).map_err(unreadable)?);
            for (number, line) in (1_u64..).zip(file.lines()) {
                let line = line.map_err(unreadable)?;
                if line.trim().is_empty() {
                    continue;
                }
                let wrong = || AuditError::Published { path: path.clone(), line: number };
                let read: Published = serde_json::from_str(&line).map_err(|_| wrong())?;
                let pair = unhex(&read.key_id).zip(unhex(&read.tbs_sha256)).filter(|(k, t)| k.len() == 32 && t.len() == 32);
                all.insert(pair.ok_or_else(wrong)?, (read.what, false));
            }
        }
        Ok(all)
    }
}

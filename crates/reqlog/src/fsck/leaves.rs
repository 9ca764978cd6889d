//! Comparing the details of entries with the commitments in their leaves.

use super::{Finding, Problem, Report};
use crate::details::Details;
use crate::entry::Leaf;
use crate::wal::{Private, Record};
use chancery_tlog::Hash;
use std::path::Path;

pub(super) fn check(path: &Path, record: &Record<'_>, mut private: Private<'_>, report: &mut Report) {
    for (index, entry) in (record.first..).zip(record.entries) {
        let details = private.next();
        if record.is_redacted() {
            report.redacted = report.redacted.saturating_add(1);
        }
        if let Err(problem) = entry_problem(entry, details) {
            report.find(Finding { file: path.to_owned(), offset: Some(record.offset), index: Some(index), problem });
        }
    }
}

fn entry_problem(entry: &[u8], details: Option<&[u8]>) -> Result<(), Problem> {
    let leaf = Leaf::parse(entry).map_err(Problem::Leaf)?;
    let Some(bytes) = details else { return Ok(()) };
    if bytes.is_empty() {
        return if leaf.details.is_none() { Ok(()) } else { Err(Problem::OtherDetails) };
    }
    let details = Details::decode(bytes).map_err(Problem::Details)?;
    let agrees = |name, commitment: Option<Hash>| commitment.is_none_or(|c| details.field(name).is_some_and(|f| f.commitment() == c));
    let right = leaf.details == Some(details.commitment()) && agrees("principal", leaf.principal) && agrees("subject", leaf.subject);
    if right { Ok(()) } else { Err(Problem::OtherDetails) }
}

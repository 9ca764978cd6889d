//! Writing a segment anew with other private details.

use super::record::{Private, private_check};
use super::walk::{Judges, Record, Walk, WalkError};
use std::path::Path;

pub(crate) enum Rewrite {
    /// The bytes of the whole segment.
    Changed(Vec<u8>),
    Unchanged,
    /// The segment has no such entry.
    NotFound,
}

/// Replaces the details of one entry by what `change` makes of them (`None`: as they are). Bodies, hashes and checkpoints stay.
pub(crate) fn rewrite(path: &Path, index: u64, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Result<Rewrite, WalkError> {
    let mut walk = Walk::open(path)?;
    walk.judge(Judges::All);
    let mut spliced = None;
    let mut change = Some(change);
    while let Some(record) = walk.next()? {
        if (record.first..record.first.saturating_add(record.entries.number())).contains(&index)
            && let Some(change) = change.take()
        {
            let Some(private) = replaced(&record, index, change) else { return Ok(Rewrite::Unchanged) };
            spliced = Some((record.offset, record.public_length(), record.end, private));
        }
    }
    let Some((offset, public, end, private)) = spliced else { return Ok(Rewrite::NotFound) };
    let bytes = std::fs::read(path).map_err(WalkError::Io)?;
    let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(bytes.get(..place(offset.saturating_add(public))).unwrap_or_default());
    out.extend_from_slice(&u32::try_from(private.len()).unwrap_or(u32::MAX).to_be_bytes());
    out.extend_from_slice(&private);
    out.extend_from_slice(&private_check(&private));
    out.extend_from_slice(bytes.get(place(end)..place(walk.offset())).unwrap_or_default());
    Ok(Rewrite::Changed(out))
}

/// The record's private part with other details of one entry; `None` if they stay as they are.
fn replaced(record: &Record<'_>, index: u64, change: impl FnOnce(&[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let private: Private<'_> = record.private().filter(|_| !record.is_redacted())?;
    let mut change = Some(change);
    let mut changed = false;
    let mut out = Vec::new();
    for (at, details) in (record.first..).zip(private) {
        let new = if at == index { change.take().and_then(|change| change(details)) } else { None };
        changed |= new.is_some();
        let details = new.as_deref().unwrap_or(details);
        out.extend_from_slice(&u32::try_from(details.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(details);
    }
    changed.then_some(out)
}

//! Writing a segment anew with other private details.

use super::record::{Private, private_check};
use super::walk::{Judges, Record, Walk, WalkError};
use std::ops::Range;
use std::path::Path;

/// A segment as it would be.
pub(crate) struct Rewritten {
    /// The bytes of the whole segment; `None` if nothing changes.
    pub(crate) bytes: Option<Vec<u8>>,
    /// The entries that it has.
    pub(crate) entries: Range<u64>,
}

/// Replaces the details of entries by what `change` makes of index, leaf and details (`None`: as they are). Bodies, hashes and checkpoints
/// stay.
pub(crate) fn rewrite(path: &Path, mut change: impl FnMut(u64, &[u8], &[u8]) -> Option<Vec<u8>>) -> Result<Rewritten, WalkError> {
    let mut walk = Walk::open(path)?;
    walk.judge(Judges::All);
    let bytes = std::fs::read(path).map_err(WalkError::Io)?;
    let part = |range: Range<u64>| {
        let place = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        bytes.get(place(range.start)..place(range.end)).unwrap_or_default()
    };
    let (mut out, mut copied, mut changed) = (Vec::with_capacity(bytes.len()), 0, false);
    while let Some(record) = walk.next()? {
        if let Some(private) = replaced(&record, &mut change) {
            out.extend_from_slice(part(copied..record.offset.saturating_add(record.public_length())));
            out.extend_from_slice(&u32::try_from(private.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(&private);
            out.extend_from_slice(&private_check(&private));
            (copied, changed) = (record.end, true);
        }
    }
    out.extend_from_slice(part(copied..walk.offset()));
    Ok(Rewritten { bytes: changed.then_some(out), entries: walk.header.first()..walk.index() })
}

/// The record's private part with other details; `None` if they stay as they are.
fn replaced(record: &Record<'_>, change: &mut impl FnMut(u64, &[u8], &[u8]) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let private: Private<'_> = record.private().filter(|_| !record.is_redacted())?;
    let mut changed = false;
    let mut out = Vec::new();
    for ((index, leaf), details) in (record.first..).zip(record.entries).zip(private) {
        let new = change(index, leaf, details);
        changed |= new.is_some();
        let details = new.as_deref().unwrap_or(details);
        out.extend_from_slice(&u32::try_from(details.len()).unwrap_or(u32::MAX).to_be_bytes());
        out.extend_from_slice(details);
    }
    changed.then_some(out)
}

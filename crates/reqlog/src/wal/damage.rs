//! Telling a write that was cut off from a record that was damaged later.
//!
//! Both look like "the last record does not verify". But a batch whose write was cut off was never acknowledged, and dropping it is
//! right, while dropping a damaged record would unsay what was acknowledged. What tells them apart:
//! - the writer makes each record durable before it begins the next, so at most one record can be cut off: two checkpoints beyond the
//!   last good one, both signed, cannot come from one write, nor can a whole record further on;
//! - segments are allocated as zeros, and disks write whole sectors, so what is missing of a write that was cut off is zeros (or the
//!   end of the file), while a damaged record is complete: nothing of it is zeros, and its end is in place.
//!
//! Whatever is neither provably complete nor followed by anything signed counts as cut off.

use super::record::{Body, Framing, RecordHash, frame, private_check, record_hash};
use crate::bytes::Bytes;
use chancery_tlog::{Checkpoint, VerifierKey};

/// The smallest unit that disks write.
const SECTOR: usize = 512;

/// Missing zeros shorter than this prove nothing: the first two bytes of a record's length are zeros anyway.
const SHORTEST_HOLE: usize = 3;

/// A note of ours is never longer than this, in bytes.
const MAX_NOTE: usize = 4096;

/// What the bytes after the last good record are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tail {
    /// One write that was cut off: its length without the zeros after it.
    Torn { bytes: u64 },
    /// Something that was acknowledged and damaged later.
    Damaged,
}

/// The place after the last good record.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    /// The offset in the file.
    pub(crate) offset: u64,
    /// The hash of the last good record.
    pub(crate) chain: &'a RecordHash,
    /// The size of the tree up to there.
    pub(crate) size: u64,
    pub(crate) key: &'a VerifierKey,
}

/// Looks at everything from the end of the last good record to the end of the file, which is not all zeros.
pub(crate) fn classify(region: &[u8], place: Place<'_>) -> Tail {
    let used = region.iter().rposition(|b| *b != 0).map_or(0, |last| last.saturating_add(1));
    let torn = Tail::Torn { bytes: u64::try_from(used).unwrap_or(u64::MAX) };
    let notes = signed_notes(region, place);
    if notes.len() > 1 || notes.iter().any(|note| ends_later_record(region, note)) {
        return Tail::Damaged;
    }
    if has_hole(region.get(..used).unwrap_or_default(), place.offset) {
        return torn;
    }
    let by_note = notes.first().and_then(|note| after_hash(region, note.end));
    let by_length = declared(region, place.chain);
    let signed = !notes.is_empty();
    let complete = [by_note, by_length.map(|d| d.private)].into_iter().flatten().any(|start| check_stands_at_end(region, start, used))
        || by_length.is_some_and(|d| (signed || d.chained) && fills(region, d, used));
    if complete { Tail::Damaged } else { torn }
}

/// A verified checkpoint beyond the last good one.
struct Signed {
    size: u64,
    start: usize,
    end: usize,
}

/// Whether the checkpoint stands at the end of the body of a whole record that begins further on. What somebody put into a request cannot
/// look so, for nobody outside has a checkpoint beyond the last good one.
fn ends_later_record(region: &[u8], note: &Signed) -> bool {
    (1..note.start).any(|from| {
        let Some(record) = region.get(from..) else { return false };
        let body = Bytes::new(record).u32().and_then(|n| usize::try_from(n).ok());
        let ends_there = body.and_then(|n| from.checked_add(4)?.checked_add(n)) == Some(note.end);
        ends_there && matches!(frame(record), Framing::Record(f) if Body::parse(f.body).is_some() && private_check(f.private) == f.check)
    })
}

/// The first two such checkpoints of different sizes; more are not looked for.
fn signed_notes(region: &[u8], place: Place<'_>) -> Vec<Signed> {
    let start = format!("{}\n", place.key.name());
    let mut found: Vec<Signed> = Vec::new();
    let mut from = 0;
    while let Some(at) = find(region.get(from..).unwrap_or_default(), start.as_bytes()) {
        let at = from.saturating_add(at);
        let note = region.get(at..).and_then(note_text).and_then(|text| Some((text.len(), Checkpoint::open(text, place.key).ok()?)));
        if let Some((length, checkpoint)) = note.filter(|(_, c)| c.size > place.size) {
            if found.iter().all(|f| f.size != checkpoint.size) {
                found.push(Signed { size: checkpoint.size, start: at, end: at.saturating_add(length) });
            }
            if found.len() > 1 {
                return found;
            }
        }
        from = at.saturating_add(1);
    }
    found
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    loop {
        let rest = bytes.get(from..)?;
        let at = from.saturating_add(rest.iter().position(|b| *b == first)?);
        if bytes.get(at..)?.starts_with(wanted) {
            return Some(at);
        }
        from = at.saturating_add(1);
    }
}

/// The note that begins here and has one signature line, as ours do.
fn note_text(bytes: &[u8]) -> Option<&str> {
    let bytes = bytes.get(..bytes.len().min(MAX_NOTE))?;
    let signature = find(bytes, b"\n\n")?.checked_add(2)?;
    let line = bytes.get(signature..)?.iter().position(|b| *b == b'\n')?;
    std::str::from_utf8(bytes.get(..signature.checked_add(line)?.checked_add(1)?)?).ok()
}

/// Whether a whole sector's share of the record is zeros.
fn has_hole(record: &[u8], offset: u64) -> bool {
    let into_sector = usize::try_from(offset).unwrap_or(0).checked_rem(SECTOR).unwrap_or(0);
    let (head, rest) = record.split_at(SECTOR.saturating_sub(into_sector).min(record.len()));
    let zeros = |part: &[u8]| part.len() >= SHORTEST_HOLE && part.iter().all(|b| *b == 0);
    zeros(head) || rest.chunks(SECTOR).any(zeros)
}

/// Where the private part begins, if the body ends here.
fn after_hash(region: &[u8], body_end: usize) -> Option<usize> {
    body_end.checked_add(36).filter(|start| *start <= region.len())
}

/// What the record's own length fields say, which may be what is damaged.
#[derive(Clone, Copy)]
struct Declared {
    private: usize,
    end: usize,
    /// The body fits the chain.
    chained: bool,
}

fn declared(region: &[u8], chain: &RecordHash) -> Option<Declared> {
    let mut at = Bytes::new(region);
    let body = at.string32()?;
    let hash: RecordHash = at.array()?;
    let private_length = usize::try_from(at.u32()?).ok()?;
    let private = region.len().checked_sub(at.rest().len())?;
    let end = private.checked_add(private_length)?.checked_add(8)?;
    Some(Declared { private, end, chained: record_hash(chain, body) == hash && Body::parse(body).is_some() })
}

/// Whether the bytes from `start` to the end of the data are private details with their checksum: then the record is complete. The
/// checksum itself may end in zeros, which then count as not used.
fn check_stands_at_end(region: &[u8], start: usize, used: usize) -> bool {
    (used..used.saturating_add(8)).any(|end| {
        let private = end.checked_sub(8).and_then(|check| region.get(start..check));
        let check = end.checked_sub(8).and_then(|check| region.get(check..end));
        matches!((private, check), (Some(private), Some(check)) if private_check(private) == check)
    })
}

/// Whether the record reaches to its declared end, rather than being cut off just before it.
fn fills(region: &[u8], declared: Declared, used: usize) -> bool {
    let Framing::Record(found) = frame(region) else { return false };
    if declared.end < used || declared.end.saturating_sub(used) >= 8 {
        return false;
    }
    let right = private_check(found.private);
    let kept = (0..8_usize).find(|kept| {
        let (have, lost) = found.check.split_at(*kept);
        right.starts_with(have) && lost.iter().all(|b| *b == 0)
    });
    kept.is_none()
}

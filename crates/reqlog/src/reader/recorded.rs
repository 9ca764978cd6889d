//! Entries with their details, as the segments hold them.

use super::walk_error;
use crate::error::ReadError;
use crate::state::Shared;
use crate::wal::{Record, Walk, segment_path};
use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One entry as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its index in the log.
    pub index: u64,
    /// Its public leaf.
    pub leaf: Vec<u8>,
    /// Its private details, maybe empty; `None` if they were redacted.
    pub details: Option<Vec<u8>>,
}

/// Goes through the segments. Memory: one record.
#[derive(Debug)]
pub struct RecordedIter {
    wal: PathBuf,
    shared: Arc<Shared>,
    range: Range<u64>,
    /// The segment being read, by its first index.
    walk: Option<(u64, Walk)>,
    ready: VecDeque<Recorded>,
}

impl RecordedIter {
    pub(crate) fn new(wal: &Path, shared: Arc<Shared>, range: Range<u64>) -> Self {
        Self { wal: wal.to_owned(), shared, range, walk: None, ready: VecDeque::new() }
    }

    /// Reads the record that holds the next entry.
    fn refill(&mut self) -> Result<(), ReadError> {
        while self.ready.is_empty() {
            let (segment, mut walk) = match self.walk.take() {
                Some(open) => open,
                None => self.open()?,
            };
            let record = walk.next().map_err(|e| walk_error(&self.wal, segment, self.range.start, e))?;
            let Some(record) = record else {
                // The end of this segment; the next one must begin here.
                if self.shared.lock().segments.contains(&walk.index()) && walk.index() > segment {
                    continue;
                }
                return Err(ReadError::Segment { segment: segment_path(&self.wal, segment), index: self.range.start });
            };
            self.shared.lock().places.note(segment, record.first, record.offset);
            let damaged = || ReadError::Segment { segment: segment_path(&self.wal, segment), index: record.first };
            self.ready = recorded(&record, &self.range).ok_or_else(damaged)?;
            self.walk = Some((segment, walk));
        }
        Ok(())
    }

    fn open(&self) -> Result<(u64, Walk), ReadError> {
        let index = self.range.start;
        let (segment, place) = {
            let state = self.shared.lock();
            let missing = || ReadError::Segment { segment: segment_path(&self.wal, 0), index };
            let segment = *state.segments.range(..=index).next_back().ok_or_else(missing)?;
            (segment, state.places.before(segment, index))
        };
        let mut walk = Walk::open(&segment_path(&self.wal, segment)).map_err(|e| walk_error(&self.wal, segment, index, e))?;
        if walk.header.first() != segment {
            return Err(ReadError::Segment { segment: segment_path(&self.wal, segment), index });
        }
        if let Some((first, offset)) = place {
            walk.jump(offset, first);
        }
        Ok((segment, walk))
    }
}

/// The entries of a record that are in the range; `None` if the details do not verify.
fn recorded(record: &Record<'_>, range: &Range<u64>) -> Option<VecDeque<Recorded>> {
    if record.first.saturating_add(record.entries.number()) <= range.start {
        return Some(VecDeque::new());
    }
    let mut private = record.private()?;
    let redacted = record.is_redacted();
    let mut found = VecDeque::new();
    for (index, leaf) in (record.first..).zip(record.entries) {
        let details = private.next();
        if range.contains(&index) {
            let details = if redacted { None } else { Some(details?.to_vec()) };
            found.push_back(Recorded { index, leaf: leaf.to_vec(), details });
        }
    }
    Some(found)
}

impl Iterator for RecordedIter {
    type Item = Result<Recorded, ReadError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        if let Err(error) = self.refill() {
            self.range.start = self.range.end;
            return Some(Err(error));
        }
        let recorded = self.ready.pop_front()?;
        self.range.start = recorded.index.saturating_add(1);
        Some(Ok(recorded))
    }
}

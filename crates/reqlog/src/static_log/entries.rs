//! Going through the verified entries of a log.

use super::{Fetch, StaticLog, StaticLogError};
use std::collections::VecDeque;
use std::ops::Range;

/// The verified leaves of a range of entries, each with its index. Ends after the first error.
#[derive(Debug)]
pub struct Entries<'a, F> {
    log: &'a StaticLog<F>,
    range: Range<u64>,
    ready: VecDeque<Vec<u8>>,
}

impl<'a, F: Fetch> Entries<'a, F> {
    pub(super) fn new(log: &'a StaticLog<F>, range: Range<u64>) -> Self {
        Self { log, range, ready: VecDeque::new() }
    }

    fn refill(&mut self) -> Result<(), StaticLogError> {
        let index = self.range.start >> 8;
        let skip = usize::try_from(self.range.start & 255).unwrap_or(usize::MAX);
        self.ready = self.log.bundle(index)?.into_iter().skip(skip).collect();
        let size = self.log.checkpoint().checkpoint.size;
        if self.ready.is_empty() { Err(StaticLogError::Beyond { asked: self.range.start, size }) } else { Ok(()) }
    }
}

impl<F: Fetch> Iterator for Entries<'_, F> {
    type Item = Result<(u64, Vec<u8>), StaticLogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.range.is_empty() {
            return None;
        }
        if self.ready.is_empty()
            && let Err(error) = self.refill()
        {
            self.range.start = self.range.end;
            return Some(Err(error));
        }
        let index = self.range.start;
        self.range.start = index.saturating_add(1);
        self.ready.pop_front().map(|leaf| Ok((index, leaf)))
    }
}

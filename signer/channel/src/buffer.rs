//! Bytes that were read from the stream and not taken yet.

use crate::MAX_FRAME;

/// How many bytes are read at once at least.
const READ: usize = 256 * 1024;

/// What both ends read the stream into: bytes come in behind, whole frames are taken off the front.
///
/// It holds a frame of any allowed length and what came with it, and never more.
#[derive(Debug)]
pub struct ReadBuffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Default for ReadBuffer {
    fn default() -> Self {
        Self { bytes: vec![0; READ], start: 0, end: 0 }
    }
}

impl ReadBuffer {
    /// Where to read to. Empty only when the longest frame and more lie there untaken, which [`crate::split`] does not leave.
    pub fn room(&mut self) -> &mut [u8] {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
            if self.end == self.bytes.len() {
                self.bytes.resize(self.bytes.len().saturating_mul(2).min(MAX_FRAME.saturating_add(READ)), 0);
            }
        }
        self.bytes.get_mut(self.end..).unwrap_or_default()
    }

    /// Says that `n` bytes were read into [`Self::room`].
    pub fn filled(&mut self, n: usize) {
        self.end = self.end.saturating_add(n).min(self.bytes.len());
    }

    /// What was read and not taken.
    #[must_use]
    pub fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    /// Takes `n` bytes off the front.
    pub fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(buffer: &mut ReadBuffer, source: &mut &[u8], most: usize) -> usize {
        let room = buffer.room();
        let n = room.len().min(source.len()).min(most);
        room[..n].copy_from_slice(&source[..n]);
        buffer.filled(n);
        *source = &source[n..];
        n
    }

    #[test]
    fn the_longest_frame_fits_and_nothing_beyond_it_is_kept() {
        let long = vec![7; 2 * MAX_FRAME];
        let mut source = long.as_slice();
        let mut buffer = ReadBuffer::default();
        while read(&mut buffer, &mut source, usize::MAX) > 0 {}
        assert_eq!(buffer.unread().len(), MAX_FRAME + READ);
        buffer.consume(MAX_FRAME);
        assert!(read(&mut buffer, &mut source, usize::MAX) > 0, "room comes back with what is taken");
    }

    proptest! {
        #[test]
        fn bytes_come_out_as_they_went_in(steps in proptest::collection::vec((1_usize..400_000, 0_usize..500_000), 1..24)) {
            let all: Vec<u8> = (0..=250_u8).cycle().take(4_000_000).collect();
            let (mut source, mut expected) = (all.as_slice(), all.as_slice());
            let mut buffer = ReadBuffer::default();
            for (most, taken) in steps {
                read(&mut buffer, &mut source, most);
                let unread = buffer.unread();
                prop_assert_eq!(unread, &expected[..unread.len()]);
                let taken = taken.min(unread.len());
                expected = &expected[taken..];
                buffer.consume(taken);
            }
        }
    }
}

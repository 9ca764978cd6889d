//! Bytes that came over the channel and were not taken yet.

use chancery_channel::MAX_FRAME;
use std::io;
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::OwnedReadHalf;

const READ: usize = 256 * 1024;

pub(super) struct Incoming {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Incoming {
    pub(super) fn new() -> Self {
        Self { bytes: vec![0; READ], start: 0, end: 0 }
    }

    /// Reads once; 0 at the end of the stream.
    pub(super) async fn fill(&mut self, socket: &mut OwnedReadHalf) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
            if self.end == self.bytes.len() {
                self.bytes.resize(self.bytes.len().saturating_mul(2).min(MAX_FRAME.saturating_add(READ)), 0);
            }
        }
        let n = socket.read(self.bytes.get_mut(self.end..).unwrap_or_default()).await?;
        self.end = self.end.saturating_add(n);
        Ok(n)
    }

    pub(super) fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    pub(super) fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }
}

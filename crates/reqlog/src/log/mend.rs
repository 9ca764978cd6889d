//! Going on after the disk failed: what failed is done again, from memory.
//!
//! After a failed sync the kernel may have thrown the written pages away and still show them, and a later sync may say that all is well.
//! So nothing is believed of the place where that happened: its space is allocated anew, the record, which is in memory still, is written
//! there, synced, and read back from the disk. When that succeeds, the batch is recorded, under the very checkpoint that was signed for
//! it, and no second one of that size ever exists.

use super::Log;
use crate::error::AppendError;
use crate::state::{Chunk, SignedCheckpoint};
use crate::wal::RecordHash;
use chancery_tlog::Edge;
use std::sync::Arc;

/// What failed.
pub(super) enum Doubt {
    /// Writing or syncing a record; its bytes lie in the buffer.
    Record(Unsettled),
    /// Going over to the next segment, which may have its name already: nothing more may be written to the one before.
    Segment,
}

/// A record, and what the log is once it is durable.
pub(super) struct Unsettled {
    pub(super) length: u64,
    pub(super) hash: RecordHash,
    pub(super) edge: Edge,
    pub(super) chunk: Chunk,
    pub(super) newest: Arc<SignedCheckpoint>,
}

impl Log {
    /// Whether a step failed that [`Log::mend`] has to do again before anything is recorded.
    #[must_use]
    pub const fn is_in_doubt(&self) -> bool {
        self.doubt.is_some()
    }

    /// Does again what failed, if something did. Afterwards the batch whose append failed is recorded, though nobody was told so, and the
    /// log is usable.
    ///
    /// # Errors
    /// [`AppendError`] as long as the disk fails; a later call may succeed.
    pub fn mend(&mut self) -> Result<(), AppendError> {
        match self.doubt.take() {
            None => Ok(()),
            Some(Doubt::Record(record)) => match self.writer.write_anew(&self.buffer) {
                Ok(()) => self.settle(record),
                Err(source) => Err(self.doubt(Doubt::Record(record), "write a record again", source)),
            },
            Some(Doubt::Segment) => {
                let made = self.writer.change_segment(&self.edge);
                let entered = self.entered(made);
                if entered.is_err() {
                    self.doubt = Some(Doubt::Segment);
                }
                entered
            }
        }
    }
}

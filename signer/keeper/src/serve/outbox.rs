//! Answers on their way to the gateway.

use chancery_channel::{Answer, FrameError, FromKeeper, Refusal, RefusalKind, encode};
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::{Mutex, PoisonError};

/// The writing end of the channel. Whoever has answers encodes them apart and writes them at once.
pub(crate) struct Outbox {
    socket: Mutex<UnixStream>,
}

impl Outbox {
    pub(crate) const fn new(socket: UnixStream) -> Self {
        Self { socket: Mutex::new(socket) }
    }

    /// Writes encoded messages. An error means that the gateway is gone, which the reading end notices too.
    pub(crate) fn write(&self, encoded: &[u8]) {
        let mut socket = self.socket.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = socket.write_all(encoded) {
            tracing::debug!(%error, "an answer could not be written: the gateway is gone");
        }
    }

    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        let mut out = Vec::new();
        put(id, answer, &mut out);
        self.write(&out);
    }

    pub(crate) fn send(&self, message: &FromKeeper) -> Result<(), FrameError> {
        let mut out = Vec::new();
        encode(message, &mut out)?;
        self.write(&out);
        Ok(())
    }
}

/// Appends one answer to `out`; an answer that is too large for a frame becomes a refusal, so that no call waits for ever.
pub(crate) fn put(id: u64, answer: Answer, out: &mut Vec<u8>) {
    if let Err(error) = encode(&FromKeeper::Answer { id, answer }, out) {
        tracing::error!(%error, "an answer does not fit into a frame");
        let refusal = unrecorded(RefusalKind::Internal, "answer-too-large", format!("the answer cannot be sent: {error}"));
        if let Err(error) = encode(&FromKeeper::Answer { id, answer: Answer::Refused(refusal) }, out) {
            tracing::error!(%error, "a refusal does not fit into a frame");
        }
    }
}

/// A refusal that has no entry, because nothing was decided.
pub(crate) fn unrecorded(kind: RefusalKind, reason: &str, message: String) -> Refusal {
    Refusal { kind, reason: reason.to_owned(), message, entry_index: None, receipt: Vec::new() }
}

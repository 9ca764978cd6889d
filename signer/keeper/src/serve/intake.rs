//! Reads the channel: the one thread that sees every message, in order.

use super::gate::Gate;
use super::heavy::Heavy;
use super::judge::Judge;
use super::line::Line;
use super::outbox::{Outbox, unrecorded};
use super::reads::Reads;
use super::spool::{Arrived, Spool};
use crate::content::Content;
use crate::record::{Arrival, Pending};
use chancery_channel::{Answer, FrameError, Payload, ReadBuffer, Refusal, RefusalKind, RequestId, SignRequest, ToKeeper, split};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// Why reading ended, when it did not end by the gateway's closing the channel.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// The socket failed.
    #[error("the channel to the gateway broke")]
    Io(#[source] io::Error),
    /// The gateway sent something that is no message.
    #[error("the gateway sent what is not a message of the channel; gateway and keeper must be of one version")]
    Frame(#[source] FrameError),
}

pub(crate) struct Intake {
    pub(crate) judge: Arc<Judge>,
    pub(crate) line: Arc<Line>,
    pub(crate) heavy: Heavy,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) reads: Reads,
    pub(crate) spool: Spool,
    pub(crate) in_flight: usize,
    /// Where requests wait for a cosignature, if they do.
    pub(crate) gate: Option<Arc<Gate>>,
    pub(crate) now_ms: fn() -> u64,
}

impl Intake {
    /// Reads until the gateway closes the channel.
    pub(crate) fn run(&mut self, mut socket: UnixStream) -> Result<(), IntakeError> {
        let mut buffer = ReadBuffer::default();
        loop {
            if fill(&mut buffer, &mut socket).map_err(IntakeError::Io)? == 0 {
                return Ok(());
            }
            let mut decided = Vec::new();
            while let Some((message, used)) = split(buffer.unread()).map_err(IntakeError::Frame)? {
                self.take(message, &mut decided);
                buffer.consume(used);
            }
            if !decided.is_empty() {
                self.line.submit(decided);
            }
        }
    }

    fn take(&mut self, message: ToKeeper<'_>, decided: &mut Vec<Pending>) {
        match message {
            ToKeeper::Sign { id, request, peer } => self.sign(id, request, Arrival::from(peer), decided),
            ToKeeper::Chunk { id, last, bytes } => match self.spool.add(id, bytes, last) {
                Arrived::Waiting => {}
                Arrived::Whole(asked, content) if Heavy::is_large(content.len()) => self.heavy.judge(id, asked, content),
                Arrived::Whole(asked, content) => decided.push(self.judge.judge(id, *asked, content, (self.now_ms)())),
                Arrived::Refused(request_id, refusal) => self.turn_away(id, request_id, refusal),
            },
            ToKeeper::Cancel { id } => self.spool.cancel(id),
            read => self.reads.ask(read),
        }
    }

    fn sign(&mut self, id: u64, request: SignRequest, arrival: Arrival, decided: &mut Vec<Pending>) {
        let cosigning = self.gate.as_ref().map_or(0, |gate| gate.len());
        if self.line.len().saturating_add(decided.len()).saturating_add(cosigning) >= self.in_flight {
            let refusal = unrecorded(RefusalKind::Busy, "queue-full", "too many requests wait for the log; try again".into());
            return self.turn_away(id, request.request_id, refusal);
        }
        match request.payload {
            Payload::Digest { .. } | Payload::Blake2b(_) | Payload::HashState(_) | Payload::Statement(_) => {
                decided.push(self.judge.judge(id, (request, arrival), Content::none(), (self.now_ms)()))
            }
            Payload::Content { .. } => {
                let request_id = request.request_id;
                if let Err(refusal) = self.spool.open(id, request, arrival) {
                    self.turn_away(id, request_id, refusal);
                }
            }
        }
    }

    /// Answers a request of which nothing was decided.
    fn turn_away(&self, id: u64, request_id: RequestId, refusal: Refusal) {
        tracing::debug!(%request_id, reason = refusal.reason, "not decided");
        self.outbox.answer(id, Answer::Refused(refusal));
    }
}

/// Reads once; 0 at the end of the stream.
fn fill(buffer: &mut ReadBuffer, socket: &mut UnixStream) -> io::Result<usize> {
    loop {
        match socket.read(buffer.room()) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            read => return read.inspect(|n| buffer.filled(*n)),
        }
    }
}

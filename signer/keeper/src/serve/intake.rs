//! Reads the channel: the one thread that sees every message, in order.

use super::heavy::Heavy;
use super::judge::Judge;
use super::line::Line;
use super::outbox::{Outbox, unrecorded};
use super::reads::Reads;
use super::spool::{Arrived, Spool};
use crate::content::Content;
use crate::record::Pending;
use chancery_channel::{Answer, FrameError, MAX_FRAME, Payload, RefusalKind, SignRequest, ToKeeper, split};
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

/// The channel holds at least this many bytes that were not read yet, or the next frame, whichever is more.
const BUFFER: usize = 256 * 1024;

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
    pub(crate) now_ms: fn() -> u64,
}

impl Intake {
    /// Reads until the gateway closes the channel.
    pub(crate) fn run(&mut self, mut socket: UnixStream) -> Result<(), IntakeError> {
        let mut buffer = Buffer::new();
        loop {
            if buffer.fill(&mut socket).map_err(IntakeError::Io)? == 0 {
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
            ToKeeper::Sign { id, request } => self.sign(id, request, decided),
            ToKeeper::Chunk { id, last, bytes } => match self.spool.add(id, bytes, last) {
                Arrived::Waiting => {}
                Arrived::Whole(request, content) if Heavy::is_large(content.len()) => self.heavy.judge(id, request, content),
                Arrived::Whole(request, content) => decided.push(self.judge.judge(id, *request, content, (self.now_ms)())),
                Arrived::Refused(refusal) => self.outbox.answer(id, Answer::Refused(refusal)),
            },
            ToKeeper::Cancel { id } => self.spool.cancel(id),
            read => self.reads.ask(read),
        }
    }

    fn sign(&mut self, id: u64, request: SignRequest, decided: &mut Vec<Pending>) {
        if self.line.len().saturating_add(decided.len()) >= self.in_flight {
            let refusal = unrecorded(RefusalKind::Busy, "queue-full", "too many requests wait for the log; try again".into());
            return self.outbox.answer(id, Answer::Refused(refusal));
        }
        match request.payload {
            Payload::Digest { .. } | Payload::Blake2b(_) | Payload::HashState(_) | Payload::Statement(_) => {
                decided.push(self.judge.judge(id, request, Content::none(), (self.now_ms)()))
            }
            Payload::Content { .. } => {
                if let Err(refusal) = self.spool.open(id, request) {
                    self.outbox.answer(id, Answer::Refused(refusal));
                }
            }
        }
    }
}

/// Bytes that were read and not yet taken.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Self {
        Self { bytes: vec![0; BUFFER], start: 0, end: 0 }
    }

    /// Reads once; 0 at the end of the stream.
    fn fill(&mut self, socket: &mut UnixStream) -> io::Result<usize> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.end == self.bytes.len() {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
            if self.end == self.bytes.len() {
                self.bytes.resize(self.bytes.len().saturating_mul(2).min(MAX_FRAME.saturating_add(BUFFER)), 0);
            }
        }
        loop {
            match socket.read(self.bytes.get_mut(self.end..).unwrap_or_default()) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => {
                    let n = read?;
                    self.end = self.end.saturating_add(n);
                    return Ok(n);
                }
            }
        }
    }

    fn unread(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }

    fn consume(&mut self, n: usize) {
        self.start = self.start.saturating_add(n).min(self.end);
    }
}

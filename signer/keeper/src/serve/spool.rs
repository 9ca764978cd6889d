//! Content on its way in. It is held once, in memory; room for it is taken before its first byte comes and given back when
//! its request is answered.

use super::outbox::unrecorded;
use crate::content::{Content, Full, Room, Rooms};
use crate::record::Arrival;
use chancery_channel::{Payload, Refusal, RefusalKind, RequestId, SignRequest};
use std::collections::HashMap;

/// Bounds of what is held.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SpoolLimits {
    /// Greatest content of one request, in bytes.
    pub(crate) max_content: u64,
    /// Greatest sum of all content that is held, in bytes.
    pub(crate) total: u64,
}

/// Requests whose content has not all arrived.
pub(crate) struct Spool {
    max_content: u64,
    rooms: Rooms,
    open: HashMap<u64, Arriving>,
}

struct Arriving {
    request: SignRequest,
    arrival: Arrival,
    declared: u64,
    content: Vec<u8>,
    room: Room,
}

/// What a chunk led to.
pub(crate) enum Arrived {
    /// More is to come, or nobody waits for this chunk any more.
    Waiting,
    /// All of it is here.
    Whole(Box<(SignRequest, Arrival)>, Content),
    /// More or less came than was declared.
    Refused(RequestId, Refusal),
}

impl Spool {
    pub(crate) fn new(limits: SpoolLimits) -> Self {
        Self { max_content: limits.max_content, rooms: Rooms::new(limits.total), open: HashMap::new() }
    }

    /// Takes room for the content of a request.
    pub(crate) fn open(&mut self, call: u64, request: SignRequest, arrival: Arrival) -> Result<(), Refusal> {
        let Payload::Content { len: declared, .. } = request.payload else {
            return Err(unrecorded(RefusalKind::Internal, "no-content", "a request without content was spooled".into()));
        };
        let max = self.max_content;
        if declared > max {
            let message =
                format!("the content has {declared} bytes, this key host takes at most {max}; see max_content in its signer.toml");
            return Err(unrecorded(RefusalKind::TooLarge, "content-too-large", message));
        }
        let room = self.rooms.take(&request.principal, declared).map_err(busy)?;
        let mut content = Vec::new();
        usize::try_from(declared).ok().and_then(|n| content.try_reserve_exact(n).ok()).ok_or_else(|| busy(Full::All))?;
        if self.open.contains_key(&call) {
            return Err(unrecorded(RefusalKind::Internal, "call-reused", "the gateway numbered two calls alike".into()));
        }
        self.open.insert(call, Arriving { request, arrival, declared, content, room });
        Ok(())
    }

    /// Adds the next bytes of a call's content.
    pub(crate) fn add(&mut self, call: u64, bytes: &[u8], last: bool) -> Arrived {
        let Some(arriving) = self.open.get_mut(&call) else {
            return Arrived::Waiting;
        };
        let len = u64::try_from(arriving.content.len().saturating_add(bytes.len())).unwrap_or(u64::MAX);
        if len > arriving.declared || (last && len < arriving.declared) {
            let message =
                format!("the content has {} {len} bytes, {} were declared", if last { "only" } else { "at least" }, arriving.declared);
            let request_id = arriving.request.request_id;
            self.cancel(call);
            return Arrived::Refused(request_id, unrecorded(RefusalKind::Invalid, "length-mismatch", message));
        }
        arriving.content.extend_from_slice(bytes);
        if !last {
            return Arrived::Waiting;
        }
        match self.open.remove(&call) {
            Some(a) => Arrived::Whole(Box::new((a.request, a.arrival)), Content::held(a.content, a.room)),
            None => Arrived::Waiting,
        }
    }

    /// Gives up a call.
    pub(crate) fn cancel(&mut self, call: u64) {
        self.open.remove(&call);
    }
}

fn busy(full: Full) -> Refusal {
    let (reason, message) = match full {
        Full::All => ("spool-full", "too much content is on its way in at once; try again"),
        Full::Share => {
            ("share-full", "your other requests hold as much content as is left for everybody else; try again when some are done")
        }
    };
    unrecorded(RefusalKind::Busy, reason, message.to_owned())
}

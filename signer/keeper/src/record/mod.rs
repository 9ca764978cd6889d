//! Writes every decision down, durably, before anything comes of it.
//!
//! [`Recorded`] is made here and nowhere else, and only after the log said that the entry is on disk under a signed checkpoint.

mod draft;
mod entry;
mod recorder;
mod remember;

use crate::content::Unfit;
use crate::policy::{Denial, KeyFacts};
use crate::prepare::Prepared;
use chancery_channel::{Principal, Refusal, RefusalKind, RequestId, SignRequest};
use chancery_reqlog::{Appended, NewEntry, Reader};
use std::sync::Arc;
use std::time::Instant;

pub use entry::EntryError;
pub use recorder::{Recorder, StartFacts};

/// Where a request came from, and when. It is recorded, and nothing is decided by it.
#[derive(Debug, Clone)]
pub struct Arrival {
    peer: String,
    since: Instant,
}

impl From<&str> for Arrival {
    /// Now, from this address; empty where nobody knows.
    fn from(peer: &str) -> Self {
        // An address is never longer, and the gateway is not trusted with more.
        let peer = peer.chars().take(64).collect();
        Self { peer, since: Instant::now() }
    }
}

/// The last entry of a log that goes on in another one, whose verification key this is.
///
/// # Errors
/// [`EntryError`].
pub fn log_sealed(next_vkey: &str, now_ms: u64) -> Result<NewEntry, EntryError> {
    entry::sealed(next_vkey, now_ms)
}

/// The first entry of a log that goes on from another one, by that one's verification key and last signed checkpoint.
///
/// # Errors
/// [`EntryError`].
pub fn log_continues(previous_vkey: &str, note: &str, now_ms: u64) -> Result<NewEntry, EntryError> {
    entry::continues(previous_vkey, note, now_ms)
}

/// A decided request, on its way into the log.
pub struct Pending {
    /// Number of the call on the channel.
    pub call: u64,
    /// Which request it is, for what is said of it.
    pub request_id: RequestId,
    /// Where it came from, and when.
    pub arrival: Arrival,
    /// What was decided.
    pub outcome: Outcome,
}

impl Pending {
    /// Who asks; `None` where nothing was decided.
    pub(crate) fn principal(&self) -> Option<&Principal> {
        match &self.outcome {
            Outcome::Sign(prepared) => Some(&prepared.request().principal),
            Outcome::Refuse(turned) => Some(&turned.request.principal),
            Outcome::Fault(_) => None,
        }
    }

    /// The same as it was at another time, for what is signed again.
    fn at(self, time: Option<u64>) -> Self {
        let outcome = match (self.outcome, time) {
            (Outcome::Sign(prepared), Some(time)) => {
                prepared.at(time).map_or_else(|fault| Outcome::Fault(fault.to_string()), |p| Outcome::Sign(Box::new(p)))
            }
            (outcome, _) => outcome,
        };
        Self { outcome, ..self }
    }

    /// The same, but refused if it was to be signed: no witness has cosigned for too long.
    fn unwitnessed(self) -> Self {
        let outcome = match self.outcome {
            Outcome::Sign(prepared) => Outcome::Refuse(Box::new(Turned::unwitnessed(&prepared))),
            outcome => outcome,
        };
        Self { outcome, ..self }
    }
}

/// What was decided about a request.
pub enum Outcome {
    /// It is to be signed.
    Sign(Box<Prepared>),
    /// It is refused, and the refusal has an entry.
    Refuse(Box<Turned>),
    /// The keeper could not decide; the text is for the client. Has no entry, because nothing was decided.
    Fault(String),
}

/// A request that was turned away, and why.
pub struct Turned {
    request: SignRequest,
    kind: RefusalKind,
    reason: &'static str,
    message: String,
    /// Id and version of the key, where there is such a key.
    key: Option<([u8; 32], u32)>,
    /// Digest of the policy, where it was asked.
    policy: Option<[u8; 32]>,
}

impl Turned {
    /// By the content room.
    pub(crate) fn unfit(unfit: Unfit) -> Self {
        let (reason, message) = (unfit.fault.code(), unfit.fault.to_string());
        Self { request: unfit.request, kind: RefusalKind::Invalid, reason, message, key: None, policy: None }
    }

    /// By the policy.
    pub(crate) fn denied(denial: Denial, key: Option<KeyFacts<'_>>, policy: [u8; 32]) -> Self {
        let (reason, message) = (denial.reason().code(), denial.message().to_owned());
        let kind = if denial.reason().is_unknown_key() { RefusalKind::NotFound } else { RefusalKind::Denied };
        let key = key.map(|k| (*k.id, k.description.version));
        Self { request: denial.into_request(), kind, reason, message, key, policy: Some(policy) }
    }

    /// By the record: too much of the log has no cosignature.
    fn unwitnessed(prepared: &Prepared) -> Self {
        let permit = prepared.permit();
        let message = "the witnesses of the request log are too far behind, so nothing is signed; ask the operator of the key host to look \
                       after them, then ask again, as a new request";
        Self {
            request: prepared.request().clone(),
            kind: RefusalKind::Denied,
            reason: "unwitnessed",
            message: message.to_owned(),
            key: Some((*permit.key_id(), permit.key_version())),
            policy: Some(*permit.policy_digest()),
        }
    }

    /// By the record: the id was used for something else.
    fn reused(request: &SignRequest) -> Self {
        let message = "this request id was used before for another request; choose a new one at random for each thing to be signed";
        Self {
            request: request.clone(),
            kind: RefusalKind::Conflict,
            reason: "request-id-reused",
            message: message.to_owned(),
            key: None,
            policy: None,
        }
    }
}

/// A request that went through the log.
pub enum Done {
    /// To be signed and answered.
    Sign {
        /// Number of the call.
        call: u64,
        /// What may be signed now.
        recorded: Box<Recorded<Prepared>>,
    },
    /// To be answered.
    Refuse {
        /// Number of the call.
        call: u64,
        /// Which request it is, for what is said of it.
        request_id: RequestId,
        /// The answer.
        refusal: Refusal,
    },
}

/// Something whose entry is durable under a signed checkpoint.
pub struct Recorded<T> {
    inner: T,
    index: u64,
    receipt: Receipt,
}

enum Receipt {
    /// Written with this batch.
    Fresh { appended: Arc<Appended>, place: usize, leaf: Vec<u8> },
    /// Written before; this is a retry.
    Before(Reader),
}

/// Why a receipt could not be made.
#[derive(Debug, thiserror::Error)]
#[error("the receipt of entry {index} could not be read from the log; the entry stands, send the same request again")]
pub struct ReceiptError {
    index: u64,
    #[source]
    source: Option<chancery_reqlog::ReadError>,
}

impl<T> Recorded<T> {
    /// Index of the entry.
    #[must_use]
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The `tlog-proof@v1` of the entry.
    ///
    /// # Errors
    /// [`ReceiptError`] when the log's files cannot be read.
    pub fn receipt(&self) -> Result<Vec<u8>, ReceiptError> {
        let index = self.index;
        match &self.receipt {
            Receipt::Fresh { appended, place, leaf } => appended.receipt(*place, leaf).ok_or(ReceiptError { index, source: None }),
            Receipt::Before(reader) => reader.receipt(index).map_err(|e| ReceiptError { index, source: Some(e) }),
        }
    }
}

impl Recorded<Prepared> {
    /// The same, whose receipt is made when it is asked for: at the newest cosigned checkpoint.
    pub(crate) fn proved_by(self, reader: &Reader) -> Self {
        Self { receipt: Receipt::Before(reader.clone()), ..self }
    }

    /// What was recorded.
    #[must_use]
    pub const fn prepared(&self) -> &Prepared {
        &self.inner
    }
}

#[cfg(test)]
mod tests;

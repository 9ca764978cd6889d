//! The gRPC services. Each is a thin skin: identity, wire, link, wire.

mod held;
mod keys;
mod log;
mod sign;
mod sign_batch;

pub use held::Held;
pub use keys::{Cells, Keys};
pub use log::RequestLog;

use crate::identity::{IdentityError, Peer};
use crate::link::{Link, LinkError};
use crate::metrics::Metrics;
use crate::traces::{Traced, parent};
use crate::wire;
use chancery_channel::{Answer, Principal, Refusal, RefusalKind, RequestId, ToKeeper};
use chancery_proto::v1::signing_service_server::SigningService;
use chancery_proto::v1::{SignBatchRequest, SignRequest, SignResponse};
use sign_batch::Replies;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming};

/// Bounds of what clients may ask for.
#[derive(Debug, Clone, Copy)]
pub struct CallLimits {
    /// Greatest content of one request, in bytes.
    pub max_content: u64,
    /// A call takes no longer than this.
    pub request_timeout: Duration,
    /// Content that stops coming for so long is given up.
    pub stall_timeout: Duration,
    /// Requests of one batch stream that may be under way at once.
    pub batch_in_flight: u32,
}

/// `chancery.v1.SigningService`.
#[derive(Clone)]
pub struct Signing {
    link: Link,
    limits: CallLimits,
    /// Of all clients together; whoever waits for a turn gets it in order.
    in_flight: Arc<Semaphore>,
    stopping: watch::Receiver<bool>,
    metrics: Arc<Metrics>,
}

/// The place of one request among those under way; given back when it is answered.
struct Turn {
    _own: OwnedSemaphorePermit,
    _common: OwnedSemaphorePermit,
}

impl Signing {
    /// At most `in_flight` requests of all clients together are under way at once. Once `stopping` says true, no batch stream is read
    /// any further.
    #[must_use]
    pub fn new(link: Link, limits: CallLimits, in_flight: usize, stopping: watch::Receiver<bool>, metrics: Arc<Metrics>) -> Self {
        Self { link, limits, in_flight: Arc::new(Semaphore::new(in_flight)), stopping, metrics }
    }

    fn too_fast(&self, wait: Duration) -> Refusal {
        self.metrics.too_fast();
        let message = format!(
            "this principal asks more often than rate_per_principal in signer.toml of the key host allows; the next request may come in {wait:.1?}"
        );
        wire::own_refusal(RefusalKind::Busy, "rate-limited", message)
    }

    /// Waits until one more request of this client may be under way.
    async fn turn(&self, peer: &Peer) -> Option<Turn> {
        let own = Arc::clone(peer.allowance().turns()).acquire_owned().await.ok()?;
        let common = Arc::clone(&self.in_flight).acquire_owned().await.ok()?;
        Some(Turn { _own: own, _common: common })
    }

    async fn sign_one(
        &self,
        peer: &Peer,
        principal: Principal,
        parts: Streaming<SignRequest>,
        mut traced: Traced,
    ) -> Result<SignResponse, Status> {
        let _turn = self.turn(peer).await;
        traced.waited();
        sign::sign(&self.link, &self.metrics, &self.limits, peer, principal, parts, traced).await.map(wire::signed)
    }
}

#[tonic::async_trait]
impl SigningService for Signing {
    async fn sign(&self, request: Request<Streaming<SignRequest>>) -> Result<Response<SignResponse>, Status> {
        let (peer, principal) = (peer(&request)?.clone(), principal(&request)?.clone());
        // Before anything of the request is read.
        peer.allowance().step().map_err(|wait| wire::status(self.too_fast(wait)))?;
        let traced = self.metrics.traces().begin("Sign", parent(request.metadata()).as_ref());
        let signed = timeout(self.limits.request_timeout, self.sign_one(&peer, principal, request.into_inner(), traced)).await;
        signed.map_err(|_| late(self.limits.request_timeout))?.map(Response::new)
    }

    type SignBatchStream = Replies;

    async fn sign_batch(&self, request: Request<Streaming<SignBatchRequest>>) -> Result<Response<Replies>, Status> {
        principal(&request)?;
        let peer = peer(&request)?.clone();
        let parent = parent(request.metadata());
        Ok(Response::new(Replies::new(self.clone(), peer, parent, request.into_inner())))
    }
}

/// Waits until no more requests are to be taken.
pub async fn until(mut stopping: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is the end as well.
    drop(stopping.wait_for(|stop| *stop).await);
}

/// Lets calls through that come from somebody; for services that do not look at who asks.
///
/// # Errors
/// Says why the connection's certificate names nobody.
pub fn known_only(request: Request<()>) -> Result<Request<()>, Status> {
    principal(&request)?;
    Ok(request)
}

fn peer<T>(request: &Request<T>) -> Result<&Peer, Status> {
    request.extensions().get::<Peer>().ok_or_else(|| wire::unauthenticated(&IdentityError::Unreadable))
}

/// Who asks, as the connection's certificate says.
fn principal<T>(request: &Request<T>) -> Result<&Principal, Status> {
    peer(request)?.principal(SystemTime::now()).map_err(|why| wire::unauthenticated(&why))
}

/// Asks the keeper for something that needs no signature.
async fn ask<'a>(link: &Link, limit: Duration, message: impl FnOnce(u64) -> ToKeeper<'a>) -> Result<Answer, Status> {
    timeout(limit, link.room()).await.map_err(|_| late(limit))?;
    let mut call = link.call(message).map_err(|e| wire::status(unanswered(&e)))?;
    let answer = timeout(limit, call.answer()).await.map_err(|_| late(limit))?;
    answer.map_err(|e| wire::status(unanswered(&e)))
}

fn late(limit: Duration) -> Status {
    let message = format!("the request took longer than {limit:?}, the request_timeout of this key host; send it again, with the same id");
    wire::late("request-timeout", message)
}

/// A refusal for a call that the keeper did not answer.
fn unanswered(error: &LinkError) -> Refusal {
    let kind = match error {
        LinkError::Gone => RefusalKind::Unavailable,
        LinkError::Frame(_) => RefusalKind::TooLarge,
    };
    wire::own_refusal(kind, "keeper-unreachable", error.to_string())
}

/// Says what became of a request; the keeper says the same under the same id.
fn told(request_id: RequestId, answer: &Result<Answer, LinkError>) {
    match answer {
        Ok(Answer::Signed(signed)) => tracing::debug!(%request_id, entry = signed.entry_index, "signed"),
        Ok(Answer::Refused(refusal)) => {
            tracing::debug!(%request_id, entry = refusal.entry_index, reason = refusal.reason, "not signed");
        }
        Ok(_) => {}
        Err(error) => tracing::debug!(%request_id, %error, "not answered"),
    }
}

/// An answer of a kind that was not asked for.
fn unexpected(answer: Answer, request_id: Option<RequestId>) -> Refusal {
    let refusal = match answer {
        Answer::Refused(refusal) => refusal,
        _ => wire::own_refusal(
            RefusalKind::Internal,
            "wrong-answer",
            "the keeper answered another question; this is a fault, please report it".to_owned(),
        ),
    };
    if refusal.kind == RefusalKind::Internal {
        let request_id = request_id.map(tracing::field::display);
        tracing::error!(request_id, reason = refusal.reason, why = refusal.message, "a fault of the keeper");
    }
    refusal
}

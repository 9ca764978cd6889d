//! The gRPC services. Each is a thin skin: identity, wire, link, wire.

mod keys;
mod log;
mod sign;
mod sign_batch;

pub use keys::Keys;
pub use log::RequestLog;

use crate::identity::Peer;
use crate::link::{Link, LinkError};
use crate::wire;
use chancery_channel::{Answer, Principal, Refusal, RefusalKind};
use chancery_proto::v1::signing_service_server::SigningService;
use chancery_proto::v1::{SignBatchRequest, SignRequest, SignResponse};
use sign_batch::Replies;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
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
    pub batch_in_flight: usize,
}

/// `chancery.v1.SigningService`.
#[derive(Clone)]
pub struct Signing {
    link: Link,
    limits: CallLimits,
    in_flight: Arc<Semaphore>,
}

impl Signing {
    /// At most `in_flight` requests of all clients together are under way at once.
    #[must_use]
    pub fn new(link: Link, limits: CallLimits, in_flight: usize) -> Self {
        Self { link, limits, in_flight: Arc::new(Semaphore::new(in_flight)) }
    }
}

#[tonic::async_trait]
impl SigningService for Signing {
    async fn sign(&self, request: Request<Streaming<SignRequest>>) -> Result<Response<SignResponse>, Status> {
        let principal = principal(&request)?;
        let _place = self.in_flight.try_acquire().map_err(|_| wire::status(busy()))?;
        let call = sign::sign(&self.link, &self.limits, &principal, request.into_inner());
        let outcome = tokio::time::timeout(self.limits.request_timeout, call).await.map_err(|_| late())?;
        outcome.map(|signed| Response::new(wire::signed(signed))).map_err(wire::status)
    }

    type SignBatchStream = Replies;

    async fn sign_batch(&self, request: Request<Streaming<SignBatchRequest>>) -> Result<Response<Replies>, Status> {
        let principal = principal(&request)?;
        Ok(Response::new(Replies::new(self.link.clone(), self.limits, principal, request.into_inner())))
    }
}

/// Who asks, as the connection's certificate says.
fn principal<T>(request: &Request<T>) -> Result<Principal, Status> {
    let peer = request.extensions().get::<Peer>().ok_or_else(|| Status::unauthenticated("the connection has no client certificate"))?;
    peer.principal.clone().map_err(|why| Status::unauthenticated(why.to_string()))
}

fn late() -> Status {
    Status::deadline_exceeded(
        "the request took longer than request_timeout in the key host's signer.toml; send it again with the same request id",
    )
}

fn busy() -> Refusal {
    wire::own_refusal(RefusalKind::Busy, "gateway-busy", "too many requests are under way; try again".to_owned())
}

/// A refusal for a call that the keeper did not answer.
fn unanswered(error: &LinkError) -> Refusal {
    let kind = match error {
        LinkError::Gone => RefusalKind::Unavailable,
        LinkError::Frame(_) => RefusalKind::TooLarge,
    };
    wire::own_refusal(kind, "keeper-unreachable", error.to_string())
}

/// An answer of a kind that was not asked for.
fn unexpected(answer: Answer) -> Refusal {
    match answer {
        Answer::Refused(refusal) => refusal,
        _ => wire::own_refusal(
            RefusalKind::Internal,
            "wrong-answer",
            "the keeper answered another question; this is a fault, please report it".to_owned(),
        ),
    }
}

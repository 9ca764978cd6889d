//! Many small things on one stream: one task reads the requests of a stream, and nothing is spawned for each.

use super::sign::too_large;
use super::{CallLimits, unanswered, unexpected};
use crate::link::Link;
use crate::wire;
use chancery_channel::{Answer, Payload, Principal, Refusal, RefusalKind, ToKeeper};
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::{SignBatchRequest, SignBatchResponse};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// The content of one request of a batch, at most, in bytes; larger content goes through `Sign`.
const CONTENT_MAX: u64 = 64 * 1024;

/// The replies of one stream, as they are ready.
pub struct Replies {
    answers: UnboundedReceiver<Reply>,
    /// A permit for each request that may be read before an earlier one is answered; this bounds `answers` too.
    places: Arc<Semaphore>,
}

/// An answer with the client's number, or the fault that ends the stream.
type Reply = Result<(u64, Answer), Status>;

impl Replies {
    pub(super) fn new(link: Link, limits: CallLimits, principal: Principal, requests: Streaming<SignBatchRequest>) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        let places = Arc::new(Semaphore::new(limits.batch_in_flight));
        tokio::spawn(read(Reader { link, limits, principal, sender }, requests, Arc::clone(&places)));
        Self { answers, places }
    }
}

impl Stream for Replies {
    type Item = Result<SignBatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.answers.poll_recv(context).map(|reply| {
            reply.map(|reply| {
                self.places.add_permits(1);
                reply.map(|(number, answer)| response(number, answer))
            })
        })
    }
}

impl Drop for Replies {
    fn drop(&mut self) {
        self.places.close();
    }
}

struct Reader {
    link: Link,
    limits: CallLimits,
    principal: Principal,
    sender: UnboundedSender<Reply>,
}

async fn read(reader: Reader, mut requests: Streaming<SignBatchRequest>, places: Arc<Semaphore>) {
    // The places close when the client is gone.
    while let Ok(place) = places.acquire().await {
        place.forget();
        match requests.message().await {
            Ok(Some(request)) => reader.ask(request),
            Ok(None) => break,
            Err(status) => {
                drop(reader.sender.send(Err(status)));
                break;
            }
        }
    }
}

impl Reader {
    fn ask(&self, request: SignBatchRequest) {
        let number = request.number;
        if let Err(refusal) = self.hand_over(request) {
            drop(self.sender.send(Ok((number, Answer::Refused(refusal)))));
        }
    }

    fn hand_over(&self, request: SignBatchRequest) -> Result<(), Refusal> {
        let header = request.header.ok_or_else(|| invalid("header-missing", "a request of a batch has a header"))?;
        let asked = wire::request(&self.principal, header).map_err(|e| invalid("malformed-request", &e.to_string()))?;
        let have = u64::try_from(request.content.len()).unwrap_or(u64::MAX);
        let content = match asked.payload {
            Payload::Content { len, .. } if len > CONTENT_MAX.min(self.limits.max_content) => {
                return Err(too_large(len, CONTENT_MAX.min(self.limits.max_content)));
            }
            Payload::Content { len, .. } if len != have => {
                return Err(invalid("length-mismatch", &format!("the content has {have} bytes, {len} were declared")));
            }
            Payload::Digest { .. } if have > 0 => return Err(invalid("payload-mismatch", "a digest stands for the content: send none")),
            Payload::Content { .. } => Some(&request.content),
            Payload::Digest { .. } => None,
        };
        let answers = self.sender.clone();
        let number = request.number;
        let id = self.link.call_into(|id| ToKeeper::Sign { id, request: asked }, move |answer| drop(answers.send(Ok((number, answer)))));
        let id = id.map_err(|e| unanswered(&e))?;
        match content {
            Some(bytes) => self.link.whole_content(id, bytes).map_err(|e| unanswered(&e)),
            None => Ok(()),
        }
    }
}

fn response(number: u64, answer: Answer) -> SignBatchResponse {
    let outcome = match answer {
        Answer::Signed(signed) => Outcome::Signed(wire::signed(signed)),
        other => Outcome::Refusal(wire::refusal(unexpected(other))),
    };
    SignBatchResponse { number, outcome: Some(outcome) }
}

fn invalid(reason: &str, message: &str) -> Refusal {
    wire::own_refusal(RefusalKind::Invalid, reason, message.to_owned())
}

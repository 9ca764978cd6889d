//! Many small things on one stream: one task reads the requests of a stream, and nothing is spawned for each.

use super::{CallLimits, Signing, Turn, told, unanswered, unexpected, until};
use crate::identity::Peer;
use crate::link::LinkError;
use crate::traces::Traced;
use crate::wire;
use chancery_channel::{Answer, Payload, Refusal, RefusalKind, RequestId, SignRequest, ToKeeper};
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::{SignBatchRequest, SignBatchResponse, SignHeader};
use opentelemetry::trace::SpanContext;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::SystemTime;
use tokio::sync::Semaphore;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio_stream::Stream;
use tonic::{Status, Streaming};

/// The content of one request of a batch, at most, in bytes; larger content goes through `Sign`.
const CONTENT_MAX: u64 = 64 * 1024;

/// The replies of one stream, as they are ready.
pub struct Replies {
    answered: UnboundedReceiver<Result<Answered, Status>>,
    /// A permit for each request that may be read before an earlier one is answered; this bounds `answered` too.
    places: Arc<Semaphore>,
}

/// What became of the request with this number. It becomes a message in the stream's own task, not in the one that reads the channel.
struct Answered {
    number: u64,
    request_id: Option<RequestId>,
    answer: Result<Answer, LinkError>,
}

impl Replies {
    pub(super) fn new(signing: Signing, peer: Peer, parent: Option<SpanContext>, requests: Streaming<SignBatchRequest>) -> Self {
        let (sender, answered) = mpsc::unbounded_channel();
        let places = Arc::new(Semaphore::new(usize::try_from(signing.limits.batch_in_flight).unwrap_or(Semaphore::MAX_PERMITS)));
        tokio::spawn(read(Reader { signing, peer, parent, sender, places: Arc::clone(&places) }, requests));
        Self { answered, places }
    }
}

impl Stream for Replies {
    type Item = Result<SignBatchResponse, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.answered.poll_recv(context).map(|next| {
            next.map(|answered| {
                let answered = answered?;
                self.places.add_permits(1);
                Ok(response(answered))
            })
        })
    }
}

impl Drop for Replies {
    /// The client is gone: the reader must not wait for places that nobody gives back.
    fn drop(&mut self) {
        self.places.close();
    }
}

struct Reader {
    signing: Signing,
    peer: Peer,
    /// The client's span that all requests of the stream are under.
    parent: Option<SpanContext>,
    sender: UnboundedSender<Result<Answered, Status>>,
    places: Arc<Semaphore>,
}

async fn read(reader: Reader, mut requests: Streaming<SignBatchRequest>) {
    let mut stopping = pin!(until(reader.signing.stopping.clone()));
    loop {
        let request = tokio::select! {
            biased;
            () = &mut stopping => return reader.stop().await,
            request = reader.next(&mut requests) => request,
        };
        match request {
            Ok(Some(asked)) => reader.ask(asked),
            Ok(None) => return,
            // What is under way is answered first: an error ends the stream.
            Err(status) => return reader.end(status).await,
        }
    }
}

impl Reader {
    /// The next request, once there is a place for it on this stream, among those of its principal and of all, and on the way to the keeper.
    async fn next(&self, requests: &mut Streaming<SignBatchRequest>) -> Result<Option<Asked>, Status> {
        // Places are closed when the client is gone; the turns of all streams never are.
        let Ok(place) = self.places.acquire().await else { return Ok(None) };
        let Some(request) = requests.message().await? else { return Ok(None) };
        let mut traced = self.signing.metrics.traces().begin("SignBatch", self.parent.as_ref());
        let Some(turn) = self.signing.turn(&self.peer).await else { return Ok(None) };
        self.signing.link.room().await;
        traced.waited();
        place.forget();
        Ok(Some(Asked { request, turn, traced }))
    }

    async fn stop(self) {
        self.end(wire::stopping()).await;
    }

    /// Ends the stream with a status, after the client has taken all answers that are under way.
    async fn end(self, status: Status) {
        if self.places.acquire_many(self.signing.limits.batch_in_flight).await.is_ok() {
            drop(self.sender.send(Err(status)));
        }
    }

    fn ask(&self, asked: Asked) {
        let number = asked.request.number;
        if let Err(refusal) = self.hand_over(asked) {
            drop(self.sender.send(Ok(Answered { number, request_id: None, answer: Ok(Answer::Refused(refusal)) })));
        }
    }

    fn read(&self, header: Option<SignHeader>) -> Result<SignRequest, Refusal> {
        let header = header.ok_or_else(|| invalid("header-missing", "a request of a batch has a header"))?;
        self.peer.allowance().step().map_err(|wait| self.signing.too_fast(wait))?;
        let principal = self.peer.principal(SystemTime::now()).map_err(|why| invalid("certificate-expired", &why.to_string()))?;
        wire::request(principal.clone(), header).map_err(|error| {
            self.signing.metrics.malformed();
            invalid("malformed-request", &error.to_string())
        })
    }

    fn hand_over(&self, Asked { request, turn, mut traced }: Asked) -> Result<(), Refusal> {
        let SignBatchRequest { number, header, content } = request;
        let asked = match self.read(header) {
            Ok(read) => read,
            Err(refusal) => {
                traced.refused(&refusal.reason);
                return Err(refusal);
            }
        };
        let underway = self.signing.metrics.begin(&asked, traced);
        let content = match check_content(&self.signing.limits, &asked.payload, &content) {
            Ok(content) => content,
            Err(refusal) => {
                underway.refused(&refusal.reason);
                return Err(refusal);
            }
        };
        let request_id = asked.request_id;
        let sender = self.sender.clone();
        let take = move |answer| {
            underway.answered(&answer);
            // The client may be gone.
            drop(sender.send(Ok(Answered { number, request_id: Some(request_id), answer })));
            drop(turn);
        };
        let begun = self.signing.link.begin(|id| ToKeeper::Sign { id, request: asked, peer: self.peer.address() }, content, take);
        begun.map(|_| ()).map_err(|e| unanswered(&e))
    }
}

/// A request of a batch whose turn it is.
struct Asked {
    request: SignBatchRequest,
    turn: Turn,
    traced: Traced,
}

/// The content to send along, when it is what its header says.
fn check_content<'a>(limits: &CallLimits, payload: &Payload, content: &'a [u8]) -> Result<Option<&'a [u8]>, Refusal> {
    let have = u64::try_from(content.len()).unwrap_or(u64::MAX);
    let max = CONTENT_MAX.min(limits.max_content);
    match *payload {
        Payload::Content { len, .. } if len > max => Err(wire::too_large(len, max)),
        Payload::Content { len, .. } if len != have => {
            Err(invalid("length-mismatch", &format!("the content has {have} bytes, {len} were declared")))
        }
        Payload::Content { .. } => Ok(Some(content)),
        Payload::Digest { .. } | Payload::Blake2b(_) | Payload::HashState(_) | Payload::Statement(_) if have > 0 => {
            Err(invalid("payload-mismatch", "a digest stands for the content: send none"))
        }
        Payload::Digest { .. } | Payload::Blake2b(_) | Payload::HashState(_) | Payload::Statement(_) => Ok(None),
    }
}

fn response(answered: Answered) -> SignBatchResponse {
    let Answered { number, request_id, answer } = answered;
    if let Some(request_id) = request_id {
        told(request_id, &answer);
    }
    let outcome = match answer {
        Ok(Answer::Signed(signed)) => Outcome::Signed(wire::signed(signed)),
        Ok(other) => Outcome::Refusal(wire::refusal(unexpected(other, request_id))),
        Err(error) => Outcome::Refusal(wire::refusal(unanswered(&error))),
    };
    SignBatchResponse { number, outcome: Some(outcome) }
}

fn invalid(reason: &str, message: &str) -> Refusal {
    wire::own_refusal(RefusalKind::Invalid, reason, message.to_owned())
}

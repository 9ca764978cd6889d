//! Many signatures over one stream.

use crate::client::Client;
use crate::error::Error;
use crate::request::Request;
use crate::signature::VerifiedSignature;
use crate::wire::Failure;
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{SignBatchRequest, SignBatchResponse};
use std::sync::{Mutex, PoisonError};
use tonic::Status;
use tonic::transport::Channel;

/// Content beyond this goes through a call of its own, says the protocol.
const MAX_CONTENT: usize = 64 * 1024;

/// So many requests share one deadline.
const GROUP: usize = 1024;

impl Client {
    /// Asks for many signatures over one stream, and checks each as [`Client::sign`] does. The results are in the order of the requests;
    /// one that is refused does not hinder the others.
    ///
    /// # Errors
    /// When the newest checkpoint cannot be kept, or is not of the history that was seen before: then no signature may be used.
    pub async fn sign_batch(&self, requests: &[Request]) -> Result<Vec<Result<VerifiedSignature, Error>>, Error> {
        let mut results = Vec::with_capacity(requests.len());
        if let Some(offline) = &self.host.offline {
            for request in requests {
                results.push(self.answered(offline, request).await);
            }
            self.save().await?;
            return Ok(results);
        }
        for group in requests.chunks(GROUP) {
            let replies = Replies::new(group);
            let sent = self.host.patience.call(&self.host.lines, |channel| replies.collect(channel)).await;
            let (endpoint, failure) = match sent {
                Ok(((), line)) => (line.endpoint.to_string(), None),
                Err(failure) => (failure.endpoint().to_owned(), Some(failure)),
            };
            for (request, outcome) in group.iter().zip(replies.outcomes()) {
                results.push(match outcome {
                    Some(Outcome::Signed(reply)) => self.check(request, &reply).await,
                    Some(Outcome::Refusal(refusal)) => {
                        let endpoint = endpoint.clone();
                        Err(self.failed(Failure::Refused { refusal, endpoint }, request.id()).await)
                    }
                    None => match &failure {
                        Some(failure) if is_small(request) => Err(self.failed(failure.share(), request.id()).await),
                        _ => self.sign(request).await,
                    },
                });
            }
        }
        self.save().await?;
        Ok(results)
    }
}

/// The replies to a group of requests, as far as they have come.
struct Replies<'a> {
    requests: &'a [Request],
    outcomes: Mutex<Vec<Option<Outcome>>>,
}

impl<'a> Replies<'a> {
    fn new(requests: &'a [Request]) -> Self {
        Self { requests, outcomes: Mutex::new(vec![None; requests.len()]) }
    }

    fn outcomes(self) -> Vec<Option<Outcome>> {
        self.outcomes.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends what has no final reply yet, each with the id that it has always had, and takes the replies in.
    async fn collect(&self, channel: Channel) -> Result<(), Status> {
        let open = self.open();
        if open.is_empty() {
            return Ok(());
        }
        let mut missing = open.len();
        let mut replies = SigningServiceClient::new(channel).sign_batch(tokio_stream::iter(open)).await?.into_inner();
        while missing > 0 {
            let reply = replies.message().await?.ok_or_else(|| Status::unavailable("the stream ended before all replies came"))?;
            missing = missing.saturating_sub(1);
            self.put(reply)?;
        }
        if self.open().is_empty() { Ok(()) } else { Err(Status::aborted("the key host asks to try again later")) }
    }

    fn open(&self) -> Vec<SignBatchRequest> {
        let outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let open = |outcome: &Option<Outcome>| match outcome {
            None => true,
            Some(Outcome::Refusal(refusal)) => refusal.retry,
            Some(Outcome::Signed(_)) => false,
        };
        let requests = (0_u64..).zip(self.requests).zip(outcomes.iter());
        requests.filter(|((_, request), outcome)| open(outcome) && is_small(request)).map(|((number, r), _)| wire(number, r)).collect()
    }

    fn put(&self, reply: SignBatchResponse) -> Result<(), Status> {
        let mut outcomes = self.outcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let place = usize::try_from(reply.number).ok().and_then(|n| outcomes.get_mut(n));
        match (place, reply.outcome) {
            (Some(place), Some(outcome)) => {
                *place = Some(outcome);
                Ok(())
            }
            _ => Err(Status::internal("the key host sent a reply that belongs to no request")),
        }
    }
}

fn wire(number: u64, request: &Request) -> SignBatchRequest {
    SignBatchRequest { number, header: Some(request.header()), content: request.material().body() }
}

fn is_small(request: &Request) -> bool {
    request.material().body().len() <= MAX_CONTENT
}

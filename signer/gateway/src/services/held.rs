//! Answers of many bytes, which wait in our memory until the client takes them: each principal may have a few of them at once, on all its
//! connections together. HTTP/2 asks for the end of an answer only when the client has room for all before it, so whoever takes nothing gets no
//! more.

use crate::identity::Peer;
use crate::wire;
use chancery_channel::RefusalKind;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;

/// The service `S`, whose answers are held until they are taken.
#[derive(Debug, Clone)]
pub struct Held<S> {
    inner: S,
    patience: Duration,
}

impl<S> Held<S> {
    /// A client that has as many answers as it may waits so long for the next one.
    pub const fn new(inner: S, patience: Duration) -> Self {
        Self { inner, patience }
    }
}

impl<S: NamedService> NamedService for Held<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Held<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let reads = request.extensions().get::<Peer>().map(|peer| Arc::clone(peer.allowance().reads()));
        let (mut inner, patience) = (self.inner.clone(), self.patience);
        Box::pin(async move {
            // Who is not known is refused by the service itself.
            let Some(reads) = reads else { return inner.call(request).await };
            let Ok(Ok(held)) = timeout(patience, reads.acquire_owned()).await else {
                let message = "this principal has not taken the answers that it asked for before; take them, then ask again".to_owned();
                return Ok(wire::status(wire::own_refusal(RefusalKind::Busy, "answers-not-taken", message)).into_http());
            };
            Ok(inner.call(request).await?.map(|body| Body::new(Taken { body, _held: held })))
        })
    }
}

/// An answer that counts as long as it is here.
struct Taken {
    body: Body,
    _held: OwnedSemaphorePermit,
}

impl http_body::Body for Taken {
    type Data = <Body as http_body::Body>::Data;
    type Error = <Body as http_body::Body>::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

//! What clients are told while the keeper waits for its passphrase: health says that nothing serves, and every call is refused with the
//! reason.

use crate::accept::{Doors, accept};
use crate::config::Limits;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::server::accept_limits;
use crate::services::{Keys, RequestLog, Signing, known_only, until};
use crate::tls::Trust;
use crate::wire;
use chancery_channel::{Cell, Ready};
use chancery_proto::v1::key_service_server::KeyServiceServer;
use chancery_proto::v1::request_log_service_server::RequestLogServiceServer;
use chancery_proto::v1::signing_service_server::SigningServiceServer;
use std::convert::Infallible;
use std::future::{self, Ready as Now};
use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{self, Server};

/// How long calls that are refused anyway may go on once the keeper is ready.
const PATIENCE: Duration = Duration::from_secs(1);

/// A server that refuses.
pub struct Locked {
    stopping: watch::Sender<bool>,
    health: Health,
    serving: JoinHandle<Result<(), transport::Error>>,
}

impl Locked {
    /// Refuses what comes in.
    ///
    /// # Errors
    /// There can be no thread for the handshakes.
    pub async fn start(listener: TcpListener, trust: Arc<Trust>, limits: &Limits) -> io::Result<Self> {
        let ready = Ready { log_vkey: String::new(), keys: Vec::new(), read_only: None, cell: Cell::default() };
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let health = Health::new(reporter, &ready).await;
        let (stopping, stopped) = watch::channel(false);
        let router = Server::builder()
            .max_concurrent_streams(limits.streams_per_connection)
            .http2_keepalive_interval(Some(limits.keepalive_interval))
            .http2_keepalive_timeout(Some(limits.keepalive_timeout))
            .add_service(Closed::<SigningServiceServer<Signing>>::new())
            .add_service(Closed::<KeyServiceServer<Keys>>::new())
            .add_service(Closed::<RequestLogServiceServer<RequestLog>>::new())
            .add_service(InterceptedService::new(health_service, known_only));
        let doors = Doors { listener: Some(listener), relays: None };
        let connections = accept(doors, trust, Arc::new(Metrics::new(&ready)), accept_limits(limits))?.connections;
        let serving = tokio::spawn(router.serve_with_incoming_shutdown(connections, until(stopped)));
        Ok(Self { stopping, health, serving })
    }

    /// Ends, so that another server can take the connections that come.
    pub async fn stop(mut self) {
        self.stopping.send_replace(true);
        self.health.forget().await;
        if timeout(PATIENCE, &mut self.serving).await.is_err() {
            self.serving.abort();
        }
    }
}

/// The service `S`, of which every call is refused.
struct Closed<S>(PhantomData<fn() -> S>);

impl<S> Closed<S> {
    const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<S> Clone for Closed<S> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<S: NamedService> NamedService for Closed<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<http::Request<Body>> for Closed<S> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Now<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        future::ready(Ok(wire::locked().into_http()))
    }
}

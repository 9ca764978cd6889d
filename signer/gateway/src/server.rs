//! The gRPC server over a link to a keeper: from accepting connections to the last answer.

use crate::accept::{AcceptLimits, Accepting, Doors, accept};
use crate::config::Limits;
use crate::health::{Health, Pulse};
use crate::link::Link;
use crate::metrics::Metrics;
use crate::services::{CallLimits, Cells, Held, Keys, RequestLog, Signing, known_only, until};
use crate::tls::Trust;
use chancery_channel::{Cell, Ready};
use chancery_proto::v1::key_service_server::KeyServiceServer;
use chancery_proto::v1::request_log_service_server::RequestLogServiceServer;
use chancery_proto::v1::signing_service_server::SigningServiceServer;
use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tonic::service::interceptor::InterceptedService;
use tonic::transport;
use tonic::transport::server::Router;

/// Content of one stream that may be on its way, in bytes; small calls do not notice it.
const STREAM_WINDOW: u32 = 1 << 20;
/// And of one connection: one stream whose content has to wait does not stop the others.
const CONNECTION_WINDOW: u32 = 2 << 20;
/// Requests that are no content are small.
const QUESTION_MAX: usize = 4096;
/// Those that bring the answer of a witness are somewhat larger.
const ANSWER_MAX: usize = 32 * 1024;
/// For the thread of handshakes to end.
const LOBBY_PATIENCE: Duration = Duration::from_secs(1);

/// A server at work.
pub struct Server {
    stopping: watch::Sender<bool>,
    health: Health,
    serving: JoinHandle<Result<(), transport::Error>>,
    following: JoinHandle<()>,
    over: oneshot::Receiver<Infallible>,
}

impl Server {
    /// Serves what comes in. `cell` is what this process gave up.
    ///
    /// # Errors
    /// There can be no thread for the handshakes.
    pub async fn start(
        doors: Doors,
        trust: Arc<Trust>,
        metrics: Arc<Metrics>,
        link: &Link,
        ready: &Ready,
        limits: &Limits,
        cell: Cell,
    ) -> io::Result<Self> {
        let (reporter, health_service) = tonic_health::server::health_reporter();
        let health = Health::new(reporter, ready).await;
        let (stopping, stopped) = watch::channel(false);
        let cells = Cells { keeper: ready.cell.clone(), gateway: cell };
        let router =
            router(limits, link, &metrics, cells, stopped.clone()).add_service(InterceptedService::new(health_service, known_only));
        let Accepting { connections, over } = accept(doors, trust, metrics, accept_limits(limits))?;
        let serving = tokio::spawn(router.serve_with_incoming_shutdown(connections, until(stopped)));
        let following = {
            let (health, link) = (health.clone(), link.clone());
            let pulse = Pulse { every: limits.keepalive_interval, patience: limits.keepalive_timeout };
            tokio::spawn(async move { health.follow(&link, pulse).await })
        };
        Ok(Self { stopping, health, serving, following, over })
    }

    /// Takes nothing new, lets calls under way go on for so long, and ends.
    ///
    /// # Errors
    /// The server failed before.
    pub async fn drain(mut self, patience: Duration) -> Result<(), transport::Error> {
        self.following.abort();
        self.health.stop().await;
        self.stopping.send_replace(true);
        self.health.forget().await;
        let ended = timeout(patience, &mut self.serving).await;
        if ended.is_err() {
            tracing::warn!("requests were still under way at the end of drain_timeout");
            self.serving.abort();
        }
        // It ends with the one who takes connections from it; nothing else is waited for.
        drop(timeout(LOBBY_PATIENCE, self.over).await);
        match ended {
            Ok(Ok(served)) => served,
            Ok(Err(error)) => {
                tracing::error!(%error, "the server ended by a fault");
                Ok(())
            }
            Err(_) => Ok(()),
        }
    }
}

/// The bounds that hold before a request is read.
pub fn accept_limits(limits: &Limits) -> AcceptLimits {
    AcceptLimits {
        connections: count(limits.connections),
        per_principal: count(limits.connections_per_principal),
        in_flight_per_principal: count(limits.in_flight_per_principal),
        rate_per_principal: limits.rate_per_principal,
        handshakes_per_address: count(limits.handshakes_per_address),
        handshake_timeout: limits.handshake_timeout,
    }
}

fn router(limits: &Limits, link: &Link, metrics: &Arc<Metrics>, cells: Cells, stopping: watch::Receiver<bool>) -> Router {
    let calls = CallLimits {
        max_content: limits.max_content,
        request_timeout: limits.request_timeout,
        stall_timeout: limits.stall_timeout,
        batch_in_flight: limits.batch_in_flight,
    };
    let message = usize::try_from(limits.max_message).unwrap_or(usize::MAX);
    let signing = Signing::new(link.clone(), calls, count(limits.in_flight), stopping, Arc::clone(metrics));
    let keys = Keys::new(link.clone(), limits.request_timeout, cells);
    let log = RequestLog::new(link.clone(), limits.request_timeout);
    transport::Server::builder()
        .max_concurrent_streams(limits.streams_per_connection)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .http2_keepalive_interval(Some(limits.keepalive_interval))
        .http2_keepalive_timeout(Some(limits.keepalive_timeout))
        .add_service(SigningServiceServer::new(signing).max_decoding_message_size(message))
        .add_service(Held::new(KeyServiceServer::new(keys).max_decoding_message_size(QUESTION_MAX), limits.request_timeout))
        .add_service(Held::new(RequestLogServiceServer::new(log).max_decoding_message_size(ANSWER_MAX), limits.request_timeout))
}

fn count(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

//! Traces of requests, sent to a collector on this machine over OTLP.
//!
//! They are for whoever looks for lost time, and prove nothing: a collector that is away, slow or full loses spans, and no request waits
//! for it. What they say of a request is what its entry in the log says too; never content.

mod parent;
mod span;
#[cfg(test)]
mod tests;

pub use parent::parent;
pub use span::Traced;

use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanContext, TracerProvider as _};
use opentelemetry_otlp::{ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData, SpanExporter as Exporter,
};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::timeout;
use tonic::transport::Endpoint;

/// Spans that may wait for the collector; more are dropped.
const QUEUE: usize = 4096;
/// Spans of one message, at most.
const BATCH: usize = 512;
/// Spans wait no longer for others to travel with.
const DELAY: Duration = Duration::from_secs(1);
/// A collector that takes longer for a message does not get it.
const PATIENCE: Duration = Duration::from_secs(2);
/// What still waits when the gateway stops has to be gone by then.
const FLUSH: Duration = Duration::from_secs(3);

/// Traces cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The address is none that the transport takes.
    #[error("traces cannot be sent there; write endpoint = \"http://127.0.0.1:4317\"")]
    Endpoint(#[from] tonic::transport::Error),
    /// The exporter refuses its settings; some of them may come from variables named OTEL_….
    #[error("traces cannot be sent; look at the variables of the environment that begin with OTEL_EXPORTER_OTLP_")]
    Exporter(#[from] ExporterBuildError),
}

/// Where traces go, if anywhere.
#[derive(Debug, Clone, Default)]
pub struct Traces(Option<Running>);

#[derive(Debug, Clone)]
struct Running {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl Traces {
    /// Sends them to this collector. To be called in the runtime that carries the connection, and in the cell: it starts a thread.
    ///
    /// # Errors
    /// [`TracesError`]; a collector that is not there is none.
    pub fn start(collector: SocketAddr) -> Result<Self, TracesError> {
        let channel = Endpoint::from_shared(format!("http://{collector}"))?.connect_timeout(PATIENCE).timeout(PATIENCE).connect_lazy();
        let exporter = SpanExporter::builder()
            .with_tonic()
            .with_channel(channel)
            .with_timeout(PATIENCE)
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        let batches =
            BatchConfigBuilder::default().with_max_queue_size(QUEUE).with_max_export_batch_size(BATCH).with_scheduled_delay(DELAY).build();
        let watched = Watched { exporter, failing: AtomicBool::new(false) };
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOn)))
            .with_resource(Resource::builder_empty().with_service_name("chanceryd").with_attribute(version).build())
            .with_span_processor(BatchSpanProcessor::builder(watched).with_batch_config(batches).build())
            .build();
        let tracer = provider.tracer("chanceryd");
        tracing::info!(%collector, "traces go to a collector");
        Ok(Self(Some(Running { provider, tracer })))
    }

    /// A request arrived through this method of the service, under this span of its client.
    #[must_use]
    pub fn begin(&self, method: &'static str, parent: Option<&SpanContext>) -> Traced {
        self.0.as_ref().map(|running| Traced::begin(&running.tracer, method, parent)).unwrap_or_default()
    }

    /// Sends what still waits, and ends. Takes no longer than a few seconds, whatever the collector does.
    pub async fn flush(self) {
        let Some(Running { provider, .. }) = self.0 else { return };
        let (done, flushed) = oneshot::channel();
        // In a thread that nobody has to wait for: the process may end while the collector hangs.
        let work = move || drop(done.send(provider.shutdown_with_timeout(FLUSH)));
        let begun = thread::Builder::new().name("traces".to_owned()).spawn(work);
        if begun.is_err() || !matches!(timeout(FLUSH, flushed).await, Ok(Ok(Ok(())))) {
            tracing::warn!("the last traces did not reach the collector");
        }
    }
}

/// Says when the collector cannot be reached, once, and when it can again.
#[derive(Debug)]
struct Watched {
    exporter: SpanExporter,
    failing: AtomicBool,
}

impl Exporter for Watched {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let result = self.exporter.export(batch).await;
        match (&result, self.failing.swap(result.is_err(), Ordering::Relaxed)) {
            (Err(error), false) => tracing::warn!(%error, "traces do not reach the collector; they are lost until they do"),
            (Ok(()), true) => tracing::info!("traces reach the collector again"),
            _ => {}
        }
        result
    }

    fn shutdown_with_timeout(&self, patience: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(patience)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

//! Numbers for Prometheus: what is asked for, what comes of it, and how long it takes.
//!
//! Labels are names that the key host itself gave (keys, constructions, reasons), so nobody can make them grow.

mod keeper;

use crate::link::{KeeperState, Link, LinkError};
use crate::tls::Trust;
use crate::traces::{Traced, Traces};
use chancery_channel::{Answer, Cell, Ready, SignRequest, Stats, ToKeeper};
use chancery_exporter::PATIENCE;
use keeper::KeeperNumbers;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use std::sync::Arc;
use std::time::Instant;
use tokio::time::timeout;

/// Stands for keys that the key host does not have.
const OTHER: &str = "other";

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    keys: Vec<String>,
    requests: Family<Request, Counter>,
    seconds: Family<ByConstruction, Histogram>,
    malformed: Counter,
    rate_limited: Counter,
    connections: Gauge,
    turned_away: Family<Why, Counter>,
    reloads: Family<Reloaded, Counter>,
    layers: Family<Layer, Gauge>,
    keeper_cell: Cell,
    traces: Traces,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    key: String,
    construction: &'static str,
    outcome: &'static str,
    reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByConstruction {
    construction: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reloaded {
    what: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Layer {
    process: &'static str,
    layer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct File {
    file: &'static str,
}

impl Metrics {
    /// Nothing was counted yet.
    #[must_use]
    pub fn new(ready: &Ready) -> Self {
        let mut registry = Registry::with_prefix("chancery");
        let requests = Family::<Request, Counter>::default();
        registry.register("requests", "Requests by key, construction, outcome and reason", requests.clone());
        // From 250 us to half a minute.
        let seconds = Family::<ByConstruction, Histogram>::new_with_constructor(|| Histogram::new(exponential_buckets(0.000_25, 2.0, 18)));
        let help = "From a request's header to its answer, with waiting for its content";
        registry.register_with_unit("request_duration", help, Unit::Seconds, seconds.clone());
        let malformed = Counter::default();
        registry.register("requests_malformed", "Requests that could not be read, which the keeper did not see", malformed.clone());
        let rate_limited = Counter::default();
        let help = "Requests that came faster than rate_per_principal, which were not read";
        registry.register("requests_rate_limited", help, rate_limited.clone());
        let connections = Gauge::default();
        registry.register("connections", "Connections whose handshake is done", connections.clone());
        let turned_away = Family::<Why, Counter>::default();
        registry.register("connections_refused", "Connections that were closed before a request, by why", turned_away.clone());
        let reloads = Family::<Reloaded, Counter>::default();
        registry.register("reloads", "Reloads, by what was to be replaced and whether it was", reloads.clone());
        let layers = Family::<Layer, Gauge>::default();
        registry.register("cell_layer", "Layers of the cells of gateway and keeper: 1 in force, 0 missing and accepted", layers.clone());
        let keeper_cell = ready.cell.clone();
        let keys = ready.keys.iter().map(|k| k.name.to_string()).collect();
        Self {
            registry,
            keys,
            requests,
            seconds,
            malformed,
            rate_limited,
            connections,
            turned_away,
            reloads,
            layers,
            keeper_cell,
            traces: Traces::default(),
        }
    }

    /// The same; what gateway and keeper gave up is told.
    #[must_use]
    pub fn of_cell(self, gateway: &Cell) -> Self {
        for (process, cell) in [("gateway", gateway), ("keeper", &self.keeper_cell)] {
            let set = |layer: &String, is: i64| {
                // Of a missing one the reason is said too, which is for people.
                let name = layer.split([':', '(']).next().unwrap_or_default().trim().to_owned();
                let _ = self.layers.get_or_create(&Layer { process, layer: name }).set(is);
            };
            cell.missing.iter().for_each(|layer| set(layer, 0));
            cell.layers.iter().for_each(|layer| set(layer, 1));
        }
        self
    }

    /// The same; each request is traced too.
    #[must_use]
    pub fn traced(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// Where traces of requests go.
    #[must_use]
    pub const fn traces(&self) -> &Traces {
        &self.traces
    }

    /// A request was read; what becomes of it is told to what is returned.
    #[must_use]
    pub fn begin(self: &Arc<Self>, request: &SignRequest, mut traced: Traced) -> Underway {
        traced.asked(request);
        let named = self.keys.iter().find(|key| *key == request.key.as_str());
        Underway {
            metrics: Arc::clone(self),
            key: named.map_or_else(|| OTHER.to_owned(), Clone::clone),
            construction: request.construction.name(),
            start: Instant::now(),
            told: false,
            traced,
        }
    }

    /// A request could not be read.
    pub fn malformed(&self) {
        self.malformed.inc();
    }

    /// A request came too fast.
    pub fn too_fast(&self) {
        self.rate_limited.inc();
    }

    /// A connection stands, until what is returned is dropped.
    #[must_use]
    pub fn connected(self: &Arc<Self>) -> Connected {
        self.connections.inc();
        Connected(Arc::clone(self))
    }

    /// A connection was closed before it could ask anything.
    pub fn turned_away(&self, why: &'static str) {
        self.turned_away.get_or_create(&Why { why }).inc();
    }

    /// Something was read again.
    pub fn reloaded(&self, what: &'static str, done: bool) {
        self.reloads.get_or_create(&Reloaded { what, outcome: if done { "done" } else { "refused" } }).inc();
    }

    /// All numbers in the OpenMetrics text format. Without `stats` the keeper does not answer; `signs` is whether it says that it signs.
    #[must_use]
    pub fn text(&self, trust: &Trust, stats: Option<Stats>, signs: bool) -> String {
        let mut at_once = Registry::with_prefix("chancery");
        let up = Gauge::<i64>::default();
        up.set(i64::from(stats.is_some()));
        at_once.register("keeper_up", "Whether the keeper answers", up);
        let signing = Gauge::<i64>::default();
        signing.set(i64::from(stats.is_some() && signs));
        at_once.register("signing", "Whether requests are signed; not while the log cannot be written", signing);
        let expiry = Family::<File, Gauge>::default();
        let help = "When certificates end, in seconds since 1970";
        for (file, end) in trust.expiries() {
            expiry.get_or_create(&File { file }).set(end);
        }
        at_once.register("certificate_expiry_timestamp_seconds", help, expiry);
        if let Some(stats) = stats {
            at_once.register_collector(Box::new(KeeperNumbers(stats)));
        }
        chancery_exporter::text(&[&self.registry, &at_once])
    }
}

/// What a scrape needs.
#[derive(Clone)]
pub struct Scraped {
    /// What the gateway counts.
    pub metrics: Arc<Metrics>,
    /// Whose certificates end when.
    pub trust: Arc<Trust>,
    /// To the keeper, for what it counts.
    pub link: Link,
}

impl Scraped {
    /// All numbers of now.
    pub async fn text(self) -> String {
        let stats = self.stats().await;
        let signs = *self.link.keeper().borrow() == KeeperState::Signing;
        self.metrics.text(&self.trust, stats, signs)
    }

    async fn stats(&self) -> Option<Stats> {
        let mut call = self.link.call(|id| ToKeeper::Stats { id }).ok()?;
        match timeout(PATIENCE, call.answer()).await {
            Ok(Ok(Answer::Stats(stats))) => Some(*stats),
            _ => None,
        }
    }
}

/// A request under way. Dropped without an answer, its client went away.
#[derive(Debug)]
pub struct Underway {
    metrics: Arc<Metrics>,
    key: String,
    construction: &'static str,
    start: Instant,
    told: bool,
    traced: Traced,
}

impl Underway {
    /// The answer came.
    pub fn answered(mut self, answer: &Result<Answer, LinkError>) {
        self.traced.answered(answer);
        match answer {
            Ok(Answer::Signed(_)) => self.tell("signed", String::new()),
            Ok(Answer::Refused(refusal)) => self.tell("refused", refusal.reason.clone()),
            Ok(_) => self.tell("refused", "wrong-answer".to_owned()),
            Err(_) => self.tell("refused", "keeper-unreachable".to_owned()),
        }
    }

    /// The gateway itself refused.
    pub fn refused(mut self, reason: &str) {
        self.traced.refused(reason);
        self.tell("refused", reason.to_owned());
    }

    fn tell(&mut self, outcome: &'static str, reason: String) {
        self.told = true;
        let (key, construction) = (std::mem::take(&mut self.key), self.construction);
        self.metrics.requests.get_or_create(&Request { key, construction, outcome, reason }).inc();
        self.metrics.seconds.get_or_create(&ByConstruction { construction }).observe(self.start.elapsed().as_secs_f64());
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        if !self.told {
            self.tell("abandoned", String::new());
        }
    }
}

/// A connection that stands.
#[derive(Debug)]
pub struct Connected(Arc<Metrics>);

impl Drop for Connected {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

//! What the relay counts, for Prometheus: `docs/operations.md` says what each number means.
//!
//! Labels are names out of certificates that a key host's authority made, of fronts, and of our own, so no stranger can make them grow.

use super::pool::Pool;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

pub(super) struct Metrics {
    registry: Registry,
    handed_out: Family<KeyHost, Counter>,
    sent_away: Family<KeyHost, Counter>,
    turned_away: Family<Why, Counter>,
    refused: Family<Why, Counter>,
    lost: Family<Why, Counter>,
    /// Clients that wait for a key host.
    pub(super) waiting: Gauge,
    /// Clients that have one.
    pub(super) connected: Gauge,
    /// Bytes from clients to key hosts.
    pub(super) to_key_host: Counter,
    /// Bytes from key hosts to clients.
    pub(super) to_client: Counter,
    /// When each key host was heard of last.
    heard: Mutex<BTreeMap<Arc<str>, Instant>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KeyHost {
    key_host: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Why {
    why: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Direction {
    to: &'static str,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let mut registry = Registry::with_prefix("chancery_relay");
        let handed_out = Family::<KeyHost, Counter>::default();
        registry.register("handed_out", "Parked connections that a client got, by key host", handed_out.clone());
        let sent_away = Family::<KeyHost, Counter>::default();
        registry.register("refused", "Clients sent away because none was parked, by the key host that they wanted", sent_away.clone());
        let turned_away = Family::<Why, Counter>::default();
        registry.register("turned_away", "Clients for whom no parked connection was asked, by why", turned_away.clone());
        let refused = Family::<Why, Counter>::default();
        registry.register("dials_refused", "Connections to the parked side that may not park, by why", refused.clone());
        let lost = Family::<Why, Counter>::default();
        registry.register("parked_lost", "Parked connections that were closed before a client got them, by why", lost.clone());
        let (waiting, connected) = (Gauge::default(), Gauge::default());
        registry.register("clients_waiting", "Clients that wait for a key host", waiting.clone());
        registry.register("clients", "Clients that are connected to a key host", connected.clone());
        let carried = Family::<Direction, Counter>::default();
        registry.register_with_unit("carried", "What was carried, by who got it", Unit::Bytes, carried.clone());
        let [to_key_host, to_client] = ["key_host", "client"].map(|to| carried.get_or_create(&Direction { to }).clone());
        let heard = Mutex::default();
        Self { registry, handed_out, sent_away, turned_away, refused, lost, waiting, connected, to_key_host, to_client, heard }
    }

    /// A key host said something.
    pub(super) fn heard(&self, key_host: &Arc<str>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = heard.insert(Arc::clone(key_host), Instant::now());
    }

    /// A client got a connection of this key host.
    pub(super) fn handed_out(&self, key_host: &str) {
        self.handed_out.get_or_create(&KeyHost { key_host: key_host.to_owned() }).inc();
    }

    /// A client got none, of the key host that it wanted or of any.
    pub(super) fn sent_away(&self, key_host: &str) {
        self.sent_away.get_or_create(&KeyHost { key_host: key_host.to_owned() }).inc();
    }

    /// A client is one too many of its address, or speaks no TLS.
    pub(super) fn turned_away(&self, why: &'static str) {
        self.turned_away.get_or_create(&Why { why }).inc();
    }

    /// Somebody may not park.
    pub(super) fn refused(&self, why: &'static str) {
        self.refused.get_or_create(&Why { why }).inc();
    }

    /// A parked connection is gone.
    pub(super) fn lost(&self, why: &'static str) {
        self.lost.get_or_create(&Why { why }).inc();
    }

    /// All numbers in the OpenMetrics text format.
    pub(super) fn text(&self, pool: &Pool) -> String {
        let mut at_once = Registry::with_prefix("chancery_relay");
        let (parked, ages) = (Family::<KeyHost, Gauge>::default(), Family::<KeyHost, Gauge<f64, AtomicU64>>::default());
        for (key_host, at) in &*self.heard.lock().unwrap_or_else(PoisonError::into_inner) {
            let label = KeyHost { key_host: key_host.as_ref().to_owned() };
            parked.get_or_create(&label).set(i64::try_from(pool.parked(key_host)).unwrap_or(i64::MAX));
            ages.get_or_create(&label).set(at.elapsed().as_secs_f64());
        }
        at_once.register("parked", "Connections that wait for clients, by key host", parked);
        at_once.register_with_unit("key_host_silent", "How long ago a key host was heard of, by key host", Unit::Seconds, ages);
        chancery_exporter::text(&[&self.registry, &at_once])
    }
}

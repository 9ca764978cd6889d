//! `signer.toml`, as far as it is the gateway's.

mod fault;
mod journal;
mod sandbox;
#[cfg(test)]
mod tests;
mod value;
mod witness;

use crate::accept::Rate;
use crate::tls::TlsFiles;
use chancery_cell::Accepted;
use chancery_channel::MAX_FRAME;
use chancery_exporter::MetricsAt;
use chancery_journal::{Format, Level, Wanted};
use serde::{Deserialize, de};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use value::{collector, count, endpoints, place, rate, relays, size, time, trust_domain};

pub use witness::{Witness, WitnessServer};

pub use value::is_relay;

/// Name of the file in a key host's directory.
pub const FILE: &str = "signer.toml";

/// A message has to fit into a frame of the channel, with its header.
const MESSAGE_MAX: u64 = (MAX_FRAME - 4096) as u64;
/// And hold a chunk, or a request of a batch, of a useful size.
const MESSAGE_MIN: u64 = 128 << 10;

/// Why the configuration was refused. Nothing is started then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read; make a key host with `chanceryd init DIR`, or name its directory with --dir", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something in it is wrong.
    #[error("{}:{line}:{column}: {what}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// Column, in characters from 1.
        column: usize,
        /// What is wrong, and what was probably meant.
        what: String,
    },
    /// Nobody could reach it.
    #[error(
        "nobody could reach this key host: write listen = \"ADDRESS:PORT\" or dial = [\"RELAY:PORT\"] into signer.toml, or serve with --dial"
    )]
    Unreachable,
    /// Parked connections would take all places.
    #[error(
        "dial_pool = {pool} at {relays} relays takes all of connections = {connections}; lower dial_pool, or raise connections, in signer.toml"
    )]
    Pool {
        /// Connections at each relay.
        pool: u32,
        /// How many relays.
        relays: usize,
        /// All connections that may be open.
        connections: u32,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default, deserialize_with = "journal::level")]
    log: Level,
    #[serde(default, deserialize_with = "journal::format")]
    log_format: Format,
    gateway: Gateway,
    // The keeper reads its own table, as strictly.
    #[serde(rename = "keeper")]
    _keeper: de::IgnoredAny,
    witness: Option<Witness>,
    metrics: Option<MetricsTable>,
    traces: Option<TracesTable>,
    #[serde(default)]
    sandbox: sandbox::Sandbox,
}

/// The table `[gateway]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Where to listen: address and port; port 0 takes any free one. Without it nothing listens, and `dial` is needed.
    pub listen: Option<SocketAddr>,
    /// Relays to park connections at, each as `HOST:PORT`.
    #[serde(default, deserialize_with = "relays")]
    pub dial: Vec<String>,
    /// Connections that wait for clients at each relay.
    #[serde(default = "usual_pool", deserialize_with = "count::<_, 64>")]
    pub dial_pool: u32,
    /// Where clients reach it: what profiles say. At least one.
    #[serde(deserialize_with = "endpoints")]
    pub endpoints: Vec<String>,
    /// The first part of principals' names: `spiffe://TRUST_DOMAIN/…`.
    #[serde(deserialize_with = "trust_domain")]
    pub trust_domain: String,
    /// PEM file, relative to the directory of `signer.toml`, as all paths here.
    pub server_certificate: PathBuf,
    /// PEM file.
    pub server_key: PathBuf,
    /// PEM file: who signs client certificates.
    pub client_ca: PathBuf,
    /// PEM file: client certificates that were revoked.
    pub client_crl: Option<PathBuf>,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// The table `[witness]`, if it names anybody to be asked.
    #[serde(skip)]
    pub witness: Option<Witness>,
    /// Where metrics are to be had on this machine, from the table `[metrics]`.
    #[serde(skip)]
    pub metrics: Option<MetricsAt>,
    /// The collector on this machine that traces are sent to, from the table `[traces]`.
    #[serde(skip)]
    pub traces: Option<SocketAddr>,
    /// Which layers of the cell may be missing: the table `[sandbox]`.
    #[serde(skip)]
    pub sandbox: Accepted,
    /// How much is said on standard error, and in which form: `log` and `log_format`.
    #[serde(skip)]
    pub journal: Wanted,
}

/// The table `[metrics]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct MetricsTable {
    #[serde(deserialize_with = "place")]
    listen: MetricsAt,
}

/// The table `[traces]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct TracesTable {
    #[serde(deserialize_with = "collector")]
    endpoint: SocketAddr,
}

/// The table `[gateway.limits]`. Sizes are written as `"16 MiB"`, times as `"10 s"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Greatest content of one request, in bytes.
    #[serde(deserialize_with = "size::<_, 1, { 1 << 40 }>")]
    pub max_content: u64,
    /// Greatest single message, in bytes; content comes in chunks below it.
    #[serde(deserialize_with = "size::<_, MESSAGE_MIN, MESSAGE_MAX>")]
    pub max_message: u64,
    /// Connections.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub connections: u32,
    /// Connections of one principal.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub connections_per_principal: u32,
    /// How fast one principal may ask; without this as fast as it can.
    #[serde(deserialize_with = "rate")]
    pub rate_per_principal: Option<Rate>,
    /// Handshakes of one address that may be under way; more are closed at once.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub handshakes_per_address: u32,
    /// Streams of one connection.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub streams_per_connection: u32,
    /// Requests of all clients together that are under way.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub in_flight: u32,
    /// Of these, requests of one principal.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub in_flight_per_principal: u32,
    /// Requests of one batch stream that are under way.
    #[serde(deserialize_with = "count::<_, 1_000_000>")]
    pub batch_in_flight: u32,
    /// A TLS handshake takes no longer.
    #[serde(deserialize_with = "time")]
    pub handshake_timeout: Duration,
    /// A request takes no longer.
    #[serde(deserialize_with = "time")]
    pub request_timeout: Duration,
    /// Content that stops coming is given up after this.
    #[serde(deserialize_with = "time")]
    pub stall_timeout: Duration,
    /// How often a silent connection, and the keeper, is asked whether it lives.
    #[serde(deserialize_with = "time")]
    pub keepalive_interval: Duration,
    /// How long it may take to answer.
    #[serde(deserialize_with = "time")]
    pub keepalive_timeout: Duration,
    /// How long requests may go on after SIGTERM.
    #[serde(deserialize_with = "time")]
    pub drain_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_content: 16 << 20,
            max_message: (1 << 20) + 4096,
            connections: 1024,
            connections_per_principal: 256,
            rate_per_principal: None,
            handshakes_per_address: 64,
            streams_per_connection: 1024,
            in_flight: 16384,
            in_flight_per_principal: 4096,
            batch_in_flight: 1024,
            handshake_timeout: Duration::from_secs(10),
            request_timeout: Duration::from_secs(60),
            stall_timeout: Duration::from_secs(15),
            keepalive_interval: Duration::from_secs(30),
            keepalive_timeout: Duration::from_secs(10),
            drain_timeout: Duration::from_secs(30),
        }
    }
}

impl Gateway {
    /// Reads `signer.toml` of a key host's directory; paths come out with the directory before them.
    ///
    /// # Errors
    /// [`ConfigError`], for an unknown key too.
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path, source })?;
        Self::of(dir, &text)
    }

    /// The same from the text of the file.
    ///
    /// # Errors
    /// [`ConfigError::Content`].
    pub fn of(dir: &Path, text: &str) -> Result<Self, ConfigError> {
        let mut gateway = parse(&dir.join(FILE), text)?;
        let crl = gateway.client_crl.iter_mut();
        for path in [&mut gateway.server_certificate, &mut gateway.server_key, &mut gateway.client_ca].into_iter().chain(crl) {
            *path = dir.join(&*path);
        }
        Ok(gateway)
    }

    /// The files for TLS.
    #[must_use]
    pub fn tls_files(&self) -> TlsFiles {
        TlsFiles {
            certificate: self.server_certificate.clone(),
            key: self.server_key.clone(),
            client_ca: self.client_ca.clone(),
            client_crl: self.client_crl.clone(),
            dials: !self.dial.is_empty(),
        }
    }

    /// Adds relays to those of the file, and looks whether somebody can reach the key host then.
    ///
    /// # Errors
    /// [`ConfigError::Unreachable`], [`ConfigError::Pool`].
    pub fn dial_too(mut self, more: &[String]) -> Result<Self, ConfigError> {
        let mut seen = std::collections::BTreeSet::new();
        self.dial.extend_from_slice(more);
        self.dial.retain(|relay| seen.insert(relay.clone()));
        if self.listen.is_none() && self.dial.is_empty() {
            return Err(ConfigError::Unreachable);
        }
        let (pool, relays, connections) = (self.dial_pool, self.dial.len(), self.limits.connections);
        let parked = u32::try_from(relays).unwrap_or(u32::MAX).saturating_mul(pool);
        if parked > 0 && parked >= connections {
            return Err(ConfigError::Pool { pool, relays, connections });
        }
        Ok(self)
    }
}

const fn usual_pool() -> u32 {
    4
}

fn parse(path: &Path, text: &str) -> Result<Gateway, ConfigError> {
    let file: Result<File, _> = toml::from_str(text);
    let whole = |file: File| Gateway {
        witness: file.witness.filter(Witness::is_on),
        metrics: file.metrics.map(|m| m.listen),
        traces: file.traces.map(|t| t.endpoint),
        sandbox: file.sandbox.accept_missing,
        journal: Wanted { level: file.log, format: file.log_format },
        ..file.gateway
    };
    file.map(whole).map_err(|error| fault::report(path, text, &error))
}

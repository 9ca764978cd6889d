//! `signer.toml`, as far as it is the gateway's.

use serde::{Deserialize, Deserializer, de};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Name of the file in a key host's directory.
pub const FILE: &str = "signer.toml";

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
        source: std::io::Error,
    },
    /// Something in it is wrong; the text has line, column and what was expected.
    #[error("{}: {text}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// What the parser says, with line and column.
        text: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    gateway: Gateway,
    // The keeper reads its own table, as strictly.
    #[serde(rename = "keeper")]
    _keeper: de::IgnoredAny,
}

/// The table `[gateway]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gateway {
    /// Where to listen: address and port; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Where clients reach it: what profiles say.
    pub endpoints: Vec<String>,
    /// The first part of principals' names: `spiffe://TRUST_DOMAIN/…`.
    pub trust_domain: String,
    /// PEM file, relative to the directory of `signer.toml`, as all paths here.
    pub server_certificate: PathBuf,
    /// PEM file.
    pub server_key: PathBuf,
    /// PEM file: who signs client certificates.
    pub client_ca: PathBuf,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
}

/// The table `[gateway.limits]`. Sizes are written as `"16 MiB"`, times as `"10 s"`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Greatest content of one request.
    pub max_content: Size,
    /// Greatest single message; content comes in chunks below it.
    pub max_message: Size,
    /// Streams of one connection.
    pub streams_per_connection: u32,
    /// Connections.
    pub connections: usize,
    /// Requests of all clients together that are under way.
    pub in_flight: usize,
    /// Requests of one batch stream that are under way.
    pub batch_in_flight: usize,
    /// A TLS handshake takes no longer.
    pub handshake_timeout: Time,
    /// A request takes no longer.
    pub request_timeout: Time,
    /// Content that stops coming is given up after this.
    pub stall_timeout: Time,
    /// How often a silent connection is asked whether it lives.
    pub keepalive_interval: Time,
    /// How long it may take to answer.
    pub keepalive_timeout: Time,
    /// How long requests may go on after SIGTERM.
    pub drain_timeout: Time,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_content: Size(16 << 20),
            max_message: Size((1 << 20) + 4096),
            streams_per_connection: 1024,
            connections: 1024,
            in_flight: 16384,
            batch_in_flight: 1024,
            handshake_timeout: Time::seconds(10),
            request_timeout: Time::seconds(60),
            stall_timeout: Time::seconds(15),
            keepalive_interval: Time::seconds(30),
            keepalive_timeout: Time::seconds(10),
            drain_timeout: Time::seconds(30),
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
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        let file: File = toml::from_str(&text).map_err(|e| ConfigError::Parse { path, text: e.to_string().trim_end().to_owned() })?;
        let mut gateway = file.gateway;
        for path in [&mut gateway.server_certificate, &mut gateway.server_key, &mut gateway.client_ca] {
            *path = dir.join(&*path);
        }
        Ok(gateway)
    }
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub u64);

/// A time span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Time(pub Duration);

impl Time {
    const fn seconds(n: u64) -> Self {
        Self(Duration::from_secs(n))
    }
}

impl Size {
    /// For interfaces that count memory.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let units = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
        quantity(d, &units)?.map(Self).ok_or_else(|| de::Error::custom("write a size as \"16 MiB\"; units are B, KiB, MiB, GiB"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let units = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];
        quantity(d, &units)?
            .map(|ms| Self(Duration::from_millis(ms)))
            .ok_or_else(|| de::Error::custom("write a time as \"10 s\"; units are ms, s, min, h"))
    }
}

fn quantity<'de, D: Deserializer<'de>>(d: D, units: &[(&str, u64)]) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(d)?;
    let Some((number, unit)) = text.split_once(' ') else { return Ok(None) };
    let factor = units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor);
    Ok(number.parse::<u64>().ok().zip(factor).and_then(|(n, factor)| n.checked_mul(factor)).filter(|n| *n > 0))
}

//! Connections to the endpoints of a profile.

use super::Trouble;
use super::probe::{Probe, Probes};
use crate::error::Error;
use crate::profile::{Endpoint, Profile, read_private_key};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tonic::transport::{self, Certificate, Channel, ClientTlsConfig, Identity};

/// A request may wait for a disk on the key host, but a dead connection is noticed after about this long.
const PING_INTERVAL: Duration = Duration::from_secs(10);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Content goes out in pieces of up to 1 MiB; the default windows of 64 KiB would make each wait for the other side.
const WINDOW: u32 = 4 * 1024 * 1024;

/// The endpoints, in the order of the profile, and which of them answered last.
pub(crate) struct Lines {
    lines: Vec<Line>,
    preferred: AtomicUsize,
}

/// One endpoint. Its connection is opened when it is first used, and again when it broke.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) endpoint: Endpoint,
    pub(crate) channel: Channel,
    probe: Probe,
}

/// Prepares the connections of a profile. Opens none yet.
pub(crate) fn dial(profile: &Profile, connect_timeout: Duration) -> Result<Lines, Error> {
    let key = read_private_key(profile.key_file())?;
    let probes = Probes::new(profile, &key, connect_timeout)?;
    let mut tls = ClientTlsConfig::new()
        .ca_certificate(Certificate::from_pem(profile.ca()))
        .identity(Identity::from_pem(profile.certificate(), key))
        .timeout(connect_timeout);
    if let Some(name) = profile.server_name() {
        tls = tls.domain_name(name);
    }
    let line = |endpoint: &Endpoint| {
        let channel = transport::Endpoint::from_shared(endpoint.as_str().to_owned())?
            .tls_config(tls.clone())?
            .user_agent(concat!("chancery/", env!("CARGO_PKG_VERSION")))?
            .connect_timeout(connect_timeout)
            // Without it a single small call takes 44 ms instead of a tenth of one.
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .keep_alive_timeout(PING_TIMEOUT)
            .initial_stream_window_size(WINDOW)
            .initial_connection_window_size(WINDOW)
            .connect_lazy();
        Ok(Line { endpoint: endpoint.clone(), channel, probe: probes.of(endpoint) })
    };
    let lines = profile.endpoints().iter().map(line);
    let lines = lines.collect::<Result<_, transport::Error>>().map_err(|e| Error::Setup(Box::new(e)))?;
    Ok(Lines { lines, preferred: AtomicUsize::new(0) })
}

impl Line {
    /// Looks what stands in the way of a connection; `None` when nothing does.
    pub(crate) async fn trouble(&self) -> Option<Trouble> {
        self.probe.trouble().await
    }
}

impl Lines {
    pub(crate) fn all(&self) -> &[Line] {
        &self.lines
    }

    /// All endpoints, beginning with the one that answered last.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = (usize, &Line)> {
        let first = self.preferred.load(Ordering::Relaxed);
        let lines = self.lines.iter().enumerate();
        lines.clone().skip(first).chain(lines.take(first))
    }

    pub(crate) fn prefer(&self, index: usize) {
        self.preferred.store(index, Ordering::Relaxed);
    }
}

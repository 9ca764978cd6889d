//! What the gateway keeps when it serves: its sockets, its keeper, and what a witness client reads.

use crate::config::{Gateway, Witness};
use chancery_cell::{Connect, Network, Plan};
use std::path::{Path, PathBuf};

/// What looking up the name of a witness reads.
const RESOLVER: [&str; 7] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services", "/etc/ssl"];
/// The plan of the gateway, with the process of its keeper, where that is a child. Where somebody has to be reached, `connect` says where.
#[must_use]
pub fn plan(config: &Gateway, keeper: Option<u32>) -> Plan {
    let asks = |witness: &Witness| witness.servers.iter().any(|server| server.url.is_some());
    let ports: Vec<u16> = config.dial.iter().filter_map(|relay| relay.rsplit(':').next()?.parse().ok()).collect();
    let connect = match config.witness.as_ref() {
        Some(witness) if asks(witness) => Connect::Anywhere,
        _ if ports.is_empty() => Connect::Nowhere,
        _ => Connect::Ports(ports),
    };
    let files = [&config.server_certificate, &config.server_key, &config.client_ca].into_iter().chain(&config.client_crl);
    // With what takes their place when they are renewed. The key of the CA has a directory of its own.
    let mut read: Vec<PathBuf> = files.flat_map(|file| [file.parent().map(Path::to_owned), Some(file.clone())]).flatten().collect();
    if connect != Connect::Nowhere {
        read.extend(RESOLVER.map(PathBuf::from));
        read.extend(resolver_of_the_system());
    }
    Plan { read, write: Vec::new(), network: Network::Serving(connect), children: keeper.into_iter().collect(), hosts_library: false }
}

/// Where `/etc/resolv.conf` is kept by a service that writes it anew, the new file must be readable too.
fn resolver_of_the_system() -> Option<PathBuf> {
    let file = std::fs::canonicalize("/etc/resolv.conf").ok()?;
    file.parent().filter(|dir| *dir != Path::new("/etc")).map(Path::to_owned)
}

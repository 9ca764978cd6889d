//! What the gateway keeps when it serves: its sockets, its keeper, and what looking up a name reads.

use crate::config::{Gateway, Witness};
use chancery_cell::{Connect, Network, Plan};
use std::path::{Path, PathBuf};

/// What looking up the name of a witness or a relay reads.
const RESOLVER: [&str; 7] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services", "/etc/ssl"];

/// The plan of the gateway, with the process of its keeper, where that is a child. Where somebody has to be reached, `connect` says where.
#[must_use]
pub fn plan(config: &Gateway, keeper: Option<u32>) -> Plan {
    let asks = |witness: &Witness| witness.servers.iter().any(|server| server.url.is_some());
    let dialled = config.dial.iter().filter_map(|relay| relay.rsplit(':').next()?.parse().ok());
    let ports: Vec<u16> = dialled.chain(config.traces.map(|collector| collector.port())).collect();
    let names = !config.dial.is_empty() || config.witness.as_ref().is_some_and(asks);
    let connect = match config.witness.as_ref() {
        Some(witness) if asks(witness) => Connect::Anywhere,
        _ if ports.is_empty() => Connect::Nowhere,
        _ => Connect::Ports(ports),
    };
    let files = [&config.server_certificate, &config.server_key, &config.client_ca].into_iter().chain(&config.client_crl);
    // With what takes their place when they are renewed. The key of the CA has a directory of its own.
    let mut read: Vec<PathBuf> = files.flat_map(|file| [file.parent().map(Path::to_owned), Some(file.clone())]).flatten().collect();
    if names {
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test stops at its first fault")]
mod tests {
    use super::*;

    fn plan_of(more: &str) -> Plan {
        let gateway = "[gateway]\nlisten = \"127.0.0.1:1\"\nendpoints = [\"https://h:1\"]\ntrust_domain = \"h\"\n\
                       server_certificate = \"p/s.crt\"\nserver_key = \"p/s.key\"\nclient_ca = \"p/ca.crt\"\n";
        plan(&Gateway::of(Path::new("/host"), &format!("{gateway}{more}[keeper]\n")).unwrap(), None)
    }

    fn resolves(plan: &Plan) -> bool {
        plan.read.iter().any(|path| path.ends_with("resolv.conf"))
    }

    #[test]
    fn the_gateway_connects_where_the_configuration_says_and_nowhere_else() {
        let closed = plan_of("");
        assert_eq!((&closed.network, resolves(&closed)), (&Network::Serving(Connect::Nowhere), false));
        let traces = "[traces]\nendpoint = \"http://127.0.0.1:4317\"\n";
        let traced = plan_of(traces);
        assert_eq!((&traced.network, resolves(&traced)), (&Network::Serving(Connect::Ports(vec![4317])), false));
        let both = plan_of(&format!("dial = [\"relay:7443\"]\n{traces}"));
        assert_eq!((&both.network, resolves(&both)), (&Network::Serving(Connect::Ports(vec![7443, 4317])), true));
        let server = "[witness]\nmode = \"background\"\n[[witness.server]]\nvkey = \"w+1+k\"\n";
        let carried = plan_of(&format!("{traces}{server}"));
        assert_eq!((&carried.network, resolves(&carried)), (&Network::Serving(Connect::Ports(vec![4317])), false));
        let asked = plan_of(&format!("{traces}{server}url = \"https://w/\"\n"));
        assert_eq!((&asked.network, resolves(&asked)), (&Network::Serving(Connect::Anywhere), true));
    }
}

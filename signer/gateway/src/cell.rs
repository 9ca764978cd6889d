//! What the gateway keeps when it serves: its sockets, its keeper, and what a witness client reads.

use crate::config::Gateway;
use chancery_cell::{Connect, Network, Plan};
use std::path::{Path, PathBuf};

/// What looking up the name of a witness reads.
const RESOLVER: [&str; 7] =
    ["/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/gai.conf", "/etc/host.conf", "/etc/services", "/etc/ssl"];
/// The CA's key, which only `enroll` uses.
const CA_KEY: &str = "ca.key";

/// The plan of the gateway, for the process of its keeper. Where somebody has to be reached, `connect` says where.
#[must_use]
pub fn plan(config: &Gateway, keeper: u32) -> Plan {
    let connect = if config.witness.is_some() { Connect::Anywhere } else { Connect::Nowhere };
    let mut read: Vec<PathBuf> =
        [&config.server_certificate, &config.server_key, &config.client_ca].into_iter().flat_map(|f| beside(f)).collect();
    if connect != Connect::Nowhere {
        read.extend(RESOLVER.map(PathBuf::from));
        read.extend(resolver_of_the_system());
    }
    Plan { read, write: Vec::new(), network: Network::Serving(connect), child: Some(keeper) }
}

/// A certificate, and what takes its place when it is renewed: unless the CA's key lies in the same directory, which is no business of a
/// process that strangers talk to.
fn beside(file: &Path) -> Vec<PathBuf> {
    let directory = file.parent().filter(|dir| !dir.join(CA_KEY).exists());
    directory.map(Path::to_owned).into_iter().chain([file.to_owned()]).collect()
}

/// Where `/etc/resolv.conf` is kept by a service that writes it anew, the new file must be readable too.
fn resolver_of_the_system() -> Option<PathBuf> {
    let file = std::fs::canonicalize("/etc/resolv.conf").ok()?;
    file.parent().filter(|dir| *dir != Path::new("/etc")).map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_that_are_renewed_can_be_read_and_the_key_of_the_ca_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let certificate = dir.path().join("server.crt");
        assert_eq!(beside(&certificate), [dir.path().to_owned(), certificate.clone()]);
        std::fs::File::create(dir.path().join("ca.key")).unwrap();
        assert_eq!(beside(&certificate), [certificate]);
    }
}

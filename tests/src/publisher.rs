//! A publishing server: a profile, and the `chancery` program.

use crate::host::KeyHost;
use crate::run::{program, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

/// A publisher with its profile.
pub struct Publisher {
    dir: PathBuf,
    profile: PathBuf,
    server: (Vec<u8>, Vec<u8>),
}

impl Publisher {
    pub(crate) fn enroll(host: &KeyHost, name: &str, endpoint: &str) -> Self {
        let dir = host.temp().join(format!("publisher-{name}"));
        fs::create_dir_all(&dir).unwrap();
        let _ = run(Command::new(program("chancery")).args(["enroll-request", name, "--out"]).arg(&dir)).ok();
        let profile = dir.join(format!("{name}.toml"));
        let mut enroll = host.chanceryd_plain(&["enroll", name, "--role", "publisher"]);
        let _ = run(enroll.arg("--csr").arg(dir.join(format!("{name}.csr"))).arg("--out").arg(&profile)).ok();
        let pem = |file: &str| fs::read(host.dir().join("pki").join(file)).unwrap();
        let publisher = Self { dir, profile, server: (pem("server.crt"), pem("server.key")) };
        publisher.point_at(endpoint);
        publisher
    }

    /// Its directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Its profile.
    #[must_use]
    pub fn profile(&self) -> &Path {
        &self.profile
    }

    /// Has the profile point to another address: a key host under test takes another port at each start.
    pub fn point_at(&self, endpoint: &str) {
        let mut table: toml::Table = fs::read_to_string(&self.profile).unwrap().parse().unwrap();
        table["endpoints"] = toml::Value::Array(vec![endpoint.into()]);
        fs::write(&self.profile, table.to_string()).unwrap();
    }

    /// Sets one text of the profile.
    pub fn set(&self, name: &str, text: &str) {
        let mut table: toml::Table = fs::read_to_string(&self.profile).unwrap().parse().unwrap();
        let _ = table.insert(name.to_owned(), text.into());
        fs::write(&self.profile, table.to_string()).unwrap();
    }

    /// A `chancery` command with this profile.
    #[must_use]
    pub fn chancery(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("chancery"));
        command.arg("--profile").arg(&self.profile).args(arguments);
        command
    }

    /// One text of the profile.
    #[must_use]
    pub fn field(&self, name: &str) -> String {
        let table: toml::Table = fs::read_to_string(&self.profile).unwrap().parse().unwrap();
        table[name].as_str().unwrap().to_owned()
    }

    /// The CA of the key host.
    #[must_use]
    pub fn ca(&self) -> Certificate {
        Certificate::from_pem(self.field("ca"))
    }

    /// Certificate and key of the key host's server, for a server beside it that is to be reached in the same way.
    #[must_use]
    pub fn server_identity(&self) -> (Vec<u8>, Vec<u8>) {
        self.server.clone()
    }

    /// The publisher's own certificate and key.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity::from_pem(self.field("certificate"), fs::read(self.dir.join(self.field("key_file"))).unwrap())
    }

    /// How to connect over mutual TLS, as the publisher.
    #[must_use]
    pub fn endpoint(&self, endpoint: &str) -> Endpoint {
        let tls = ClientTlsConfig::new().ca_certificate(self.ca()).identity(self.identity()).domain_name("localhost");
        Endpoint::from_shared(endpoint.to_owned()).unwrap().tcp_nodelay(true).tls_config(tls).unwrap()
    }

    /// Connections over mutual TLS, as the publisher.
    ///
    /// # Panics
    /// When one cannot be made.
    pub async fn connections(&self, endpoint: &str, count: usize) -> Vec<Channel> {
        let endpoint = self.endpoint(endpoint);
        let mut channels = Vec::new();
        for _ in 0..count {
            channels.push(endpoint.connect().await.unwrap());
        }
        channels
    }
}

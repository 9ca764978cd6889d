//! Finding out why a connection fails: a handshake that waits for the verdict on our certificate.

use super::Trouble;
use crate::error::Error;
use crate::profile::{Endpoint, Profile};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncBufReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What the probes of all endpoints have in common.
pub(super) struct Probes {
    config: Arc<ClientConfig>,
    server_name: Option<String>,
    timeout: Duration,
}

/// Looks at one endpoint.
#[derive(Clone)]
pub(super) struct Probe {
    connector: TlsConnector,
    address: Option<(String, u16)>,
    server_name: String,
    timeout: Duration,
}

impl Probes {
    pub(super) fn new(profile: &Profile, key: &str, timeout: Duration) -> Result<Self, Error> {
        let config = config(profile, key).map_err(Error::Setup)?;
        Ok(Self { config: Arc::new(config), server_name: profile.server_name().map(str::to_owned), timeout })
    }

    pub(super) fn of(&self, endpoint: &Endpoint) -> Probe {
        let uri: Option<tonic::transport::Uri> = endpoint.as_str().parse().ok();
        let host = uri.as_ref().and_then(|u| u.host()).unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = uri.as_ref().and_then(|u| u.port_u16()).unwrap_or(443);
        let server_name = self.server_name.clone().unwrap_or_else(|| host.clone());
        let connector = TlsConnector::from(Arc::clone(&self.config));
        Probe { connector, address: Some((host, port)).filter(|(host, _)| !host.is_empty()), server_name, timeout: self.timeout }
    }
}

impl Probe {
    /// What stands in the way, or `None` when a connection can be made.
    pub(super) async fn trouble(&self) -> Option<Trouble> {
        match tokio::time::timeout(self.timeout, self.shake_hands()).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(Trouble::of(&error)),
            Err(_) => Some(Trouble::Timeout),
        }
    }

    async fn shake_hands(&self) -> io::Result<()> {
        let (host, port) = self.address.as_ref().ok_or(io::ErrorKind::InvalidInput)?;
        let name = ServerName::try_from(self.server_name.clone()).map_err(io::Error::other)?;
        let stream = TcpStream::connect((host.as_str(), *port)).await?;
        let mut stream = self.connector.connect(name, stream).await?;
        // An HTTP/2 server speaks first once it has accepted the certificate; one that does not accept it sends an alert.
        stream.fill_buf().await.map(drop)
    }
}

fn config(profile: &Profile, key: &str) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let certificates = |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    for authority in certificates(profile.ca())? {
        roots.add(authority)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_root_certificates(roots)
        .with_client_auth_cert(certificates(profile.certificate())?, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
    config.alpn_protocols.push(b"h2".to_vec());
    Ok(config)
}

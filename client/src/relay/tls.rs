//! The TLS around a parked connection: a relay's certificate on this side, a key host's on the other.

use super::RelayError;
use crate::profile::{Profile, read_private_key};
use chancery_dial::{ALPN, relay_name};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{Acceptor, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// A connection that a key host opened.
pub(super) type Outer = TlsStream<TcpStream>;

/// Why nobody parks here.
#[derive(Debug, thiserror::Error)]
pub(super) enum DoorError {
    #[error("the handshake failed")]
    Handshake(#[from] io::Error),
    #[error("it asks for {0:?}, which is no relay that was enrolled here")]
    Name(String),
    #[error("it does not speak the relay protocol; this port is for key hosts, clients have their own")]
    Protocol,
    #[error("its certificate is no key host's, so it may not park")]
    NoKeyHost,
}

impl DoorError {
    /// The same in a word, for numbers.
    pub(super) fn why(&self) -> &'static str {
        match self {
            Self::Handshake(error) => match error.get_ref().and_then(|inner| inner.downcast_ref()) {
                Some(rustls::Error::InvalidCertificate(_) | rustls::Error::NoCertificatesPresented) => "not-authenticated",
                _ => "handshake-failed",
            },
            Self::Name(_) => "unknown-relay",
            Self::Protocol => "other-protocol",
            Self::NoKeyHost => "not-a-key-host",
        }
    }
}

/// Lets key hosts in.
#[derive(Clone)]
pub(super) struct Door {
    /// By the name that key hosts ask for.
    relays: Arc<HashMap<String, Arc<ServerConfig>>>,
}

impl Door {
    pub(super) fn new(identities: &[Profile]) -> Result<Self, RelayError> {
        let mut relays = HashMap::new();
        for profile in identities {
            let path = || profile.path().to_owned();
            let principal = profile.principal();
            let domain = principal.strip_prefix("spiffe://").and_then(|rest| rest.split_once("/relay/")).map(|(domain, _)| domain);
            let Some(domain) = domain else { return Err(RelayError::NotARelay { path: path(), principal: principal.to_owned() }) };
            let key = read_private_key(profile.key_file()).map_err(|source| RelayError::Key { path: path(), source })?;
            let config = config(profile, &key).map_err(|source| RelayError::Tls { path: path(), source })?;
            if relays.insert(relay_name(domain), Arc::new(config)).is_some() {
                return Err(RelayError::Twice(domain.to_owned()));
            }
        }
        Ok(Self { relays: Arc::new(relays) })
    }

    /// Shakes hands; gives the names of the key host's certificate.
    pub(super) async fn open(&self, tcp: TcpStream) -> Result<(Outer, Vec<String>), DoorError> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let name = start.client_hello().server_name().unwrap_or_default().to_owned();
        let Some(config) = self.relays.get(&name) else { return Err(DoorError::Name(crate::text::printable(&name))) };
        let stream = start.into_stream(Arc::clone(config)).await?;
        let (_, connection) = stream.get_ref();
        if connection.alpn_protocol() != Some(ALPN) {
            return Err(DoorError::Protocol);
        }
        let names = connection.peer_certificates().and_then(|chain| key_host(chain.first()?)).ok_or(DoorError::NoKeyHost)?;
        Ok((stream, names))
    }
}

fn config(profile: &Profile, key: &str) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let certificates = |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    for authority in certificates(profile.ca())? {
        roots.add(authority)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(profile.certificate())?, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
    config.alpn_protocols.push(ALPN.to_vec());
    // Each connection proves afresh whose it is.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(config)
}

/// The names in a key host's certificate. What a key host has and no publisher has is that its certificate is good for a server.
fn key_host(leaf: &CertificateDer<'_>) -> Option<Vec<String>> {
    let (_, certificate) = X509Certificate::from_der(leaf).ok()?;
    let usage = certificate.extended_key_usage().ok()??.value;
    if !usage.server_auth || !usage.client_auth {
        return None;
    }
    let names = certificate.subject_alternative_name().ok()??.value;
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => <[u8; 4]>::try_from(*bytes)
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from))
            .ok()
            .map(|address| address.to_string()),
        _ => None,
    };
    let names: Vec<String> = names.general_names.iter().filter_map(name).collect();
    (!names.is_empty()).then_some(names)
}

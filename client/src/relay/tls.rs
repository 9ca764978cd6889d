//! The TLS around a parked connection: a relay's certificate on this side, a key host's on the other.

use super::RelayError;
use crate::profile::{Profile, read_private_key};
use chancery_dial::{ALPN, relay_name};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{Acceptor, NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};
use std::io;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
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

/// An authority whose key hosts may park.
pub(super) struct Authority {
    /// Its trust domain, by which all else here knows it.
    pub(super) domain: Arc<str>,
    ca: Arc<str>,
    config: Arc<ServerConfig>,
}

/// A key host that may park.
pub(super) struct Guest {
    /// The trust domain of the authority that made its certificate.
    pub(super) domain: Arc<str>,
    /// The names in its certificate, which other authorities may have given to others.
    pub(super) names: Vec<String>,
    ca: Arc<str>,
}

/// Lets key hosts in.
#[derive(Clone)]
pub(super) struct Door {
    authorities: Arc<RwLock<Arc<[Authority]>>>,
}

/// Reads who a relay is, for each authority.
pub(super) fn authorities(identities: &[Profile]) -> Result<Arc<[Authority]>, RelayError> {
    let mut all: Vec<Authority> = Vec::new();
    for profile in identities {
        let authority = Authority::read(profile)?;
        if all.iter().any(|other| other.domain == authority.domain) {
            return Err(RelayError::Twice(authority.domain.as_ref().to_owned()));
        }
        all.push(authority);
    }
    Ok(all.into())
}

impl Authority {
    fn read(profile: &Profile) -> Result<Self, RelayError> {
        let path = || profile.path().to_owned();
        let principal = profile.principal();
        let domain = principal.strip_prefix("spiffe://").and_then(|rest| rest.split_once("/relay/")).map(|(domain, _)| domain);
        let Some(domain) = domain else { return Err(RelayError::NotARelay { path: path(), principal: principal.to_owned() }) };
        let key = read_private_key(profile.key_file()).map_err(|source| RelayError::Key { path: path(), source })?;
        let config = config(profile, domain, &key).map_err(|source| RelayError::Tls { path: path(), source })?;
        Ok(Self { domain: domain.into(), ca: profile.ca().into(), config: Arc::new(config) })
    }
}

#[cfg(test)]
impl Guest {
    pub(super) fn new(domain: &str, names: Vec<String>) -> Self {
        Self { domain: domain.into(), names, ca: "".into() }
    }
}

impl Door {
    pub(super) fn new(authorities: Arc<[Authority]>) -> Self {
        Self { authorities: Arc::new(RwLock::new(authorities)) }
    }

    pub(super) fn authorities(&self) -> Arc<[Authority]> {
        Arc::clone(&self.authorities.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes these from now on; gives the trust domains that believe others than before.
    pub(super) fn replace(&self, authorities: Arc<[Authority]>) -> Vec<Arc<str>> {
        let mut held = self.authorities.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *held, Arc::clone(&authorities));
        let changed = |now: &&Authority| before.iter().any(|then| then.domain == now.domain && then.ca != now.ca);
        authorities.iter().filter(changed).map(|now| Arc::clone(&now.domain)).collect()
    }

    /// Whether what the key host was believed for is believed still.
    pub(super) fn believes(&self, guest: &Guest) -> bool {
        self.authorities().iter().any(|authority| authority.domain == guest.domain && authority.ca == guest.ca)
    }

    /// Shakes hands.
    pub(super) async fn open(&self, tcp: TcpStream) -> Result<(Outer, Guest), DoorError> {
        let start = LazyConfigAcceptor::new(Acceptor::default(), tcp).await?;
        let name = start.client_hello().server_name().unwrap_or_default().to_owned();
        let authorities = self.authorities();
        let Some(authority) = authorities.iter().find(|authority| relay_name(&authority.domain) == name) else {
            return Err(DoorError::Name(crate::text::printable(&name)));
        };
        let stream = start.into_stream(Arc::clone(&authority.config)).await?;
        let (_, connection) = stream.get_ref();
        if connection.alpn_protocol() != Some(ALPN) {
            return Err(DoorError::Protocol);
        }
        let names = connection.peer_certificates().and_then(|chain| key_host(chain.first()?)).ok_or(DoorError::NoKeyHost)?;
        let guest = Guest { domain: Arc::clone(&authority.domain), names, ca: Arc::clone(&authority.ca) };
        Ok((stream, guest))
    }
}

fn config(profile: &Profile, domain: &str, key: &str) -> Result<ServerConfig, Box<dyn std::error::Error + Send + Sync>> {
    let certificates = |pem: &str| CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let mut roots = RootCertStore::empty();
    for authority in certificates(profile.ca())? {
        roots.add(authority)?;
    }
    let (roots, provider) = (Arc::new(roots), Arc::new(rustls::crypto::ring::default_provider()));
    let chain = certificates(profile.certificate())?;
    // Key hosts would refuse it, one by one, and could tell nobody here.
    if let Some((leaf, others)) = chain.split_first() {
        let name = ServerName::try_from(relay_name(domain))?;
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
        let _ = verifier.verify_server_cert(leaf, others, &name, &[], UnixTime::now())?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider)).build()?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
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

//! TLS 1.3 with a client certificate, and nothing else.

use chancery_dial::ALPN;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file of certificates or keys.
    #[error("{} cannot be read as a PEM file with {what}", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What the reader says.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// No certificate in the file.
    #[error("{} holds no certificate", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The files do not fit together.
    #[error("server certificate, server key and client CA cannot be used together")]
    Config(#[source] rustls::Error),
    /// The CA cannot be used.
    #[error("the client CA cannot be used, or the list of revoked certificates is not one")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
    /// The name of a relay cannot be made of it.
    #[error("trust_domain in signer.toml is too long to be part of a relay's name; 200 characters are enough")]
    TrustDomain,
    /// No relay would take the certificate.
    #[error(
        "{} is not good for dialling a relay: its extended key usage lacks clientAuth; make a server certificate with serverAuth and clientAuth", path.display()
    )]
    NotForDialling {
        /// The file.
        path: PathBuf,
    },
}

/// The PEM files that TLS is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, and those between it and its CA.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// Who signs client certificates.
    pub client_ca: PathBuf,
    /// Lists of revoked client certificates; with one, a certificate whose CA has no list is refused too.
    pub client_crl: Option<PathBuf>,
    /// Whether relays are dialled with them too.
    pub dials: bool,
}

/// By what connections are made and judged. It can be replaced while connections stand, and they are judged anew then.
#[derive(Debug)]
pub struct Trust {
    current: RwLock<Current>,
    generation: AtomicU64,
}

#[derive(Debug, Clone)]
struct Current {
    config: Arc<ServerConfig>,
    clients: Arc<dyn ClientCertVerifier>,
    /// For relays that are dialled.
    dialling: Option<Arc<ClientConfig>>,
    /// When the server's certificate and the first client CA to end do so, in seconds since 1970.
    ends: [(&'static str, i64); 2],
}

impl Trust {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn load(files: &TlsFiles) -> Result<Self, TlsError> {
        Ok(Self { current: RwLock::new(read(files)?), generation: AtomicU64::new(0) })
    }

    /// Reads the files again. What was in force stays when one of them is wrong.
    ///
    /// # Errors
    /// [`TlsError`] names the file.
    pub fn reload(&self, files: &TlsFiles) -> Result<(), TlsError> {
        let new = read(files)?;
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = new;
        // After the files, so that who sees the new number judges by the new files.
        self.generation.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// For the next handshake.
    #[must_use]
    pub fn config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.current().config)
    }

    /// For the next relay that is dialled; `None` when none is.
    #[must_use]
    pub fn dialling(&self) -> Option<Arc<ClientConfig>> {
        self.current().dialling
    }

    /// Grows with each reload.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    /// Whether a connection with this chain, the client's own certificate first, would be let in now.
    #[must_use]
    pub fn lets_in(&self, chain: &[CertificateDer<'_>]) -> bool {
        let Some((leaf, between)) = chain.split_first() else { return false };
        self.current().clients.verify_client_cert(leaf, between, UnixTime::now()).is_ok()
    }

    /// When the server's certificate ends, and the first of the client CAs, in seconds since 1970.
    #[must_use]
    pub fn expiries(&self) -> [(&'static str, i64); 2] {
        self.current().ends
    }

    fn current(&self) -> Current {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn read(files: &TlsFiles) -> Result<Current, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let dialling = files.dials.then(|| dialling(files)).transpose()?;
    let clients = verifier(files, &provider)?;
    let pem = |source| TlsError::Pem { path: files.key.clone(), what: "a private key", source };
    let private = PrivateKeyDer::from_pem_file(&files.key).map_err(pem)?;
    let chain = certificates(&files.certificate)?;
    let ends = [("server_certificate", end(chain.get(..1).unwrap_or_default())), ("client_ca", end(&certificates(&files.client_ca)?))];
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Config)?
        .with_client_cert_verifier(Arc::clone(&clients))
        .with_single_cert(chain, private)
        .map_err(TlsError::Config)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not look at the client's certificate again: each connection proves its identity afresh.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Current { config: Arc::new(config), clients, dialling, ends })
}

fn verifier(files: &TlsFiles, provider: &Arc<CryptoProvider>) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
    let mut roots = RootCertStore::empty();
    for ca in certificates(&files.client_ca)? {
        roots.add(ca).map_err(TlsError::Config)?;
    }
    let mut builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    if let Some(path) = &files.client_crl {
        let pem = |source| TlsError::Pem { path: path.clone(), what: "lists of revoked certificates", source };
        let lists: Vec<_> = CertificateRevocationListDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)?;
        if lists.is_empty() {
            return Err(pem(rustls::pki_types::pem::Error::NoItemsFound));
        }
        builder = builder.with_crls(lists).only_check_end_entity_revocation();
    }
    builder.build().map_err(TlsError::Verifier)
}

/// When the first of these ends; what cannot be read has ended.
fn end(certificates: &[CertificateDer<'_>]) -> i64 {
    let one = |der: &CertificateDer<'_>| X509Certificate::from_der(der).map_or(0, |(_, c)| c.validity().not_after.timestamp());
    certificates.iter().map(one).min().unwrap_or(0)
}

/// The key host's side of the TLS around connections to relays, out of the same files: there it is the client.
fn dialling(files: &TlsFiles) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for ca in certificates(&files.client_ca)? {
        roots.add(ca).map_err(TlsError::Config)?;
    }
    let chain = certificates(&files.certificate)?;
    if !chain.first().is_some_and(|leaf| may_be_client(leaf)) {
        return Err(TlsError::NotForDialling { path: files.certificate.clone() });
    }
    let pem = |source| TlsError::Pem { path: files.key.clone(), what: "a private key", source };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Config)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(&files.key).map_err(pem)?)
        .map_err(TlsError::Config)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

fn may_be_client(leaf: &[u8]) -> bool {
    let parsed = X509Certificate::from_der(leaf).ok();
    parsed.is_some_and(|(_, c)| matches!(c.extended_key_usage(), Ok(Some(usage)) if usage.value.client_auth && usage.value.server_auth))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = |source| TlsError::Pem { path: path.to_owned(), what: "certificates", source };
    let found: Vec<_> = CertificateDer::pem_file_iter(path).map_err(pem)?.collect::<Result<_, _>>().map_err(pem)?;
    if found.is_empty() { Err(TlsError::Empty { path: path.to_owned() }) } else { Ok(found) }
}

//! TLS 1.3 with a client certificate, and nothing else.

use chancery_dial::ALPN;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
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
    #[error("the client CA cannot be used")]
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

/// Makes the server's side of TLS out of three PEM files.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn server(certificate: &Path, key: &Path, client_ca: &Path) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for ca in certificates(client_ca)? {
        roots.add(ca).map_err(TlsError::Config)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().map_err(TlsError::Verifier)?;
    let pem = |source| TlsError::Pem { path: key.to_owned(), what: "a private key", source };
    let private = PrivateKeyDer::from_pem_file(key).map_err(pem)?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Config)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(certificates(certificate)?, private)
        .map_err(TlsError::Config)?;
    config.alpn_protocols = vec![b"h2".to_vec()];
    // A resumed session would not look at the client's certificate again: each connection proves its identity afresh.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// Makes the key host's side of the TLS around connections to relays, out of the same files: there it is the client.
///
/// # Errors
/// [`TlsError`] names the file.
pub fn dialling(certificate: &Path, key: &Path, client_ca: &Path) -> Result<Arc<ClientConfig>, TlsError> {
    let mut roots = RootCertStore::empty();
    for ca in certificates(client_ca)? {
        roots.add(ca).map_err(TlsError::Config)?;
    }
    let chain = certificates(certificate)?;
    if !chain.first().is_some_and(|leaf| may_be_client(leaf)) {
        return Err(TlsError::NotForDialling { path: certificate.to_owned() });
    }
    let pem = |source| TlsError::Pem { path: key.to_owned(), what: "a private key", source };
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(TlsError::Config)?
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(key).map_err(pem)?)
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

//! TLS 1.3 with a client certificate, and nothing else.

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;

/// Why TLS cannot be offered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TlsError {
    #[error("{} is not a PEM file with {what}", path.display())]
    Pem {
        path: PathBuf,
        what: &'static str,
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    #[error("certificate, key and client CA cannot be used together")]
    Config(#[source] rustls::Error),
    #[error("the client CA cannot be used")]
    Verifier(#[source] rustls::server::VerifierBuilderError),
}

pub(super) fn acceptor(certificate: &Path, key: &Path, client_ca: &Path) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(ring::default_provider());
    let mut roots = RootCertStore::empty();
    for ca in certificates(client_ca)? {
        roots.add(ca).map_err(TlsError::Config)?;
    }
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let verifier = verifier.build().map_err(TlsError::Verifier)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| pem(key, "a private key", source))?;
    let chain = certificates(certificate)?;
    let config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .and_then(|builder| builder.with_client_cert_verifier(verifier).with_single_cert(chain, private));
    Ok(TlsAcceptor::from(Arc::new(config.map_err(TlsError::Config)?)))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    found.map_err(|source| pem(path, "certificates", source))
}

fn pem(path: &Path, what: &'static str, source: rustls::pki_types::pem::Error) -> TlsError {
    TlsError::Pem { path: path.to_owned(), what, source }
}

//! Who is at the other end: one exact name out of the client's certificate.

use chancery_channel::{NameError, Principal};
use std::net::SocketAddr;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// What is known of a connection's other end. Travels with each of its requests.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Where it comes from. Never a ground for a decision.
    pub address: SocketAddr,
    /// Who it is, or why its certificate names nobody.
    pub principal: Result<Principal, IdentityError>,
}

/// Why a certificate that the CA signed names nobody. The connection stands; each call is answered with this.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// Not an X.509 certificate that can be read.
    #[error("the client certificate cannot be read; have a new one made with chanceryd enroll")]
    Unreadable,
    /// No subject alternative name. The common name never counts.
    #[error(
        "the client certificate has no subject alternative name, and its common name does not count; have one made with chanceryd enroll"
    )]
    NoName,
    /// More than one.
    #[error("the client certificate has {0} subject alternative names; it must have exactly one, so that it names one principal")]
    SeveralNames(usize),
    /// One that is neither URI nor DNS name.
    #[error("the subject alternative name of the client certificate is neither a URI nor a DNS name")]
    OtherKind,
    /// One that is not exact.
    #[error("the client certificate names no principal: {0}")]
    Name(NameError),
}

/// Reads the principal out of a leaf certificate whose chain was verified.
///
/// # Errors
/// [`IdentityError`].
pub fn principal(certificate: &[u8]) -> Result<Principal, IdentityError> {
    let (rest, certificate) = X509Certificate::from_der(certificate).map_err(|_| IdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityError::Unreadable);
    }
    let names = match certificate.subject_alternative_name() {
        Ok(Some(extension)) => &extension.value.general_names,
        Ok(None) => return Err(IdentityError::NoName),
        Err(_) => return Err(IdentityError::Unreadable),
    };
    match names.as_slice() {
        [] => Err(IdentityError::NoName),
        [GeneralName::URI(uri)] if uri.contains("://") => Principal::new(*uri).map_err(IdentityError::Name),
        [GeneralName::DNSName(name)] if !name.contains(':') && !name.contains('/') => Principal::new(*name).map_err(IdentityError::Name),
        [_] => Err(IdentityError::OtherKind),
        several => Err(IdentityError::SeveralNames(several.len())),
    }
}

//! Who is at the other end: one exact name out of the client's certificate.

use crate::accept::Allowance;
use crate::tls::Trust;
use chancery_channel::{NameError, Principal};
use rustls::pki_types::CertificateDer;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use x509_parser::oid_registry::OID_X509_EXT_SUBJECT_ALT_NAME;
use x509_parser::prelude::{FromDer, GeneralName, SubjectAlternativeName, X509Certificate};

/// What is known of a connection's other end. Travels with each of its requests.
#[derive(Debug, Clone)]
pub struct Peer(Arc<Known>);

#[derive(Debug)]
struct Known {
    identity: Result<Identity, IdentityError>,
    allowance: Allowance,
    address: String,
    standing: Option<Standing>,
}

/// Whether the certificate of a connection that stands is still trusted.
#[derive(Debug)]
struct Standing {
    trust: Arc<Trust>,
    chain: Vec<CertificateDer<'static>>,
    /// For which generation of what is trusted it was judged, and how.
    judged: Mutex<(u64, bool)>,
}

/// Whom a certificate names, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The name.
    pub principal: Principal,
    /// The end of the certificate's validity.
    pub not_after: SystemTime,
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
    /// One that looks like the other kind, or like nothing.
    #[error("the subject alternative name of the client certificate is not a {0}")]
    Form(&'static str),
    /// One that is not exact.
    #[error("the client certificate names no principal: {0}")]
    Name(NameError),
    /// It was trusted when the connection was made.
    #[error(
        "the client certificate was revoked, or its CA is not trusted any more; if that is a mistake, have a new one made with chanceryd enroll"
    )]
    Revoked,
    /// It was valid when the connection was made.
    #[error("the client certificate expired while the connection stood; have a new one made with chanceryd enroll, and connect again")]
    Expired,
}

impl Peer {
    /// Whose certificate never changes its standing.
    #[must_use]
    pub fn new(identity: Result<Identity, IdentityError>, allowance: Allowance) -> Self {
        Self(Arc::new(Known { identity, allowance, address: String::new(), standing: None }))
    }

    /// The same, whose certificates are judged again whenever something else is trusted. `generation` is that of the handshake.
    #[must_use]
    pub fn on_trust(
        identity: Result<Identity, IdentityError>,
        allowance: Allowance,
        address: String,
        trust: Arc<Trust>,
        chain: Vec<CertificateDer<'static>>,
        generation: u64,
    ) -> Self {
        let standing = Standing { trust, chain, judged: Mutex::new((generation, true)) };
        Self(Arc::new(Known { identity, allowance, address, standing: Some(standing) }))
    }

    /// Where the connection comes from; empty where nobody knows.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// What this principal may have, on all its connections.
    #[must_use]
    pub fn allowance(&self) -> &Allowance {
        &self.0.allowance
    }

    /// Who it is at this time.
    ///
    /// # Errors
    /// [`IdentityError`].
    pub fn principal(&self, now: SystemTime) -> Result<&Principal, IdentityError> {
        match &self.0.identity {
            Ok(identity) if now > identity.not_after => Err(IdentityError::Expired),
            Ok(_) if self.0.standing.as_ref().is_some_and(|s| !s.holds()) => Err(IdentityError::Revoked),
            Ok(identity) => Ok(&identity.principal),
            Err(why) => Err(why.clone()),
        }
    }
}

impl Standing {
    fn holds(&self) -> bool {
        let mut judged = self.judged.lock().unwrap_or_else(PoisonError::into_inner);
        let generation = self.trust.generation();
        if judged.0 != generation {
            *judged = (generation, self.trust.lets_in(&self.chain));
        }
        judged.1
    }
}

/// Reads the principal out of a leaf certificate whose chain was verified.
///
/// # Errors
/// [`IdentityError`].
pub fn identify(certificate: &[u8]) -> Result<Identity, IdentityError> {
    let (rest, certificate) = X509Certificate::from_der(certificate).map_err(|_| IdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityError::Unreadable);
    }
    // Found twice, or with bytes after its list of names, the extension could be read in two ways.
    let extension = certificate.get_extension_unique(&OID_X509_EXT_SUBJECT_ALT_NAME).map_err(|_| IdentityError::Unreadable)?;
    let extension = extension.ok_or(IdentityError::NoName)?;
    let (rest, names) = SubjectAlternativeName::from_der(extension.value).map_err(|_| IdentityError::Unreadable)?;
    if !rest.is_empty() {
        return Err(IdentityError::Unreadable);
    }
    let principal = match names.general_names.as_slice() {
        [] => return Err(IdentityError::NoName),
        [name] => principal(name)?,
        several => return Err(IdentityError::SeveralNames(several.len())),
    };
    let not_after = u64::try_from(certificate.validity().not_after.timestamp()).map_err(|_| IdentityError::Unreadable)?;
    let not_after = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(not_after)).ok_or(IdentityError::Unreadable)?;
    Ok(Identity { principal, not_after })
}

/// The two kinds share one space of names, so that neither may look like the other.
fn principal(name: &GeneralName<'_>) -> Result<Principal, IdentityError> {
    let text = match *name {
        GeneralName::URI(uri) if uri.contains("://") => uri,
        GeneralName::URI(_) => return Err(IdentityError::Form("URI with a scheme and a host")),
        GeneralName::DNSName(name) if !name.contains([':', '/']) => name,
        GeneralName::DNSName(_) => return Err(IdentityError::Form("DNS name")),
        _ => return Err(IdentityError::OtherKind),
    };
    Principal::new(text).map_err(IdentityError::Name)
}

#[cfg(test)]
mod tests;

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

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::string::Ia5String;
    use rcgen::{CertificateParams, CustomExtension, DnType, KeyPair, SanType};

    fn certificate(sans: Vec<SanType>, raw: Option<Vec<u8>>) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "web1.example.org");
        params.subject_alt_names = sans;
        params.custom_extensions.extend(raw.map(|der| CustomExtension::from_oid_content(&[2, 5, 29, 17], der)));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    fn uri(text: &str) -> SanType {
        SanType::URI(Ia5String::try_from(text).unwrap())
    }

    fn dns(text: &str) -> SanType {
        SanType::DnsName(Ia5String::try_from(text).unwrap())
    }

    /// A subject alternative name extension with one name, as raw DER: for what no library writes.
    fn raw(tag: u8, value: &[u8]) -> Vec<u8> {
        let len = u8::try_from(value.len()).unwrap();
        let mut der = vec![0x30, len.checked_add(2).unwrap(), tag, len];
        der.extend_from_slice(value);
        der
    }

    #[test]
    fn one_exact_uri_or_dns_name_is_a_principal() {
        let name = |sans| principal(&certificate(sans, None)).unwrap().to_string();
        assert_eq!(name(vec![uri("spiffe://example.org/publisher/web1")]), "spiffe://example.org/publisher/web1");
        assert_eq!(name(vec![dns("web1.example.org")]), "web1.example.org");
    }

    #[test]
    fn everything_else_names_nobody() {
        let email = SanType::Rfc822Name(Ia5String::try_from("a@example.org").unwrap());
        let ip = SanType::IpAddress([127, 0, 0, 1].into());
        let cases: [(&str, Vec<SanType>); 8] = [
            ("its common name does not count", vec![]),
            ("has 2 subject alternative names", vec![dns("a.example.org"), dns("b.example.org")]),
            ("has 2 subject alternative names", vec![uri("spiffe://example.org/a"), email.clone()]),
            ("neither a URI nor a DNS name", vec![email]),
            ("neither a URI nor a DNS name", vec![ip]),
            ("not allowed at byte 0", vec![dns("*.example.org")]),
            ("lower-case", vec![dns("Web1.example.org")]),
            ("lower case", vec![uri("SPIFFE://example.org/a")]),
        ];
        for (why, sans) in cases {
            let refused = principal(&certificate(sans, None)).unwrap_err().to_string();
            assert!(refused.contains(why), "{refused} should say {why}");
        }
    }

    #[test]
    fn a_name_with_an_interior_nul_is_refused_and_not_cut_off() {
        const DNS: u8 = 0x82;
        const URI: u8 = 0x86;
        for (tag, name) in [(DNS, &b"web1.example.org\0.evil.example"[..]), (URI, b"spiffe://example.org/a\0b")] {
            assert!(principal(&certificate(Vec::new(), Some(raw(tag, name)))).is_err());
        }
    }

    #[test]
    fn bytes_that_are_no_certificate_name_nobody() {
        let good = certificate(vec![uri("spiffe://example.org/a")], None);
        for end in 0..good.len() {
            assert!(principal(&good[..end]).is_err());
        }
        assert!(principal(&[good, vec![0]].concat()).is_err());
    }
}

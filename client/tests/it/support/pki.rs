//! Certificates made at run time.

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType};
use std::time::{Duration, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);

/// An authority.
pub(crate) struct Pki {
    certificate: String,
    key: String,
    valid: (SystemTime, SystemTime),
}

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let key = new_key();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let now = SystemTime::now();
        Self { certificate: params.self_signed(&key).unwrap().pem(), key: key.serialize_pem(), valid: (now - HOUR, now + HOUR) }
    }

    pub(crate) fn ca(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn server(&self) -> Pair {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    pub(crate) fn client(&self) -> Pair {
        let mut params = CertificateParams::default();
        let name = Ia5String::try_from("spiffe://example.org/publisher/web1").unwrap();
        params.subject_alt_names = vec![SanType::URI(name)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
    }

    fn sign(&self, mut params: CertificateParams) -> Pair {
        let issuer = Issuer::from_ca_cert_pem(&self.certificate, KeyPair::from_pem(&self.key).unwrap()).unwrap();
        (params.not_before, params.not_after) = (self.valid.0.into(), self.valid.1.into());
        let key = new_key();
        Pair { certificate: params.signed_by(&key, &issuer).unwrap().pem(), key: key.serialize_pem() }
    }
}

/// The same authority when all its certificates have expired.
pub(crate) fn expired(pki: &Pki) -> Pki {
    let now = SystemTime::now();
    Pki { certificate: pki.certificate.clone(), key: pki.key.clone(), valid: (now - 2 * HOUR, now - HOUR) }
}

fn new_key() -> KeyPair {
    KeyPair::generate_for(&PKCS_ED25519).unwrap()
}

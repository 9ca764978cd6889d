//! Certificates made while the test runs.

use rcgen::string::Ia5String;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, PKCS_ED25519, SanType};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// A certificate authority.
pub(crate) struct Authority {
    pub(crate) pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate with its key, as PEM.
#[derive(Clone)]
pub(crate) struct Credentials {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn server(&self) -> Credentials {
        let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.sign(params)
    }

    pub(crate) fn client(&self, names: &[SanType]) -> Credentials {
        self.sign(client_params(names))
    }

    pub(crate) fn publisher(&self) -> Credentials {
        self.client(&[uri("spiffe://example.org/publisher/web1")])
    }

    /// Valid until a minute ago.
    pub(crate) fn expired(&self) -> Credentials {
        let mut params = client_params(&[uri("spiffe://example.org/publisher/web1")]);
        params.not_before = (SystemTime::now() - Duration::from_secs(3600)).into();
        params.not_after = (SystemTime::now() - Duration::from_secs(60)).into();
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Credentials {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Credentials { certificate: certificate.pem(), key: key.serialize_pem() }
    }

    /// Writes the files that a gateway is configured with.
    pub(crate) fn write(&self, dir: &Path) {
        let server = self.server();
        for (name, text) in [("ca.crt", &self.pem), ("server.crt", &server.certificate), ("server.key", &server.key)] {
            write(&dir.join(name), text);
        }
    }
}

pub(crate) fn write(path: &Path, text: &str) {
    use std::io::Write as _;
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn client_params(names: &[SanType]) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.subject_alt_names = names.to_vec();
    params
}

pub(crate) fn uri(text: &str) -> SanType {
    SanType::URI(Ia5String::try_from(text).unwrap())
}

pub(crate) fn dns(text: &str) -> SanType {
    SanType::DnsName(Ia5String::try_from(text).unwrap())
}

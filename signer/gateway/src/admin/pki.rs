//! The key host's own certificate authority: it says who may connect, and nothing about what is signed.

use super::AdminError;
use rcgen::string::Ia5String;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertificateSigningRequestParams, DnType, ExtendedKeyUsagePurpose,
    IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, PKCS_ED25519, RevokedCertParams, SanType, SerialNumber,
};
use std::net::IpAddr;
use std::path::Path;
use std::time::{Duration, SystemTime};
use x509_parser::pem::Pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer};

const DAY: Duration = Duration::from_secs(86_400);
const CA_DAYS: u32 = 3650;
/// Clocks of clients may be behind by as much.
const SKEW: Duration = Duration::from_secs(300);

/// A certificate and its key, as PEM.
pub(super) struct Pair {
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Whom a certificate is for.
pub(super) struct Holder<'a> {
    pub(super) principal: &'a str,
    /// For a relay, the name that key hosts look for. It is no client, and its name is none that clients look for.
    pub(super) relay_name: Option<&'a str>,
    pub(super) days: u32,
}

/// A new authority.
pub(super) fn authority(name: &str) -> Result<Pair, AdminError> {
    let key = new_key()?;
    let mut params = params(CA_DAYS)?;
    // Lists of revoked certificates are found by the name of who signed them: an authority and its successor must not share one.
    let mark: String = key.public_key_raw().iter().take(4).map(|b| format!("{b:02x}")).collect();
    params.distinguished_name.push(DnType::CommonName, format!("Chancery CA of {name} {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let certificate = params.self_signed(&key).map_err(AdminError::Certificate)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A certificate for the gateway, under these host names and addresses.
pub(super) fn server(authority: &Pair, hosts: &[String]) -> Result<Pair, AdminError> {
    let key = new_key()?;
    let mut params = params(CA_DAYS)?;
    params.distinguished_name.push(DnType::CommonName, "chanceryd");
    // A relay knows a key host by having both: at a relay it is the client.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    for host in hosts {
        params.subject_alt_names.push(match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(ia5(host)?),
        });
    }
    let certificate = params.signed_by(&key, &issuer(authority)?).map_err(AdminError::Certificate)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// A client's certificate for the key of a request. Whatever names the request has are not looked at.
pub(super) fn client_of_request(authority: &Pair, holder: &Holder<'_>, request: &str, path: &Path) -> Result<String, AdminError> {
    let refused = |source| AdminError::Request { path: path.to_owned(), source };
    let request = CertificateSigningRequestParams::from_pem(request).map_err(refused)?;
    let certificate = client_params(holder)?.signed_by(&request.public_key, &issuer(authority)?).map_err(AdminError::Certificate)?;
    Ok(certificate.pem())
}

/// A client's certificate and key, for trials: the key is made here, and travels.
pub(super) fn client(authority: &Pair, holder: &Holder<'_>) -> Result<Pair, AdminError> {
    let key = new_key()?;
    let certificate = client_params(holder)?.signed_by(&key, &issuer(authority)?).map_err(AdminError::Certificate)?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// The serial number of a certificate.
pub(super) fn serial(certificate: &str) -> Option<Vec<u8>> {
    let (pem, _) = Pem::read(std::io::Cursor::new(certificate)).ok()?;
    Some(pem.parse_x509().ok()?.raw_serial().to_vec())
}

/// Certificates that were revoked, by serial number and time.
#[derive(Default)]
pub(super) struct Revocations {
    number: u64,
    all: Vec<(Vec<u8>, SystemTime)>,
}

impl Revocations {
    /// Reads a list.
    pub(super) fn read(pem: &str) -> Result<Self, ()> {
        let (pem, _) = Pem::read(std::io::Cursor::new(pem)).map_err(|_| ())?;
        let (_, list) = CertificateRevocationList::from_der(&pem.contents).map_err(|_| ())?;
        let number = list.crl_number().and_then(|n| n.to_u64_digits().first().copied()).unwrap_or(0);
        let time = |seconds: i64| {
            let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
            SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
        };
        let all = list.iter_revoked_certificates().map(|c| (c.raw_serial().to_vec(), time(c.revocation_date.timestamp()))).collect();
        Ok(Self { number, all })
    }

    /// Adds one, revoked now; whether it was not there.
    pub(super) fn add(&mut self, serial: &[u8]) -> bool {
        let is_new = !self.all.iter().any(|(s, _)| s == serial);
        if is_new {
            self.all.push((serial.to_vec(), SystemTime::now()));
        }
        is_new
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The list, signed, as PEM.
    pub(super) fn signed(&self, authority: &Pair) -> Result<String, AdminError> {
        let one = |(serial, time): &(Vec<u8>, SystemTime)| RevokedCertParams {
            serial_number: SerialNumber::from_slice(serial),
            revocation_time: (*time).into(),
            reason_code: None,
            invalidity_date: None,
        };
        let now = params(CA_DAYS)?;
        let list = CertificateRevocationListParams {
            this_update: now.not_before,
            next_update: now.not_after,
            crl_number: SerialNumber::from(self.number.saturating_add(1)),
            issuing_distribution_point: None,
            revoked_certs: self.all.iter().map(one).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        list.signed_by(&issuer(authority)?).and_then(|list| list.pem()).map_err(AdminError::Certificate)
    }
}

fn client_params(holder: &Holder<'_>) -> Result<CertificateParams, AdminError> {
    let mut params = params(holder.days)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.subject_alt_names = vec![SanType::URI(ia5(holder.principal)?)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    if let Some(name) = holder.relay_name {
        params.subject_alt_names.push(SanType::DnsName(ia5(name)?));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    }
    Ok(params)
}

fn params(days: u32) -> Result<CertificateParams, AdminError> {
    let mut params = CertificateParams::default();
    params.serial_number = Some(random_serial()?);
    let now = SystemTime::now();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = now.checked_sub(SKEW).unwrap_or(now).into();
    params.not_after = DAY.checked_mul(days).and_then(|d| now.checked_add(d)).unwrap_or(now).into();
    Ok(params)
}

/// Certificates for one key are told apart, and revoked, by their numbers: one made from the key alone would be that of all of them.
fn random_serial() -> Result<SerialNumber, AdminError> {
    let mut number = [0_u8; 20];
    getrandom::fill(&mut number).map_err(AdminError::Random)?;
    // RFC 5280, 4.1.2.2: positive, and at most 20 octets.
    if let Some(first) = number.first_mut() {
        *first = (*first & 0x7f) | 0x40;
    }
    Ok(SerialNumber::from_slice(&number))
}

fn issuer(authority: &Pair) -> Result<Issuer<'static, KeyPair>, AdminError> {
    let key = KeyPair::from_pem(&authority.key).map_err(AdminError::Certificate)?;
    Issuer::from_ca_cert_pem(&authority.certificate, key).map_err(AdminError::Certificate)
}

fn new_key() -> Result<KeyPair, AdminError> {
    KeyPair::generate_for(&PKCS_ED25519).map_err(AdminError::Certificate)
}

fn ia5(text: &str) -> Result<Ia5String, AdminError> {
    Ia5String::try_from(text).map_err(AdminError::Certificate)
}

//! Clients that are not let in: each is told why, in words.

use chancery_tests::{KeyHost, Output, Publisher, Setup, run};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ED25519, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{AlertDescription, ClientConfig, ClientConnection, RootCertStore};
use std::fs;
use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::sync::Arc;

const ME: &str = "spiffe://localhost/publisher/web1";

fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "**", "namespaces = [\"file\"]")
}

/// A certificate with these names for the years from 2020 to `until`, by this authority.
fn certificate(authority: &(String, String), names: &[&str], until: i32) -> (String, KeyPair) {
    let issuer = Issuer::from_ca_cert_pem(&authority.0, KeyPair::from_pem(&authority.1).unwrap()).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|n| SanType::URI(Ia5String::try_from(*n).unwrap())).collect();
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    (params.signed_by(&key, &issuer).unwrap().pem(), key)
}

fn authority(host: &KeyHost) -> (String, String) {
    (host.read("pki/ca.crt"), host.read("ca/ca.key"))
}

/// What `chancery` says when it asks with another certificate.
fn sign_as(publisher: &Publisher, (certificate, key): &(String, KeyPair)) -> Output {
    let mut profile: toml::Table = fs::read_to_string(publisher.profile()).unwrap().parse().unwrap();
    profile["certificate"] = certificate.as_str().into();
    let other = publisher.dir().join("other.toml");
    fs::write(&other, profile.to_string()).unwrap();
    fs::write(publisher.dir().join(publisher.field("key_file")), key.serialize_pem()).unwrap();
    sign_with(publisher, &other)
}

fn sign_with(publisher: &Publisher, profile: &std::path::Path) -> Output {
    let file = publisher.dir().join("tool.tar.gz");
    fs::write(&file, "a release").unwrap();
    let options = ["sign", "--key", "tarballs", "--as", "sshsig", "--timeout", "5"];
    run(std::process::Command::new(chancery_tests::program("chancery")).args(options).arg(&file).arg("--profile").arg(profile))
}

#[test]
fn a_client_with_a_wrong_certificate_is_told_what_is_wrong_with_it() {
    let host = setup().start();
    let other_host = Setup::new().make();
    let publisher = host.publisher("web1");
    let expired = sign_as(&publisher, &certificate(&authority(&host), &[ME], 2021));
    let _ = expired.failed(3, "our certificate has expired");
    let foreign = sign_as(&publisher, &certificate(&authority(&other_host), &[ME], 2040));
    let _ = foreign.failed(3, "does not accept our certificate");
    let two = sign_as(&publisher, &certificate(&authority(&host), &[ME, "spiffe://localhost/publisher/web2"], 2040));
    let _ = two.failed(1, "2 subject alternative names");
    let capital = sign_as(&publisher, &certificate(&authority(&host), &["spiffe://localhost/publisher/Web1"], 2040));
    let _ = capital.failed(1, "no grant for \"spiffe://localhost/publisher/Web1\"");
    let good = sign_as(&publisher, &certificate(&authority(&host), &[ME], 2040)).ok();
    assert!(good.stdout.contains("signed "), "{good:?}");
}

#[test]
fn a_client_does_not_speak_to_a_key_host_of_another_authority() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    let mut profile: toml::Table = fs::read_to_string(publisher.profile()).unwrap().parse().unwrap();
    profile["ca"] = authority(&Setup::new().make()).0.into();
    let other = publisher.dir().join("other.toml");
    fs::write(&other, profile.to_string()).unwrap();
    let _ = sign_with(&publisher, &other).failed(3, "not made by the authority that the profile trusts");
}

#[test]
fn a_client_without_a_certificate_is_told_that_one_is_required() {
    let host = setup().start();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(host.read("pki/ca.crt").as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = config.with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut connection = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut socket = TcpStream::connect(host.address()).unwrap();
    let mut stream = rustls::Stream::new(&mut connection, &mut socket);
    let error = loop {
        match stream.read(&mut [0; 1024]) {
            Ok(0) => panic!("the connection ended without a word"),
            // Settings of HTTP/2 may come before the refusal.
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::InvalidData, "{error}");
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    assert_eq!(inner, Some(&rustls::Error::AlertReceived(AlertDescription::CertificateRequired)));
    let publisher = host.publisher("web1");
    let _ = sign_with(&publisher, publisher.profile()).ok();
}

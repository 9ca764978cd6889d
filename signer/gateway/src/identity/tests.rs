use super::*;
use crate::accept::Allowance;
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
    let name = |sans| identify(&certificate(sans, None)).unwrap().principal.to_string();
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
        let refused = identify(&certificate(sans, None)).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused} should say {why}");
    }
}

#[test]
fn a_name_of_one_kind_cannot_look_like_the_other() {
    const DNS: u8 = 0x82;
    const URI: u8 = 0x86;
    for (tag, name) in [(DNS, &b"spiffe://example.org/a"[..]), (DNS, b"example.org/a"), (URI, b"example.org"), (URI, b"urn:example:a")] {
        let refused = identify(&certificate(Vec::new(), Some(raw(tag, name)))).unwrap_err();
        assert!(matches!(refused, IdentityError::Form(_)), "{refused}");
    }
}

#[test]
fn two_extensions_with_one_name_each_are_two_names() {
    let twice = certificate(vec![uri("spiffe://example.org/a")], Some(raw(0x86, b"spiffe://example.org/b")));
    assert!(identify(&twice).is_err());
}

#[test]
fn bytes_after_the_name_are_refused() {
    let mut der = raw(0x86, b"spiffe://example.org/a");
    der.extend_from_slice(&[0x86, 1, b'x']);
    assert!(identify(&certificate(Vec::new(), Some(der))).is_err());
    assert_eq!(identify(&certificate(Vec::new(), Some(vec![0x30, 0]))).unwrap_err(), IdentityError::NoName);
}

#[test]
fn a_certificate_that_expires_while_its_connection_stands_names_nobody_any_more() {
    let identity = identify(&certificate(vec![uri("spiffe://example.org/a")], None)).unwrap();
    let end = identity.not_after;
    let peer = Peer::new(Ok(identity), Allowance::new(1, None));
    assert!(peer.principal(end).is_ok());
    assert_eq!(peer.principal(end + Duration::from_secs(1)).unwrap_err(), IdentityError::Expired);
}

#[test]
fn a_name_with_an_interior_nul_is_refused_and_not_cut_off() {
    const DNS: u8 = 0x82;
    const URI: u8 = 0x86;
    for (tag, name) in [(DNS, &b"web1.example.org\0.evil.example"[..]), (URI, b"spiffe://example.org/a\0b")] {
        assert!(identify(&certificate(Vec::new(), Some(raw(tag, name)))).is_err());
    }
}

#[test]
fn bytes_that_are_no_certificate_name_nobody() {
    let good = certificate(vec![uri("spiffe://example.org/a")], None);
    for end in 0..good.len() {
        assert!(identify(&good[..end]).is_err());
    }
    assert!(identify(&[good, vec![0]].concat()).is_err());
}

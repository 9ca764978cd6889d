//! Bad input: each case has a clear error, loses nothing, and leaves the service up.

use crate::wire::{assert_refused, block_on, content_header, digest_header, sign};
use chancery_proto::v1::sign_header::Payload;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{SignRequest, sign_header};
use chancery_tests::{KeyHost, OstreeRepo, Publisher, Setup};
use rcgen::string::Ia5String;
use rcgen::{CertificateParams, Issuer, KeyPair, PKCS_ED25519, SanType};
use std::fs;
use std::io::{Read as _, Write as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint, Identity};

const MAX_CONTENT: usize = 64 * 1024;

fn host() -> KeyHost {
    Setup::new()
        .key("release", "ostree-summary/ed25519,ostree-commit/ed25519")
        .key("tarballs", "sshsig")
        .grant("web1", "release", &["ostree-summary/ed25519"], "prod", "refs = [\"os/**\"]")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .config("below.\nmax_content = \"16 MiB\"", "below.\nmax_content = \"64 KiB\"")
        .config("stall_timeout = \"15 s\"", "stall_timeout = \"300 ms\"")
        .start()
}

/// The service answers a good request.
async fn assert_up(channel: &Channel, n: u64) {
    let signed = sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]).await.unwrap();
    assert!(signed.signature.starts_with(b"-----BEGIN SSH SIGNATURE-----"));
}

#[test]
fn malformed_requests_are_refused_with_a_reason_and_an_entry() {
    let host = host();
    let publisher = host.publisher("web1");
    let Some(repo) = OstreeRepo::make(host.temp(), &["os/x86_64/stable"]) else { return };
    let summary = fs::read(repo.path().join("summary")).unwrap();
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let header = |content: &[u8]| content_header("release", "ostree-summary/ed25519", "prod", content);
        let cut = summary[..summary.len() - 3].to_vec();
        let r = assert_refused(sign(channel.clone(), header(&cut), vec![cut]).await, Code::InvalidArgument, "content-malformed", "at byte");
        assert!(r.entry_index.is_some() && !r.receipt.is_empty() && !r.retry, "{r:?}");

        let mut wrong = header(&summary);
        wrong.request_id = vec![1; 16].into();
        let Some(Payload::Content(declared)) = &mut wrong.payload else { panic!() };
        declared.sha256 = vec![9; 32].into();
        let r =
            assert_refused(sign(channel.clone(), wrong, vec![summary.clone()]).await, Code::InvalidArgument, "digest-mismatch", "SHA-256");
        assert!(r.entry_index.is_some());

        let mut unknown = digest_header("nosuchkey", "prod", 1);
        unknown.request_id = vec![2; 16].into();
        assert_refused(sign(channel.clone(), unknown, vec![]).await, Code::PermissionDenied, "key-not-granted", "nosuchkey");

        let mut unknown = digest_header("tarballs", "prod", 2);
        unknown.construction = "openpgp-inline".into();
        assert_refused(
            sign(channel.clone(), unknown, vec![]).await,
            Code::InvalidArgument,
            "malformed-request",
            "no construction is named",
        );

        let mut other = digest_header("tarballs", "staging", 3);
        other.request_id = vec![3; 16].into();
        assert_refused(sign(channel.clone(), other, vec![]).await, Code::PermissionDenied, "subject-not-granted", "staging");
        assert_up(&channel, 4).await;
    });
}

#[test]
fn content_over_the_limit_or_beside_its_declared_length_is_refused() {
    let host = host();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let header = |content: &[u8]| content_header("release", "ostree-summary/ed25519", "prod", content);
        let over = vec![0; MAX_CONTENT + 1];
        assert_refused(sign(channel.clone(), header(&over), vec![over]).await, Code::OutOfRange, "content-too-large", "65537 bytes");
        let at = vec![0; MAX_CONTENT];
        let refused = sign(channel.clone(), header(&at), vec![at.clone()]).await;
        assert_refused(refused, Code::InvalidArgument, "content-malformed", "at byte");
        let one_more = vec![at.clone(), vec![0]];
        assert_refused(
            sign(channel.clone(), header(&at), one_more).await,
            Code::InvalidArgument,
            "length-mismatch",
            "more than the declared",
        );
        let one_less = vec![at[1..].to_vec()];
        assert_refused(sign(channel.clone(), header(&at), one_less).await, Code::InvalidArgument, "length-mismatch", "ended after 65535");
        assert_up(&channel, 10).await;
    });
}

#[test]
fn a_stream_that_stalls_is_given_up() {
    let host = host();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let (sender, receiver) = tokio::sync::mpsc::channel(4);
        let content = vec![0; 1000];
        let header = content_header("release", "ostree-summary/ed25519", "prod", &content);
        sender.send(SignRequest { part: Some(Part::Header(header)) }).await.unwrap();
        let stream = tokio_stream::wrappers::ReceiverStream::new(receiver);
        let outcome = SigningServiceClient::new(channel.clone()).sign(stream).await.map(tonic::Response::into_inner);
        assert_refused(outcome, Code::DeadlineExceeded, "stalled", "stall_timeout");
        drop(sender);
        assert_up(&channel, 20).await;
    });
}

#[test]
fn ten_thousand_refs_are_read_and_one_that_is_not_granted_is_found() {
    let host = Setup::new()
        .key("release", "ostree-summary/ed25519")
        .grant("web1", "release", &["ostree-summary/ed25519"], "prod", "refs = [\"os/**\"]")
        .start();
    let publisher = host.publisher("web1");
    let summary = |last: &str| crate::variant::summary((0..10_000).map(|n| format!("os/{n:05}")).chain([last.to_owned()]));
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let chunks = |content: &[u8]| content.chunks(256 * 1024).map(<[u8]>::to_vec).collect::<Vec<_>>();
        let good = summary("os/zzz");
        let header = content_header("release", "ostree-summary/ed25519", "prod", &good);
        let signed = sign(channel.clone(), header, chunks(&good)).await.unwrap();
        assert_eq!(signed.signature.len(), 64);
        let bad = summary("other/zzz");
        let header = content_header("release", "ostree-summary/ed25519", "prod", &bad);
        assert_refused(sign(channel, header, chunks(&bad)).await, Code::PermissionDenied, "ref-not-granted", "other/zzz");
    });
}

/// A certificate by the key host's own CA, with these names and this time.
fn certificate(host: &KeyHost, names: &[&str], valid: bool) -> Identity {
    let read = |name: &str| fs::read_to_string(host.dir().join(name)).unwrap();
    let issuer = Issuer::from_ca_cert_pem(&read("pki/ca.crt"), KeyPair::from_pem(&read("ca/ca.key")).unwrap()).unwrap();
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let mut params = CertificateParams::default();
    params.subject_alt_names = names.iter().map(|n| SanType::URI(Ia5String::try_from(*n).unwrap())).collect();
    if !valid {
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
    }
    Identity::from_pem(params.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

async fn connect(host: &KeyHost, publisher: &Publisher, identity: Option<Identity>) -> Result<Channel, tonic::transport::Error> {
    let tls = ClientTlsConfig::new().ca_certificate(publisher.ca()).domain_name("localhost");
    let tls = match identity {
        Some(identity) => tls.identity(identity),
        None => tls,
    };
    Endpoint::from_shared(host.endpoint()).unwrap().tls_config(tls).unwrap().connect().await
}

#[test]
fn only_a_certificate_of_the_ca_with_one_name_gets_an_answer() {
    let host = host();
    let publisher = host.publisher("web1");
    let me = "spiffe://localhost/publisher/web1";
    let stranger = {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(Ia5String::try_from(me).unwrap())];
        Identity::from_pem(params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    };
    block_on(async {
        for identity in [None, Some(stranger), Some(certificate(&host, &[me], false))] {
            // TLS 1.3 lets the client believe that it is connected; its first call fails.
            let refused = match connect(&host, &publisher, identity).await {
                Ok(channel) => sign(channel, digest_header("tarballs", "prod", 30), vec![]).await.is_err(),
                Err(_) => true,
            };
            assert!(refused, "a client without a good certificate got an answer");
        }
        let two = connect(&host, &publisher, Some(certificate(&host, &[me, "spiffe://localhost/publisher/web2"], true))).await.unwrap();
        let status = sign(two, digest_header("tarballs", "prod", 31), vec![]).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        assert!(status.message().contains("2 subject alternative names"), "{status:?}");
        let one = connect(&host, &publisher, Some(certificate(&host, &[me], true))).await.unwrap();
        assert_up(&one, 32).await;
    });
}

#[test]
fn garbage_on_the_port_hurts_nobody() {
    let host = host();
    let publisher = host.publisher("web1");
    for garbage in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[0xff; 5000], b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"] {
        let mut socket = std::net::TcpStream::connect(host.address()).unwrap();
        socket.write_all(garbage).unwrap();
        // Whatever comes back, the connection ends; perhaps before this.
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let _ = socket.read_to_end(&mut Vec::new());
    }
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        assert_up(&channel, 40).await;
    });
}

#[test]
fn the_same_request_is_recorded_once_and_another_under_its_id_is_refused() {
    let mut host = host();
    let publisher = host.publisher("web1");
    let first = block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let first = sign(channel.clone(), digest_header("tarballs", "prod", 50), vec![]).await.unwrap();
        let again = sign(channel.clone(), digest_header("tarballs", "prod", 50), vec![]).await.unwrap();
        assert_eq!((again.entry_index, &again.signature), (first.entry_index, &first.signature));
        let mut other = digest_header("tarballs", "prod", 50);
        other.subject = "prod".into();
        let Some(sign_header::Payload::Sshsig(sshsig)) = &mut other.payload else { panic!() };
        sshsig.digest = vec![5; 32].into();
        assert_refused(sign(channel, other, vec![]).await, Code::AlreadyExists, "request-id-reused", "used before");
        first
    });
    assert_eq!(host.stop(), Some(0));
    host.serve();
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        let again = sign(channel, digest_header("tarballs", "prod", 50), vec![]).await.unwrap();
        assert_eq!((again.entry_index, again.signature), (first.entry_index, first.signature), "known again after a restart");
    });
}

#[test]
fn a_principal_that_announces_content_and_keeps_it_back_leaves_room_for_others() {
    let host = Setup::new()
        .key("release", "ostree-summary/ed25519")
        .grant("web1", "release", &["ostree-summary/ed25519"], "prod", "refs = [\"os/**\"]")
        .grant("web2", "release", &["ostree-summary/ed25519"], "prod", "refs = [\"os/**\"]")
        .start();
    let (greedy, other) = (host.publisher("web1"), host.publisher("web2"));
    block_on(async {
        let channel = greedy.connections(&host.endpoint(), 1).await.remove(0);
        let mut announced = JoinSet::new();
        let mut open = Vec::new();
        for n in 0..20 {
            let mut header = content_header("release", "ostree-summary/ed25519", "prod", &[n]);
            let Some(Payload::Content(declared)) = &mut header.payload else { panic!() };
            declared.length = 16 << 20;
            let (parts, sent) = mpsc::channel(1);
            parts.send(SignRequest { part: Some(Part::Header(header)) }).await.unwrap();
            open.push(parts);
            let mut client = SigningServiceClient::new(channel.clone());
            announced.spawn(async move { client.sign(ReceiverStream::new(sent)).await.map(tonic::Response::into_inner) });
        }
        let refused = announced.join_next().await.unwrap().unwrap();
        assert!(assert_refused(refused, Code::ResourceExhausted, "share-full", "your other requests").retry);

        let asks = async |publisher: &Publisher, content: &[u8]| {
            let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
            let header = content_header("release", "ostree-summary/ed25519", "prod", content);
            sign(channel, header, vec![content.to_vec()]).await
        };
        assert_refused(asks(&other, b"no summary").await, Code::InvalidArgument, "content-malformed", "at byte");
        drop(open);
        while announced.join_next().await.is_some() {}
        assert_refused(asks(&greedy, b"none either").await, Code::InvalidArgument, "content-malformed", "at byte");
    });
}

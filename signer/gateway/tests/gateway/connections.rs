//! What comes to the port: too much, too slow, or something else altogether.

use crate::host::{Host, LONG, SHORT, digest, parts};
use crate::keeper::Got;
use crate::pki::uri;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chanceryd::accept::Rate;
use chanceryd::config::Limits;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::Code;

type Versions<'a> = &'a [&'static rustls::SupportedProtocolVersion];

async fn connect(config: Arc<rustls::ClientConfig>, host: std::net::SocketAddr) -> io::Result<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(host).await?;
    TlsConnector::from(config).connect(ServerName::try_from("localhost").unwrap(), tcp).await
}

/// Reads until the other side closes.
async fn until_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) {
    let mut rest = Vec::new();
    // A reset is an end, too.
    let _ = timeout(LONG, stream.read_to_end(&mut rest)).await.expect("the gateway does not close");
}

async fn connecting(host: &Host) -> TcpStream {
    TcpStream::connect(host.address).await.unwrap()
}

async fn publisher_connects(host: &Host, versions: Versions<'_>) -> io::Result<TlsStream<TcpStream>> {
    connect(host.tls(Some(&host.authority.publisher()), versions), host.address).await
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_1_2_is_refused_and_1_3_is_not() {
    let host = Host::start().await;
    let refused = publisher_connects(&host, &[&TLS12]).await.unwrap_err();
    assert!(refused.to_string().contains("ProtocolVersion"), "{refused}");
    let stream = publisher_connects(&host, &[&TLS13]).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_session_is_resumed_so_that_each_connection_proves_its_identity() {
    let host = Host::start().await;
    let config = host.tls(Some(&host.authority.publisher()), &[&TLS13]);
    for _ in 0..2 {
        let mut stream = connect(Arc::clone(&config), host.address).await.unwrap();
        // A ticket would come before the first byte.
        stream.read_u8().await.unwrap();
        assert_eq!(stream.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_on_the_port_ends_its_own_connection_only() {
    let host = Host::start().await;
    let mut plain_http = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec();
    plain_http.resize(20_000, b'x');
    for garbage in [plain_http, vec![0; 70_000], vec![0x16, 0x03, 0x01, 0xff, 0xff, 1, 2, 3]] {
        let mut tcp = TcpStream::connect(host.address).await.unwrap();
        let _ = tcp.write_all(&garbage).await;
        let _ = tcp.shutdown().await;
        until_closed(&mut tcp).await;
    }
    // Inside TLS, where HTTP/2 should be.
    let mut tls = publisher_connects(&host, &[&TLS13]).await.unwrap();
    let _ = tls.write_all(&[b'z'; 4096]).await;
    until_closed(&mut tls).await;
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handshake_that_does_not_go_on_is_given_up() {
    let host = Host::with(Limits { handshake_timeout: SHORT, ..Limits::default() }).await;
    let mut silent = TcpStream::connect(host.address).await.unwrap();
    until_closed(&mut silent).await;
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_over_the_limit_waits_until_another_one_ends() {
    let host = Host::with(Limits { connections: 2, ..Limits::default() }).await;
    let mut client = host.publisher();
    client.sign(parts([Part::Header(digest("release"))])).await.unwrap();
    let second = publisher_connects(&host, &[&TLS13]).await.unwrap();
    let config = host.tls(Some(&host.authority.publisher()), &[&TLS13]);
    let third = tokio::spawn(connect(config, host.address));
    for _ in 0..20 {
        client.sign(parts([Part::Header(digest("release"))])).await.unwrap();
    }
    assert!(!third.is_finished(), "the others are served while it waits");
    drop(second);
    timeout(LONG, third).await.expect("its turn never comes").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_principal_cannot_take_all_connections() {
    let host = Host::with(Limits { connections_per_principal: 1, ..Limits::default() }).await;
    let mut client = host.publisher();
    client.sign(parts([Part::Header(digest("release"))])).await.unwrap();
    let mut second = publisher_connects(&host, &[&TLS13]).await.unwrap();
    until_closed(&mut second).await;
    let other = host.authority.client(&[uri("spiffe://example.org/publisher/web2")]);
    host.asks(Some(&other)).await.unwrap();
    client.sign(parts([Part::Header(digest("release"))])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_cannot_have_all_handshakes() {
    let host = Host::with(Limits { handshakes_per_address: 2, handshake_timeout: LONG, ..Limits::default() }).await;
    let mut silent = [connecting(&host).await, connecting(&host).await, connecting(&host).await];
    let [first, second, third] = &mut silent;
    // Which of them is one too many depends on whose turn to be accepted comes last.
    let closed = async {
        tokio::select! {
            () = until_closed(first) => {}
            () = until_closed(second) => {}
            () = until_closed(third) => {}
        }
    };
    timeout(LONG, closed).await.expect("closed before a handshake");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_fast_is_refused_before_the_request_is_read_and_the_keeper_does_not_hear_of_it() {
    let rate = Some(Rate { count: 2, per: Duration::from_secs(3600) });
    let mut host = Host::with(Limits { rate_per_principal: rate, ..Limits::default() }).await;
    let mut publisher = host.publisher();
    for _ in 0..2 {
        publisher.sign(parts([Part::Header(digest("release"))])).await.unwrap();
    }
    let refused = publisher.sign(parts([Part::Header(digest("release"))])).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    assert!(refused.message().contains("rate_per_principal"), "{refused}");
    let again = host.publisher().sign(parts([Part::Header(digest("release"))])).await.unwrap_err();
    assert_eq!(again.code(), Code::ResourceExhausted, "another connection is no way round");
    let other = host.authority.client(&[uri("spiffe://example.org/publisher/web2")]);
    SigningServiceClient::new(host.channel(Some(&other)))
        .sign(parts([Part::Header(digest("release"))]))
        .await
        .expect("others are not held up");
    for who in ["web1", "web1", "web2"] {
        let Got::Sign(heard) = host.keeper.next().await else { panic!("expected a request") };
        assert!(heard.principal.as_str().ends_with(who), "the keeper hears of what was let through alone: {heard:?}");
    }
}

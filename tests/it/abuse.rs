//! Clients with a good certificate that do to HTTP/2 what clients should not: memory stays bounded, and others are served.

use crate::wire::{block_on, digest_header, sign};
use chancery_tests::{KeyHost, Publisher, Setup};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// An abuser gives up after this, or is cut off before.
const PATIENCE: Duration = Duration::from_secs(3);
/// Beyond what it had before, in KiB.
const GROWTH: u64 = 64 * 1024;

// RFC 9113 section 6.
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
const END_STREAM: u8 = 1;

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call, without Huffman and without the dynamic table.
fn call_headers(path: &str) -> Vec<u8> {
    let literal = |name: &str, value: &str| {
        let text = |t: &str| [&[u8::try_from(t.len()).unwrap()], t.as_bytes()].concat();
        [vec![0], text(name), text(value)].concat()
    };
    [
        literal(":method", "POST"),
        literal(":scheme", "https"),
        literal(":path", path),
        literal(":authority", "localhost"),
        literal("content-type", "application/grpc"),
        literal("te", "trailers"),
    ]
    .concat()
}

async fn connect(host: &KeyHost, publisher: &Publisher) -> TlsStream<TcpStream> {
    let certificates = |pem: String| CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect::<Vec<_>>();
    let mut roots = RootCertStore::empty();
    certificates(publisher.field("ca")).into_iter().for_each(|ca| roots.add(ca).unwrap());
    let key = PrivateKeyDer::from_pem_slice(&fs::read(publisher.dir().join(publisher.field("key_file"))).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = config.with_root_certificates(roots).with_client_auth_cert(certificates(publisher.field("certificate")), key).unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(host.address()).await.unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), tcp).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await.unwrap();
    stream
}

/// Resident memory of the gateway, in KiB.
fn memory(host: &KeyHost) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.gateway_pid())).unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Writes what `next` gives until the gateway cuts it off, or for as long as an abuser has patience; whether it was cut off.
async fn abuse(host: &KeyHost, publisher: &Publisher, mut next: impl FnMut(u32) -> Vec<u8>) -> bool {
    let stream = connect(host, publisher).await;
    let (mut reader, mut writer) = tokio::io::split(stream);
    let reading = tokio::spawn(async move {
        let mut bytes = vec![0; 16 * 1024];
        while matches!(reader.read(&mut bytes).await, Ok(n) if n > 0) {}
    });
    let writing = async {
        for n in 0..u32::MAX {
            if writer.write_all(&next(n)).await.is_err() {
                return;
            }
        }
    };
    let cut_off = timeout(PATIENCE, writing).await.is_ok();
    reading.abort();
    cut_off
}

#[test]
fn answers_that_nobody_takes_do_not_fill_the_memory() {
    let host = Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]").start();
    let (bad, good) = (host.publisher("bad"), host.publisher("web1"));
    let headers = call_headers("/chancery.v1.RequestLogService/ListEntries");
    // A message of five bytes: count = 1,024.
    let question = [0, 0, 0, 0, 3, 0x10, 0x80, 0x08];
    block_on(async {
        let channel = good.connections(&host.endpoint(), 1).await.remove(0);
        let mut signing = JoinSet::new();
        for n in 0..1_000 {
            let _ = signing.spawn(sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]));
        }
        signing.join_all().await.into_iter().for_each(|signed| drop(signed.unwrap()));
        let before = memory(&host);
        // Windows of no bytes at all, and questions without end.
        let next = |n: u32| {
            let stream = 2 * n + 1;
            match n {
                0 => frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]),
                1..=1_000 => [frame(HEADERS, END_HEADERS, stream, &headers), frame(DATA, END_STREAM, stream, &question)].concat(),
                _ => frame(PING, 0, 0, &[0; 8]),
            }
        };
        let others = sign(channel.clone(), digest_header("tarballs", "prod", 9_999), vec![]);
        let (_, _, signed) = tokio::join!(abuse(&host, &bad, next), abuse(&host, &bad, next), others);
        let _ = signed.unwrap();
        let grown = memory(&host).saturating_sub(before);
        assert!(grown < GROWTH, "the gateway grew by {grown} KiB");
    });
}

#[test]
fn abuse_of_http2_neither_fills_the_memory_nor_keeps_others_out() {
    let host = Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]").start();
    let (bad, good) = (host.publisher("bad"), host.publisher("web1"));
    let all = call_headers("/chancery.v1.SigningService/Sign");
    let headers = all.as_slice();
    let half = headers.len() / 2;
    type Next<'a> = Box<dyn FnMut(u32) -> Vec<u8> + 'a>;
    let reset = |n: u32| [frame(HEADERS, END_HEADERS, 2 * n + 1, headers), frame(RST_STREAM, 0, 2 * n + 1, &[0, 0, 0, 8])].concat();
    let abuses: Vec<(&str, bool, Next<'_>)> = vec![
        ("rapid reset", true, Box::new(reset)),
        ("a block of headers that never ends", true, {
            Box::new(|n| if n == 0 { frame(HEADERS, 0, 1, &headers[..half]) } else { frame(CONTINUATION, 0, 1, &[0; 16 * 1024]) })
        }),
        ("huge headers", true, {
            // A literal of 15 KiB in each of many frames: far over any limit on lists of headers.
            let long = [vec![0, 1, b'a', 0x7f, 0x81, 0x77], vec![b'x'; 15 * 1024]].concat();
            Box::new(move |n| if n == 0 { frame(HEADERS, 0, 1, headers) } else { frame(CONTINUATION, 0, 1, &long) })
        }),
        ("settings without end", false, Box::new(|_| frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(256))),
        ("pings without end", false, Box::new(|n| frame(PING, 0, 0, &u64::from(n).to_be_bytes()).repeat(256))),
        ("window updates without end", true, Box::new(|_| frame(WINDOW_UPDATE, 0, 0, &[0x7f, 0xff, 0xff, 0xff]))),
        ("data on no stream", true, Box::new(|n| frame(DATA, 0, 2 * n + 1, &[0; 1024]))),
        ("streams that are opened and left", false, {
            Box::new(|n| if n < 1_000 { frame(HEADERS, END_HEADERS, 2 * n + 1, headers) } else { frame(PING, 0, 0, &[0; 8]) })
        }),
        ("empty data without end", false, {
            Box::new(|n| if n == 0 { frame(HEADERS, END_HEADERS, 1, headers) } else { frame(DATA, 0, 1, &[]).repeat(256) })
        }),
    ];
    block_on(async {
        let channel = good.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel.clone(), digest_header("tarballs", "prod", 0), vec![]).await.unwrap();
        for (number, (name, must_be_cut_off, next)) in (1_u64..).zip(abuses) {
            let before = memory(&host);
            let others = async {
                for n in 0..20 {
                    let signed =
                        timeout(Duration::from_secs(5), sign(channel.clone(), digest_header("tarballs", "prod", number * 100 + n), vec![]));
                    signed.await.unwrap_or_else(|_| panic!("{name}: others wait too long")).unwrap();
                }
            };
            let (cut_off, ()) = tokio::join!(abuse(&host, &bad, next), others);
            assert!(cut_off || !must_be_cut_off, "{name}: nobody cuts it off");
            let grown = memory(&host).saturating_sub(before);
            assert!(grown < GROWTH, "{name}: the gateway grew by {grown} KiB");
        }
        let again = good.connections(&host.endpoint(), 1).await.remove(0);
        sign(again, digest_header("tarballs", "prod", 99_999), vec![]).await.expect("a new connection is served too");
    });
}

#[test]
fn more_connections_than_the_usual_limit_of_open_files_are_served() {
    let mut host = Setup::new()
        .key("tarballs", "sshsig")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .config("connections = 1024", "connections = 2000")
        .config("connections_per_principal = 256", "connections_per_principal = 2000")
        .config("handshakes_per_address = 64", "handshakes_per_address = 2000")
        .make();
    host.place(["prlimit", "--nofile=1024:4096"].map(str::to_owned).into());
    host.serve();
    let publisher = host.publisher("web1");
    block_on(async {
        let channels = publisher.connections(&host.endpoint(), 1100).await;
        for n in [0, 500, 1099] {
            sign(channels[n].clone(), digest_header("tarballs", "prod", n as u64), vec![]).await.unwrap();
        }
    });
    let limits = fs::read_to_string(format!("/proc/{}/limits", host.gateway_pid())).unwrap();
    assert!(limits.lines().any(|l| l.starts_with("Max open files") && l.contains("4096")), "it was started with 1,024: {limits}");
}

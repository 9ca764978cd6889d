//! No inbound port: the key host dials a relay, and publishers sign through it.

use crate::metrics::relay_until;
use crate::wire::block_on;
use chancery_tests::{KeyHost, Output, Proxy, Publisher, Relay, Setup, run};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const ANY: &str = "127.0.0.1:0";

pub(crate) fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "tool-*", "namespaces = [\"file\"]")
}

/// Has a key host dial this, and listen nowhere.
pub(crate) fn dial(host: &KeyHost, relays: &[&str]) {
    let config = host.read("signer.toml");
    host.write("signer.toml", &config.replacen("listen = \"127.0.0.1:0\"", &format!("dial = {relays:?}"), 1));
}

/// A key host without a port, a relay, and a publisher that has the relay as its endpoint.
fn through_a_relay(options: &[&str]) -> (KeyHost, Relay, Publisher) {
    let mut host = setup().make();
    let relay = Relay::start(&[&host], &[ANY], options);
    dial(&host, &[relay.signer()]);
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    (host, relay, publisher)
}

pub(crate) fn command(publisher: &Publisher, name: &str, timeout: &str) -> Command {
    let path = publisher.dir().join(name);
    fs::write(&path, format!("content of {name}")).unwrap();
    let mut command = publisher.chancery(&["sign", "--key", "tarballs", "--as", "sshsig", "--timeout", timeout]);
    command.arg(path);
    command
}

pub(crate) fn sign(publisher: &Publisher, name: &str) -> Output {
    run(&mut command(publisher, name, "60"))
}

/// How many entries the log has of requests that were granted.
fn signed(host: &mut KeyHost) -> usize {
    // An entry may be published a little after its signature was given out, but before the end.
    assert_eq!(host.stop(), Some(0));
    let list = run(&mut host.chanceryd_plain(&["log", "disclose", "0.."])).stdout;
    list.lines().filter(|line| line.contains("tool-")).count()
}

#[test]
fn a_publisher_signs_through_a_relay_and_nothing_listens_on_the_key_host() {
    let (host, mut relay, publisher) = through_a_relay(&[]);
    // More than are parked at a time.
    for n in 0..6 {
        let said = sign(&publisher, &format!("tool-{n}")).ok().stdout;
        assert!(said.contains("key tarballs version 1"), "{said}");
    }
    let listening = fs::read_to_string(format!("/proc/{}/net/tcp", host.gateway_pid())).unwrap();
    let inodes: Vec<String> = fs::read_dir(format!("/proc/{}/fd", host.gateway_pid()))
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.unwrap().path()).ok()?.to_str()?.strip_prefix("socket:[")?.strip_suffix(']').map(str::to_owned))
        .collect();
    for line in listening.lines().filter(|l| l.split_whitespace().nth(3) == Some("0A")) {
        let inode = line.split_whitespace().nth(9).unwrap();
        assert!(!inodes.iter().any(|i| i == inode), "the gateway listens: {line}");
    }
    assert_eq!(relay.stop(), Some(0));
}

#[test]
fn what_a_relay_carries_is_not_to_be_read() {
    let (_host, relay, publisher) = through_a_relay(&[]);
    let proxy = Proxy::start(relay.client(0));
    publisher.point_at(&format!("https://{}", proxy.address()));
    let _ = sign(&publisher, "tool-secret-name").ok();
    let passed = proxy.passed();
    assert!(passed.len() > 2000, "{} bytes", passed.len());
    for word in ["tool-secret-name", "tarballs", "publisher/web1", "tool-", "sshsig"] {
        assert!(!passed.windows(word.len()).any(|w| w == word.as_bytes()), "{word} can be read");
    }
}

#[test]
fn a_relay_that_was_killed_comes_back_and_the_next_signature_is_made() {
    let (_host, mut relay, publisher) = through_a_relay(&[]);
    let _ = sign(&publisher, "tool-1").ok();
    relay.kill();
    let _ = run(&mut command(&publisher, "tool-2", "1")).failed(3, &relay.endpoint(0));
    relay.start_again();
    let _ = sign(&publisher, "tool-2").ok();
}

#[test]
fn a_client_that_waits_for_a_key_host_gets_its_signature_once() {
    let (mut host, _relay, publisher) = through_a_relay(&["--wait", "0.5"]);
    let _ = sign(&publisher, "tool-1").ok();
    assert_eq!(host.stop(), Some(0));
    let said = run(&mut command(&publisher, "tool-2", "2"));
    let _ = said.failed(3, "no key host is parked there");
    let waiting = command(&publisher, "tool-2", "60").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    host.serve();
    let output = waiting.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(signed(&mut host), 2, "each request is one entry");
}

#[test]
fn parked_connections_that_the_network_lost_are_not_handed_out() {
    let mut host = setup().config("keepalive_timeout = \"10 s\"", "keepalive_timeout = \"500 ms\"").make();
    let relay = Relay::start(&[&host], &[ANY], &["--ping-interval", "1", "--answer-timeout", "0.3"]);
    let proxy = Proxy::start(relay.signer());
    dial(&host, &[proxy.address()]);
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    let _ = sign(&publisher, "tool-1").ok();
    let before = proxy.count();
    proxy.lose();
    let _ = sign(&publisher, "tool-2").ok();
    assert!(proxy.count() > before, "the key host has dialled again");
    let lost = proxy.lost();
    // A ping, an open and the end of TLS, in both directions, are below it; the first message of a client is above it.
    assert!(lost.iter().all(|bytes| *bytes < 250), "{lost:?}");
}

/// What a party with these files can say to the relay: its greeting is answered only if it may park.
pub(crate) fn may_park(relay: &Relay, ca: &Path, identity: Option<(&Path, &Path)>) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let mut config = match identity {
        Some((certificate, key)) => builder
            .with_client_auth_cert(vec![CertificateDer::from_pem_file(certificate).unwrap()], PrivateKeyDer::from_pem_file(key).unwrap())
            .unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.alpn_protocols.push(b"chancery-relay/1".to_vec());
    block_on(async {
        let tcp = TcpStream::connect(relay.signer()).await.unwrap();
        let name = ServerName::try_from("localhost.relay.chancery.internal").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
        let mut greeting = [0; 8];
        let said = stream.write_all(&[1, 1, 0, 0, 0, 0, 0, 0]).await;
        let answered = tokio::time::timeout(Duration::from_secs(20), stream.read_exact(&mut greeting)).await.unwrap();
        said.is_ok() && answered.is_ok()
    })
}

#[test]
fn only_key_hosts_of_the_relays_authority_may_park() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    let relay = Relay::start(&[&host], &[ANY], &[]);
    let other = setup().make();
    let pki = |host: &KeyHost, file: &str| host.dir().join("pki").join(file);
    let ca = pki(&host, "ca.crt");
    let certificate = publisher.dir().join("web1.crt");
    fs::write(&certificate, publisher.field("certificate")).unwrap();
    assert!(may_park(&relay, &ca, Some((&pki(&host, "server.crt"), &pki(&host, "server.key")))));
    assert!(!may_park(&relay, &ca, None), "nobody in particular");
    assert!(!may_park(&relay, &ca, Some((&certificate, &publisher.dir().join("web1.key")))), "a publisher");
    assert!(!may_park(&relay, &ca, Some((&pki(&other, "server.crt"), &pki(&other, "server.key")))), "another key host");
    let profile = publisher.profile().to_str().unwrap();
    let mut wrong = Command::new(chancery_tests::program("chancery"));
    let _ = run(wrong.args(["relay", "--listen-signer", ANY, "--profile", profile])).failed(2, "--role relay");
}

#[test]
fn a_key_host_does_not_park_at_a_relay_of_another_authority() {
    let mut host = setup().make();
    let other = setup().make();
    let relay = Relay::start(&[&other], &[ANY], &["--wait", "0.3"]);
    dial(&host, &[relay.signer()]);
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    let _ = run(&mut command(&publisher, "tool-1", "2")).failed(3, "no key host is parked there");
    assert_eq!(signed(&mut host), 0);
}

#[test]
fn a_front_of_a_relay_leads_to_the_key_host_that_it_names() {
    let mut first = setup().make();
    let mut second = setup().named("signer-b.example").make();
    let fronts = ["127.0.0.1:0=localhost", "127.0.0.1:0=signer-b.example@signer-b.example"];
    let relay = Relay::start(&[&first, &second], &fronts, &[]);
    for host in [&mut first, &mut second] {
        dial(host, &[relay.signer()]);
        host.serve();
    }
    for (n, (host, name)) in [(&first, "localhost"), (&second, "signer-b.example")].into_iter().enumerate() {
        let publisher = host.publisher("web1");
        publisher.point_at(&relay.endpoint(n));
        publisher.set("server_name", name);
        let _ = sign(&publisher, "tool-1").ok();
        publisher.point_at(&relay.endpoint(1 - n));
        let _ = run(&mut command(&publisher, "tool-2", "5")).failed(3, "not made by the authority");
    }
    for host in [&mut first, &mut second] {
        assert_eq!(signed(host), 1);
    }
}

#[test]
fn a_key_host_of_another_authority_does_not_get_clients_by_the_name_in_its_certificate() {
    let mut own = setup().make();
    let mut other = setup().named("signer-b.example");
    other.names.push("localhost".to_owned());
    let mut other = other.make();
    let fronts = [ANY, "127.0.0.1:0=localhost", "127.0.0.1:0=localhost@signer-b.example"];
    let relay = Relay::start(&[&own, &other], &fronts, &["--metrics", ANY, "--wait", "0.3"]);
    dial(&other, &[relay.signer()]);
    other.serve();
    let _ = relay_until(&relay, &own, |of| of("parked{key_host=signer-b.example@signer-b.example}") == 4.0);
    let publishers = [&own, &other].map(|host| host.publisher_of("web1", "https://127.0.0.1:1"));
    let through = |who: usize, front: usize| {
        publishers[who].point_at(&relay.endpoint(front));
        publishers[who].set("server_name", "localhost");
        run(&mut command(&publishers[who], &format!("tool-{who}-{front}"), "10"))
    };
    for front in [0, 1] {
        publishers[0].point_at(&relay.endpoint(front));
        let _ = run(&mut command(&publishers[0], "tool-1", "1")).failed(3, "no key host is parked there");
    }
    let _ = through(1, 2).ok();
    dial(&own, &[relay.signer()]);
    own.serve();
    let _ = relay_until(&relay, &own, |of| of("parked{key_host=localhost}") == 4.0);
    let _ = through(0, 0).ok();
    let _ = through(0, 1).ok();
    let _ = through(1, 2).ok();
    let mut wrong = relay.command();
    let _ = run(wrong.args(["--listen", "127.0.0.1:0=localhost@signer-c.example"])).failed(2, "no profile is of the trust domain");
    assert_eq!((signed(&mut own), signed(&mut other)), (2, 2));
}

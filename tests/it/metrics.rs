//! The numbers of key host and relay, read by the reader of another project.

use crate::relay;
use crate::wire::{block_on, digest_header, sign};
use chancery_tests::{Answer, KeyHost, Relay, Setup, http, run, skipped};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

/// Prints each sample as a line; strict, so that it fails for what is not OpenMetrics.
const READER: &str = "
import sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
for family in text_string_to_metric_families(open(sys.argv[1]).read()):
    for s in family.samples:
        print(s.name + '{' + ','.join(k + '=' + v for k, v in sorted(s.labels.items()) if v) + '}', s.value)
";

fn setup() -> Setup {
    Setup::new()
        .key("tarballs", "sshsig")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .config("[keeper]\n", "[metrics]\nlisten = \"127.0.0.1:0\"\n\n[keeper]\n")
}

fn address(host: &KeyHost) -> String {
    let line = host.wait_said(0, "metrics are at");
    line.split("at=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// All samples, as the other project's reader understands them; ours, where that is skipped.
fn samples(host: &KeyHost) -> BTreeMap<String, f64> {
    read(host, http("GET", &address(host), "/metrics", ""))
}

fn read(beside: &KeyHost, answer: Answer) -> BTreeMap<String, f64> {
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    let text = if skipped("prometheus-client") {
        answer.body
    } else {
        let file = beside.temp().join("metrics");
        std::fs::write(&file, answer.body).unwrap();
        run(Command::new("/usr/bin/python3").args(["-c", READER]).arg(file)).ok().stdout
    };
    let sample = |line: &str| line.rsplit_once(' ').map(|(name, value)| (name.to_owned(), value.parse().unwrap()));
    text.lines().filter(|l| !l.starts_with('#')).filter_map(sample).collect()
}

#[test]
fn another_projects_reader_takes_the_numbers_and_they_are_true() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        for n in 0..3 {
            sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]).await.unwrap();
        }
        sign(channel.clone(), digest_header("tarballs", "other", 4), vec![]).await.unwrap_err();
        sign(channel.clone(), digest_header("no-such-key", "prod", 5), vec![]).await.unwrap_err();
        sign(channel.clone(), digest_header("tarballs", "", 6), vec![]).await.unwrap_err();
        assert!(publisher.endpoint("https://127.0.0.1:1").connect().await.is_err());
        host.write("policy.toml", "wrong");
        let _ = host.reload();
        // What is said of a reload is said before it is counted.
        let refused = "chancery_reloads_total{outcome=refused,what=policy}";
        let found = std::iter::repeat_with(|| samples(&host)).find(|s| skipped("prometheus-client") || s.contains_key(refused)).unwrap();
        let is = |name: &str, value: f64| assert_eq!(found.get(name), Some(&value), "{name}: {found:#?}");
        if skipped("prometheus-client") {
            return;
        }
        is("chancery_requests_total{construction=sshsig,key=tarballs,outcome=signed}", 3.0);
        is("chancery_requests_total{construction=sshsig,key=tarballs,outcome=refused,reason=subject-not-granted}", 1.0);
        is("chancery_requests_total{construction=sshsig,key=other,outcome=refused,reason=key-not-granted}", 1.0);
        is("chancery_requests_malformed_total{}", 1.0);
        is("chancery_request_duration_seconds_count{construction=sshsig}", 5.0);
        is("chancery_record_duration_seconds_count{}", 5.0);
        is("chancery_sign_duration_seconds_bucket{le=+Inf}", 5.0);
        is("chancery_batch_entries_bucket{le=1.0}", 5.0);
        is("chancery_connections{}", 1.0);
        is("chancery_keeper_up{}", 1.0);
        is("chancery_open_keys{}", 1.0);
        is("chancery_reloads_total{outcome=done,what=certificates}", 1.0);
        is(refused, 1.0);
        assert!(found["chancery_log_entries{}"] >= 8.0, "start, policy, key, and five requests");
        let end = found["chancery_certificate_expiry_timestamp_seconds{file=server_certificate}"];
        assert!(end > 2_000_000_000.0, "ten years from now: {end}");
    });
}

#[test]
fn a_keeper_that_hangs_is_told_in_time_and_nothing_else_is_served_there() {
    let host = setup().start();
    let keeper = host.keeper_pid();
    KeyHost::signal(keeper, Signal::STOP);
    let answer = http("GET", &address(&host), "/metrics", "");
    KeyHost::signal(keeper, Signal::CONT);
    let found = read(&host, answer);
    assert_eq!(found.get("chancery_keeper_up{}").or(found.get("chancery_keeper_up")), Some(&0.0));
    for (method, path) in [("GET", "/"), ("POST", "/metrics"), ("GET", "/metrics/../../etc/passwd")] {
        assert_eq!(http(method, &address(&host), path, "").status, 404, "{method} {path}");
    }
}

#[test]
fn numbers_are_for_this_machine_alone() {
    let mut host = setup().config("127.0.0.1:0\"\n\n[keeper]", "0.0.0.0:9464\"\n\n[keeper]").make();
    let said = host.try_serve().unwrap_err();
    assert!(said.contains("signer.toml:") && said.contains("an address of this machine alone"), "{said}");
}

#[test]
fn numbers_come_over_a_socket_and_as_a_file_and_say_which_layers_hold() {
    let mut host = setup().make();
    let socket = host.temp().join("metrics.sock");
    let config = host.read("signer.toml").replace("\"127.0.0.1:0\"\n\n[keeper]", &format!("\"unix:{}\"\n\n[keeper]", socket.display()));
    host.write("signer.toml", &config);
    let _ = run(&mut host.chanceryd_plain(&["metrics"])).failed(1, "nobody answers at unix:");
    // What a gateway before this one left.
    drop(UnixListener::bind(&socket).unwrap());
    host.serve();
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o660);
    let file = host.temp().join("chancery.prom");
    std::fs::write(&file, "old").unwrap();
    let _ = run(host.chanceryd_plain(&["metrics"]).arg("--to").arg(&file)).ok();
    let text = std::fs::read_to_string(&file).unwrap();
    let found = read(&host, Answer { status: 200, headers: String::new(), body: text.clone() });
    assert!(found.keys().any(|name| name.starts_with("chancery_keeper_up")) && text.contains("\nchancery_keeper_up 1\n"), "{text}");
    for process in ["gateway", "keeper"] {
        let sealed = format!("chancery_cell_layer{{process=\"{process}\",layer=\"seccomp\"}} 1");
        assert!(text.contains(&sealed), "{text}");
    }
    let printed = run(&mut host.chanceryd_plain(&["metrics"])).ok().stdout;
    assert!(printed.starts_with("# HELP ") && printed.ends_with("# EOF\n"), "{printed}");
    assert_eq!(host.stop(), Some(0));
    std::fs::remove_file(&socket).unwrap();
    std::fs::write(&socket, "somebody's").unwrap();
    let said = host.try_serve().unwrap_err();
    assert!(said.contains("for metrics; choose another place"), "{said}");
    assert_eq!(std::fs::read_to_string(&socket).unwrap(), "somebody's");
}

/// Asks a relay until its numbers are such.
pub(crate) fn relay_until(relay: &Relay, beside: &KeyHost, are: impl Fn(&dyn Fn(&str) -> f64) -> bool) -> BTreeMap<String, f64> {
    let start = Instant::now();
    loop {
        let found = read(beside, http("GET", relay.metrics(), "/metrics", ""));
        let of = |name: &str| found.get(&format!("chancery_relay_{name}")).copied().unwrap_or(-1.0);
        if skipped("prometheus-client") || are(&of) {
            return found;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{found:#?}");
    }
}

#[test]
fn a_relays_numbers_say_who_is_parked_who_waits_and_what_was_carried() {
    let mut host = relay::setup().make();
    let options = ["--metrics", "127.0.0.1:0", "--wait", "60", "--ping-interval", "0.2"];
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &options);
    let mut client = TcpStream::connect(relay.client(0)).unwrap();
    client.write_all(&[0x16]).unwrap();
    let found = relay_until(&relay, &host, |of| of("clients_waiting{}") == 1.0);
    assert!(!found.keys().any(|name| name.contains("key_host=")), "nobody was heard of yet: {found:#?}");
    relay::dial(&host, &[relay.signer()]);
    host.serve();
    let _ = relay_until(&relay, &host, |of| of("clients_waiting{}") == 0.0 && of("clients{}") == 1.0);
    client.write_all(b"no TLS").unwrap();
    let _ = client.read_to_end(&mut Vec::new());
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    for n in 0..3 {
        let _ = relay::sign(&publisher, &format!("tool-{n}")).ok();
    }
    let all = |of: &dyn Fn(&str) -> f64| {
        of("clients{}") == 0.0
            && of("parked{key_host=localhost}") == 4.0
            && of("handed_out_total{key_host=localhost}") == 4.0
            && of("carried_bytes_total{to=key_host}") > 3000.0
            && of("carried_bytes_total{to=client}") > 3000.0
            && (0.0..10.0).contains(&of("key_host_silent_seconds{key_host=localhost}"))
    };
    let _ = relay_until(&relay, &host, all);
    assert_eq!(host.stop(), Some(0));
    let gone = |of: &dyn Fn(&str) -> f64| of("parked{key_host=localhost}") == 0.0 && of("parked_lost_total{why=broken}") == 4.0;
    let before = relay_until(&relay, &host, gone);
    let age = "chancery_relay_key_host_silent_seconds{key_host=localhost}";
    let _ = relay_until(&relay, &host, |of| of("key_host_silent_seconds{key_host=localhost}") > before[age] + 0.5);
}

#[test]
fn who_is_sent_away_or_may_not_park_is_counted_and_told_once_a_minute() {
    let host = relay::setup().make();
    let other = relay::setup().make();
    let publisher = host.publisher_of("web1", "https://127.0.0.1:1");
    let options = ["--metrics", "127.0.0.1:0", "--wait", "0.1"];
    let mut relay = Relay::start(&[&host], &["127.0.0.1:0", "127.0.0.1:0=signer-b.example"], &options);
    for n in [0, 1, 1] {
        let mut client = TcpStream::connect(relay.client(n)).unwrap();
        client.write_all(&[0x16]).unwrap();
        let _ = client.read_to_end(&mut Vec::new());
    }
    for _ in 0..20 {
        let mut stranger = TcpStream::connect(relay.signer()).unwrap();
        stranger.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
        let _ = stranger.read_to_end(&mut Vec::new());
    }
    let pki = |host: &KeyHost, file: &str| host.dir().join("pki").join(file);
    let ca = pki(&host, "ca.crt");
    let certificate = publisher.dir().join("web1.crt");
    std::fs::write(&certificate, publisher.field("certificate")).unwrap();
    assert!(!relay::may_park(&relay, &ca, None));
    assert!(!relay::may_park(&relay, &ca, Some((&pki(&other, "server.crt"), &pki(&other, "server.key")))));
    assert!(!relay::may_park(&relay, &ca, Some((&certificate, &publisher.dir().join("web1.key")))));
    let _ = relay_until(&relay, &host, |of| {
        of("refused_total{key_host=any}") == 1.0
            && of("refused_total{key_host=signer-b.example}") == 2.0
            && of("dials_refused_total{why=handshake-failed}") == 20.0
            && of("dials_refused_total{why=not-authenticated}") == 2.0
            && of("dials_refused_total{why=not-a-key-host}") == 1.0
    });
    assert_eq!(relay.stop(), Some(0));
    let said = relay.said();
    let lines = |words: &[&str]| said.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    let closed = "a connection of the parked side was closed";
    for (reason, more) in [("handshake-failed", 19), ("not-authenticated", 1)] {
        assert_eq!(lines(&[closed, &format!("reason=\"{reason}\"")]), 1, "{said}");
        assert_eq!(lines(&["told once a minute", reason, &format!("more={more} ")]), 1, "{said}");
    }
    assert_eq!(lines(&["no key host is parked"]), 1, "{said}");
}

#[test]
fn a_relay_gives_its_numbers_to_its_own_machine_alone() {
    let mut command = Command::new(chancery_tests::program("chancery"));
    let _ = run(command.args(["relay", "--metrics", "0.0.0.0:9465"])).failed(2, "an address of this machine alone");
}

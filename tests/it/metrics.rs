//! The key host's numbers, read by the reader of another project.

use crate::wire::{block_on, digest_header, sign};
use chancery_tests::{Answer, KeyHost, Setup, http, run, skipped};
use rustix::process::Signal;
use std::collections::BTreeMap;
use std::process::Command;

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
    line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned()
}

/// All samples, as the other project's reader understands them; ours, where that is skipped.
fn samples(host: &KeyHost) -> BTreeMap<String, f64> {
    read(host, http("GET", &address(host), "/metrics", ""))
}

fn read(host: &KeyHost, answer: Answer) -> BTreeMap<String, f64> {
    assert_eq!(answer.status, 200);
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
    let text = if skipped("prometheus-client") {
        answer.body
    } else {
        let file = host.temp().join("metrics");
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
        let found = samples(&host);
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
        is("chancery_reloads_total{outcome=refused,what=policy}", 1.0);
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

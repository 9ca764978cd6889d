//! What hangs behind the log: whoever takes entries from it and stops.

use crate::auditor::{audit, size};
use crate::wire::{block_on, digest_header, sign};
use chancery_tests::{Setup, program};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const REQUESTS: u64 = 200;
/// What takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(30);

struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn until(what: &str, is: impl Fn() -> bool) {
    let start = Instant::now();
    while !is() {
        assert!(start.elapsed() < PATIENCE, "{what}");
        std::thread::yield_now();
    }
}

/// How many entries were handed on, as the exporter's metrics say.
fn handed_on(metrics: &Path) -> u64 {
    let text = fs::read_to_string(metrics).unwrap_or_default();
    let number = text.lines().find_map(|line| line.strip_prefix("chancery_audit_followed_entries "));
    number.map_or(0, |number| number.parse().unwrap())
}

#[test]
fn an_exporter_that_hangs_keeps_no_signature_back_and_loses_nothing() {
    let host = Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]").start();
    let publisher = host.publisher("web1");
    let (state, metrics) = (host.temp().join("siem.checkpoint"), host.temp().join("siem.prom"));
    let mut follow = Command::new(program("chancery-audit"));
    follow.arg("follow").arg(host.public()).args(["--vkey", &host.vkey(), "--from", "0", "--interval", "1"]);
    follow.arg("--state").arg(&state).arg("--prometheus").arg(&metrics);
    let mut following = Following(follow.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let pipe = following.0.stdout.take().unwrap();
    until("the first entries are not handed on", || handed_on(&metrics) > 0);
    let before = handed_on(&metrics);

    let asks = |from: u64| {
        block_on(async {
            let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
            for n in from..from + REQUESTS {
                let signed = timeout(Duration::from_secs(5), sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]));
                signed.await.expect("a signature waits for the exporter").unwrap();
            }
        });
    };
    asks(0);
    // More than a pipe holds: the exporter is in write(2) to it, and stays there.
    let pid = following.0.id();
    let writes = format!("{} 0x1 ", libc::SYS_write);
    until("the exporter does not hang", || fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap().starts_with(&writes));
    asks(REQUESTS);
    until("the log is not published", || size(&host.public()) >= before + 2 * REQUESTS);
    let all = size(&host.public());
    assert!(fs::read_to_string(format!("/proc/{pid}/syscall")).unwrap().starts_with(&writes), "it hangs still");
    assert!(handed_on(&metrics) < before + REQUESTS, "its metrics show that it lags behind the {all} entries of the log");
    let _ = audit(&host.public(), &host.vkey(), None).ok();

    // Somebody reads again.
    let lines = BufReader::new(pipe).lines().take(all as usize);
    let ids: Vec<String> =
        lines.map(|line| serde_json::from_str::<serde_json::Value>(&line.unwrap()).unwrap()["id"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<String> = (0..all).map(|n| format!("localhost/requests#{n}")).collect();
    assert_eq!(ids, expected, "each entry once, in order");
    until("the metrics do not catch up", || handed_on(&metrics) >= all);
}

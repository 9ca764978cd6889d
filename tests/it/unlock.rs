//! A key host that starts with locked keys.

use crate::wire::{assert_refused, block_on, digest_header, sign};
use chancery_tests::{KeyHost, Publisher, Setup, run};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, ChildStdout, Stdio};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

fn host() -> KeyHost {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]").make()
}

/// A gateway that waits for the passphrase, and how it is reached.
struct Waiting {
    gateway: Child,
    out: BufReader<ChildStdout>,
    endpoint: String,
}

impl Waiting {
    fn start(host: &KeyHost) -> Self {
        let mut serve = host.chanceryd_plain(&["serve", "--locked"]);
        let mut gateway = serve.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(gateway.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("chanceryd locked on ").unwrap_or_else(|| panic!("{line}"));
        Self { endpoint: format!("https://{address}"), gateway, out }
    }

    fn ready(&mut self) {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert_eq!(line.trim(), format!("chanceryd ready on {}", self.endpoint.trim_start_matches("https://")));
    }

    fn end(mut self) {
        KeyHost::signal(self.gateway.id(), Signal::TERM);
        assert!(self.gateway.wait().unwrap().success());
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.gateway.kill();
        let _ = self.gateway.wait();
    }
}

async fn health(publisher: &Publisher, endpoint: &str, key: &str) -> Result<ServingStatus, tonic::Status> {
    let channel = publisher.connections(endpoint, 1).await.remove(0);
    let answer: HealthCheckResponse = HealthClient::new(channel).check(HealthCheckRequest { service: key.to_owned() }).await?.into_inner();
    Ok(answer.status())
}

#[test]
fn a_locked_key_host_says_so_and_signs_once_an_operator_brings_the_passphrase() {
    let host = host();
    let mut waiting = Waiting::start(&host);
    let publisher = host.publisher_of("web1", &waiting.endpoint);
    block_on(async {
        assert_eq!(health(&publisher, &waiting.endpoint, "").await.unwrap(), ServingStatus::NotServing);
        let channel = publisher.connections(&waiting.endpoint, 1).await.remove(0);
        let refused = sign(channel, digest_header("tarballs", "prod", 1), vec![]).await;
        let refusal = assert_refused(refused, Code::Unavailable, "locked", "chanceryd key unlock");
        assert!(refusal.retry, "{refusal:?}");
    });
    let status = run(&mut publisher.chancery(&["status", "--timeout", "5"]));
    assert_ne!(status.code, 0, "{status:#?}");
    assert!(status.stderr.contains("chanceryd key unlock"), "{status:#?}");

    let wrong = host.temp().join("wrong");
    fs::write(&wrong, "not the passphrase").unwrap();
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o600)).unwrap();
    let refused = run(host.chanceryd_plain(&["key", "unlock"]).arg("--passphrase-file").arg(&wrong));
    assert_eq!(refused.code, 1, "{refused:#?}");
    assert!(refused.stderr.contains("the keys stay locked: the passphrase is wrong"), "{refused:#?}");

    let unlock = || run(host.chanceryd_plain(&["key", "unlock"]).arg("--passphrase-file").arg(host.passphrase_file()));
    assert_eq!(unlock().ok().stdout, "the keys are open\n");
    waiting.ready();
    block_on(async {
        assert_eq!(health(&publisher, &waiting.endpoint, "tarballs").await.unwrap(), ServingStatus::Serving);
        let channel = publisher.connections(&waiting.endpoint, 1).await.remove(0);
        sign(channel, digest_header("tarballs", "prod", 1), vec![]).await.unwrap();
    });
    let late = unlock();
    assert_eq!(late.code, 1, "{late:#?}");
    assert!(late.stderr.contains("its keys are open already"), "{late:#?}");
    waiting.end();
}

#[test]
fn a_locked_key_host_stops_at_once_and_leaves_no_keeper_behind() {
    let host = host();
    Waiting::start(&host).end();

    let mut waiting = Waiting::start(&host);
    let pid = waiting.gateway.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let keeper = children.split_whitespace().next().expect("the gateway has no child").parse().unwrap();
    waiting.gateway.kill().unwrap();
    KeyHost::wait_gone(keeper);
}

#[test]
fn who_is_revoked_while_the_keys_are_locked_has_no_service_afterwards() {
    let host = host();
    let mut waiting = Waiting::start(&host);
    let publisher = host.publisher_of("web1", &waiting.endpoint);
    let _ = run(&mut host.chanceryd_plain(&["revoke", "web1", "--role", "publisher"])).ok();
    KeyHost::signal(waiting.gateway.id(), Signal::HUP);
    let _ = run(host.chanceryd_plain(&["key", "unlock"]).arg("--passphrase-file").arg(host.passphrase_file())).ok();
    waiting.ready();
    block_on(async {
        let attempt = async {
            let channel = publisher.endpoint(&waiting.endpoint).connect().await.ok()?;
            sign(channel, digest_header("tarballs", "prod", 1), vec![]).await.ok()
        };
        assert!(attempt.await.is_none(), "a revoked certificate is served");
    });
    waiting.end();
}

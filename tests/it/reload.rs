//! What is replaced while the key host serves: certificates, revocations, policy. Calls go on meanwhile.

use crate::ledger::leaves;
use crate::wire::{assert_refused, block_on, digest_header, sign};
use chancery_tests::{KeyHost, Publisher, Setup, run};
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use tonic::Code;
use tonic::transport::Channel;

fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]").grant(
        "web2",
        "tarballs",
        &["sshsig"],
        "prod",
        "namespaces = [\"file\"]",
    )
}

async fn connect(host: &KeyHost, publisher: &Publisher) -> Channel {
    publisher.connections(&host.endpoint(), 1).await.remove(0)
}

/// Signs without end on one connection; counts what was signed, and keeps what failed.
struct Load {
    stop: Arc<AtomicBool>,
    signed: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<Option<tonic::Status>>,
}

impl Load {
    fn start(channel: Channel, first: u64) -> Self {
        let (stop, signed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (stopping, counting) = (Arc::clone(&stop), Arc::clone(&signed));
        let task = tokio::spawn(async move {
            while !stopping.load(Ordering::Relaxed) {
                let n = first + counting.fetch_add(1, Ordering::Relaxed);
                if let Err(status) = sign(channel.clone(), digest_header("tarballs", "prod", n), vec![]).await {
                    return Some(status);
                }
            }
            None
        });
        Self { stop, signed, task }
    }

    async fn more(&self, n: u64) {
        let until = self.signed.load(Ordering::Relaxed) + n;
        while self.signed.load(Ordering::Relaxed) < until && !self.task.is_finished() {
            tokio::task::yield_now().await;
        }
    }

    async fn finish(self) {
        self.stop.store(true, Ordering::Relaxed);
        let failed = self.task.await.unwrap();
        assert!(failed.is_none(), "a call failed: {failed:?}");
    }
}

#[test]
fn a_revoked_certificate_is_refused_at_once_on_a_connection_that_stands() {
    let host = setup().start();
    let (web1, web2) = (host.publisher("web1"), host.publisher("web2"));
    block_on(async {
        let (one, two) = (connect(&host, &web1).await, connect(&host, &web2).await);
        sign(one.clone(), digest_header("tarballs", "prod", 1), vec![]).await.unwrap();
        let load = Load::start(two, 1000);
        load.more(20).await;
        let said = run(&mut host.chanceryd_plain(&["revoke", "web1", "--role", "publisher"])).ok();
        assert!(said.stdout.contains("clients.crl has 1"), "{said:?}");
        sign(one.clone(), digest_header("tarballs", "prod", 2), vec![]).await.expect("it counts from the reload on");
        let [certificates, policy] = host.reload();
        assert!(certificates.contains("reloaded") && policy.contains("the same as before"), "{certificates} {policy}");
        let refused = sign(one.clone(), digest_header("tarballs", "prod", 3), vec![]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated);
        assert!(refused.message().contains("revoked"), "{refused}");
        let again = web1.endpoint(&host.endpoint()).connect().await;
        let refused = match again {
            Err(_) => true,
            Ok(channel) => sign(channel, digest_header("tarballs", "prod", 4), vec![]).await.is_err(),
        };
        assert!(refused, "nor may it connect again");
        load.more(20).await;
        load.finish().await;
    });
    let again = host.publisher("web3");
    let one = run(host.chanceryd_plain(&["revoke", "--json"]).arg("--certificate").arg(again.profile())).ok();
    assert!(one.stdout.contains("\"revoked\":2"), "a second list holds the first: {one:?}");
    let twice = run(host.chanceryd_plain(&["revoke"]).arg("--certificate").arg(again.profile())).ok();
    assert!(twice.stdout.contains("revoked nothing new"), "{twice:?}");
    let _ =
        run(&mut host.chanceryd_plain(&["revoke", "nobody", "--role", "publisher"])).failed(1, "has no certificate of publisher/nobody");
}

#[test]
fn the_list_of_revoked_certificates_is_one_that_openssl_verifies() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    let _ = run(host.chanceryd_plain(&["revoke"]).arg("--certificate").arg(publisher.profile())).ok();
    let Some(mut openssl) = chancery_tests::tool("openssl") else { return };
    let pki = host.dir().join("pki");
    let _ = openssl.args(["crl", "-noout", "-verify", "-text", "-in"]).arg(pki.join("clients.crl")).arg("-CAfile").arg(pki.join("ca.crt"));
    let said = run(&mut openssl).ok();
    assert!(said.stderr.contains("verify OK") && said.stdout.contains("Serial Number"), "{said:?}");
    fs::write(host.temp().join("web1.crt"), publisher.field("certificate")).unwrap();
    let mut verify = chancery_tests::tool("openssl").unwrap();
    let _ = verify.args(["verify", "-crl_check", "-CAfile"]).arg(pki.join("ca.crt")).arg("-CRLfile").arg(pki.join("clients.crl"));
    let _ = run(verify.arg(host.temp().join("web1.crt"))).failed(2, "certificate revoked");
}

#[test]
fn another_policy_comes_into_force_while_calls_go_on_and_is_recorded_first() {
    let mut host = setup().start();
    let (web1, web2) = (host.publisher("web1"), host.publisher("web2"));
    let policy = host.read("policy.toml");
    block_on(async {
        let (one, two) = (connect(&host, &web1).await, connect(&host, &web2).await);
        let load = Load::start(two, 1000);
        load.more(20).await;
        host.write("policy.toml", "[[grant]]\nprincipal = 1\n");
        let [_, told] = host.reload();
        assert!(told.contains("not reloaded"), "{told}");
        assert!(host.wait_said(0, "policy.toml:2").contains("the one before stays in force"));
        sign(one.clone(), digest_header("tarballs", "prod", 1), vec![]).await.expect("what was in force stays");
        let only_web2 = policy.split_once("[[grant]]").unwrap().1.split_once("[[grant]]").unwrap().1;
        host.write("policy.toml", &format!("[[grant]]{only_web2}"));
        let [_, told] = host.reload();
        assert!(told.contains("another one now"), "{told}");
        let refused = sign(one.clone(), digest_header("tarballs", "prod", 2), vec![]).await;
        let _ = assert_refused(refused, Code::PermissionDenied, "no-grant", "web1");
        load.more(20).await;
        load.finish().await;
    });
    host.stop();
    let leaves = leaves(&host.public(), &host.vkey());
    let changed = leaves.iter().position(|l| l.reason.as_ref().is_some_and(|r| r.as_str() == "reloaded")).expect("the change is recorded");
    let (before, new) = (leaves[0].policy, leaves[changed].policy);
    assert_ne!(before, new);
    assert!(leaves[..changed].iter().all(|l| l.policy == before), "nothing is decided by a policy that is not recorded yet");
    assert!(leaves.iter().any(|l| l.kind.as_str() == "deny" && l.policy == new));
}

#[test]
fn another_server_certificate_and_client_ca_are_taken_while_calls_go_on() {
    let host = setup().start();
    let (web1, web2) = (host.publisher("web1"), host.publisher("web2"));
    let other = setup().make();
    let files = ["ca.crt", "server.crt", "server.key", "clients.crl"];
    let old: Vec<_> = files.iter().map(|name| fs::read(host.dir().join("pki").join(name)).unwrap()).collect();
    block_on(async {
        let (one, two) = (connect(&host, &web1).await, connect(&host, &web2).await);
        let load = Load::start(two, 1000);
        load.more(20).await;
        // A server certificate and a CA beside the old one: both clients stay welcome.
        for name in files {
            fs::copy(other.dir().join("pki").join(name), host.dir().join("pki").join(name)).unwrap();
        }
        let both = |name: &str, old: &[u8]| [fs::read(other.dir().join("pki").join(name)).unwrap(), old.to_vec()].concat();
        fs::write(host.dir().join("pki/ca.crt"), both("ca.crt", &old[0])).unwrap();
        fs::write(host.dir().join("pki/clients.crl"), both("clients.crl", &old[3])).unwrap();
        let _ = host.reload();
        sign(one.clone(), digest_header("tarballs", "prod", 1), vec![]).await.unwrap();
        load.more(20).await;
        load.finish().await;
        // The old CA alone, with a server key that does not fit: nothing of it is taken.
        fs::write(host.dir().join("pki/server.key"), &old[2]).unwrap();
        let [told, _] = host.reload();
        assert!(told.contains("not reloaded"), "{told}");
        sign(one.clone(), digest_header("tarballs", "prod", 2), vec![]).await.unwrap();
        // The new CA alone: who has a certificate of the old one is refused, on its standing connection too.
        for name in files {
            fs::copy(other.dir().join("pki").join(name), host.dir().join("pki").join(name)).unwrap();
        }
        let _ = host.reload();
        let refused = sign(one.clone(), digest_header("tarballs", "prod", 3), vec![]).await.unwrap_err();
        assert_eq!(refused.code(), Code::Unauthenticated, "{refused}");
    });
}

#[test]
fn more_is_said_after_a_reload_and_a_malformed_level_changes_nothing_at_all() {
    let host = setup().start();
    let (web1, policy) = (host.publisher("web1"), host.read("policy.toml"));
    let config = host.read("signer.toml");
    let say = |level: &str| {
        // As editors do: another file takes the place of the first one.
        let (new, name) = (host.dir().join("signer.toml.new"), host.dir().join("signer.toml"));
        fs::write(&new, config.replacen("log = \"info\"", &format!("log = \"{level}\""), 1)).unwrap();
        assert!(Command::new("mv").args([new, name]).status().unwrap().success());
    };
    let debugging = |after: usize| host.all_said().iter().skip(after).filter(|line| line.contains(" DEBUG ")).count();
    let hang_up = || {
        let after = host.said();
        KeyHost::signal(host.gateway_pid(), rustix::process::Signal::HUP);
        after
    };
    block_on(async {
        let channel = connect(&host, &web1).await;
        sign(channel.clone(), digest_header("tarballs", "prod", 1), vec![]).await.unwrap();
        say("debug");
        let _ = host.reload();
        let after = host.said();
        sign(channel.clone(), digest_header("tarballs", "prod", 2), vec![]).await.unwrap();
        for process in ["chanceryd::services", "chancery_keeper::serve"] {
            let line = host.wait_said(after, process);
            assert!(line.contains("DEBUG") && line.contains("signed"), "{line}");
        }
        assert_eq!(debugging(0), debugging(after), "nothing of it was said before");

        say("chanceryd=loud");
        host.write("policy.toml", &policy.replace("web1", "web9"));
        let told = host.wait_said(hang_up(), "not reloaded");
        assert!(told.contains("signer.toml:6:7: ") && told.contains("`loud` is no level") && told.contains("all before stays"), "{told}");
        let after = host.said();
        sign(channel.clone(), digest_header("tarballs", "prod", 3), vec![]).await.expect("the policy is the one before");
        assert!(host.wait_said(after, "signed").contains("DEBUG"));

        say("info");
        host.write("policy.toml", &policy);
        let _ = host.reload();
        let after = host.said();
        sign(channel, digest_header("tarballs", "prod", 4), vec![]).await.unwrap();
        host.write("signer.toml", &config.replacen("drain_timeout = \"30 s\"", "drain_timeout = \"31 s\"", 1));
        let after_hup = hang_up();
        let told = host.wait_said(after_hup, "other settings");
        assert!(told.contains("for the gateway") && told.contains("take a restart"), "{told}");
        assert_eq!(debugging(after), 0);
    });
}

#[test]
fn a_key_host_with_a_level_that_is_none_does_not_start() {
    let mut host = setup().config("log = \"info\"", "log = \"inof\"").make();
    let said = host.try_serve().unwrap_err();
    assert!(said.contains("signer.toml:6:7: `inof` is no level; there are off, error, warn"), "{said}");
}

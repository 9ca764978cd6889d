//! A long run through a relay while everything is killed and reloaded: nothing is lost, nothing is signed twice.
//!
//! `CHANCERY_SOAK_REQUESTS` says how many requests, and `CHANCERY_ROUNDS` how often each of gateway, keeper and relay is killed.

use crate::auditor::audit;
use crate::crash::{Victim, kill};
use crate::ledger::leaves_of;
use crate::once::{Asked, ask, assert_each_is_signed_once, client, request};
use crate::relay::{dial, setup};
use crate::wire::block_on;
use chancery_tests::{KeyHost, Publisher, Relay, Setup, run};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;

const PUBLISHERS: [&str; 3] = ["web1", "web2", "web3"];
/// Clients of each publisher.
const CLIENTS: usize = 4;
const DEADLINE: Duration = Duration::from_secs(30);
/// Without a signature for so long, something hangs.
const HANGS: Duration = Duration::from_secs(120);

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

#[test]
fn nothing_is_lost_or_doubled_while_gateway_keeper_and_relay_are_killed_and_all_is_reloaded() {
    let (requests, rounds) = (number("CHANCERY_SOAK_REQUESTS", 300), number("CHANCERY_ROUNDS", 2));
    let start = Instant::now();
    let (mut host, mut relay) = through_a_relay();
    let publishers = PUBLISHERS.map(|name| Arc::new(host.publisher_of(name, &relay.endpoint(0))));
    let load = Load::start(&publishers, requests);
    let policy = host.read("policy.toml");
    for round in 0..rounds {
        for (part, victim) in [Some(Victim::Gateway), Some(Victim::Keeper), None].into_iter().enumerate() {
            // So that all requests are spread over all of it.
            load.wait((round * 3 + part as u64 + 1) * requests / (rounds * 3 + 1));
            match victim {
                Some(victim) => {
                    kill(&mut host, victim);
                    host.serve();
                }
                None => {
                    relay.kill();
                    relay.start_again();
                }
            }
        }
        replace_all(&host, &policy, round);
    }
    let done = load.finish();
    let signed = start.elapsed();
    let late: u64 = done.iter().map(|client| client.late).sum();
    let asked = again(done);
    assert_eq!(asked.len() as u64, requests, "none is lost");
    let leaves = leaves_of(&mut host);
    assert_each_is_signed_once(&asked, &leaves);
    let verified = audit(&host.public(), &host.vkey(), None).ok();
    assert!(verified.stdout.contains("verified"), "{verified:?}");
    println!(
        "soak: {requests} requests of {} clients; {rounds} times each, gateway, keeper and relay were killed, and certificates, revocations and \
         policy replaced; {late} requests were sent again by hand; {} entries; signed in {:.0} s, with all checks {:.0} s",
        PUBLISHERS.len() * CLIENTS,
        leaves.len(),
        signed.as_secs_f64(),
        start.elapsed().as_secs_f64()
    );
}

/// A key host without a port, and the relay that it dials.
fn through_a_relay() -> (KeyHost, Relay) {
    let grant = |setup: Setup, name: &&str| setup.grant(name, "tarballs", &["sshsig"], "tool-*", "namespaces = [\"file\"]");
    let mut host = PUBLISHERS[1..].iter().fold(setup(), grant).make();
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &[]);
    dial(&host, &[relay.signer()]);
    host.serve();
    (host, relay)
}

/// Another policy, another list of revoked certificates, and the certificates once more.
fn replace_all(host: &KeyHost, policy: &str, round: u64) {
    let gone = format!("gone{round}");
    drop(host.publisher_of(&gone, "https://127.0.0.1:1"));
    let _ = run(&mut host.chanceryd_plain(&["revoke", &gone, "--role", "publisher"])).ok();
    host.write("policy.toml", &format!("{policy}\n# reviewed {round} times\n"));
    let [certificates, policy] = host.reload();
    assert!(certificates.contains("reloaded") && policy.contains("another one"), "{certificates} {policy}");
}

/// What a client did.
struct Done {
    publisher: Arc<Publisher>,
    asked: Vec<Asked>,
    /// How often it sent a request again after its deadline.
    late: u64,
}

/// Clients that sign until all requests are done.
struct Load {
    runtime: Runtime,
    clients: JoinSet<Done>,
    signed: mpsc::Receiver<()>,
    count: std::cell::Cell<u64>,
}

impl Load {
    fn start(publishers: &[Arc<Publisher>], requests: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (next, (sender, signed)) = (Arc::new(AtomicU64::new(0)), mpsc::channel());
        let mut clients = JoinSet::new();
        for publisher in publishers.iter().flat_map(|p| std::iter::repeat_n(p, CLIENTS)) {
            let one = one_client(Arc::clone(publisher), Arc::clone(&next), requests, sender.clone());
            clients.spawn_on(one, runtime.handle());
        }
        Self { runtime, clients, signed, count: std::cell::Cell::new(0) }
    }

    /// Waits until so many are signed.
    fn wait(&self, count: u64) {
        while self.count.get() < count {
            self.signed.recv_timeout(HANGS).expect("the clients get no more signatures");
            self.count.set(self.count.get() + 1);
        }
    }

    fn finish(self) -> Vec<Done> {
        self.runtime.block_on(self.clients.join_all())
    }
}

async fn one_client(publisher: Arc<Publisher>, next: Arc<AtomicU64>, requests: u64, sender: mpsc::Sender<()>) -> Done {
    let client = client(&publisher, DEADLINE).await;
    let (mut asked, mut late) = (Vec::new(), 0);
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= requests {
            return Done { publisher, asked, late };
        }
        let request = request(n);
        let signed = loop {
            match ask(&client, &request, DEADLINE).await {
                Ok(signed) => break signed,
                Err(_) => late += 1,
            }
        };
        asked.push(signed);
        // Nobody counts the last ones.
        let _ = sender.send(());
    }
}

/// Each request once more, with its id: the same signature and no other entry.
fn again(done: Vec<Done>) -> Vec<Asked> {
    block_on(async {
        let mut clients = JoinSet::new();
        for Done { publisher, asked, .. } in done {
            clients.spawn(async move {
                let client = client(&publisher, DEADLINE).await;
                for one in &asked {
                    one.assert_same_again(&client).await;
                }
                asked
            });
        }
        clients.join_all().await.into_iter().flatten().collect()
    })
}

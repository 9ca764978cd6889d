//! Killing either process under load, and stopping both.

use crate::ledger::{leaves, leaves_of};
use crate::outside::check_log;
use crate::wire::{digest_header, sign};
use chancery_proto::v1::SignResponse;
use chancery_reqlog::{Decision, Directory, Leaf, StaticLog};
use chancery_tests::{KeyHost, Publisher, Setup, run};
use chancery_tlog::{TlogProof, VerifierKey};
use rustix::process::Signal;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use tokio::sync::watch;
use tonic::transport::Channel;

/// How often a process is killed; `CHANCERY_ROUNDS` says more for a soak.
const ROUNDS: usize = 10;
const CLIENTS: usize = 24;

#[derive(Clone, Copy)]
pub(crate) enum Victim {
    Keeper,
    Gateway,
}

/// What a client was told: which request, and the reply.
type Acknowledged = (u64, SignResponse);

#[test]
fn nothing_acknowledged_is_lost_when_a_process_is_killed() {
    killed_under_load(Victim::Keeper);
}

#[test]
fn nothing_acknowledged_is_lost_when_the_gateway_is_killed() {
    killed_under_load(Victim::Gateway);
}

/// Ctrl-C at a terminal, and `systemctl stop`, signal all processes at once.
#[test]
fn a_signal_to_both_processes_lets_requests_end_and_records_the_stop() {
    for signal in [Signal::INT, Signal::TERM] {
        let mut host = setup().start();
        let load = Load::start(host.publisher("web1"), &host.endpoint());
        let mut acknowledged = Vec::new();
        load.take(100, &mut acknowledged);
        // First the one that must not heed it.
        KeyHost::signal(host.keeper_pid(), signal);
        load.take(100, &mut acknowledged);
        KeyHost::signal(host.gateway_pid(), signal);
        assert_eq!(host.wait(), Some(0), "stopped in order by {signal:?}");
        let stopped = leaves(&host.public(), &host.vkey());
        assert_eq!(stopped.last().unwrap().kind.as_str(), "stop", "the keeper recorded that it stops");

        host.serve();
        load.endpoint.send_replace(host.endpoint());
        load.finish(&mut acknowledged);
        assert_each_has_its_entry(&acknowledged, &leaves_of(&mut host));
    }
}

fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
}

fn killed_under_load(victim: Victim) {
    let mut host = setup().start();
    let load = Load::start(host.publisher("web1"), &host.endpoint());
    let mut acknowledged = Vec::new();
    for round in 0..std::env::var("CHANCERY_ROUNDS").map_or(ROUNDS, |rounds| rounds.parse().unwrap()) {
        // Another moment in each round.
        load.take(40 + 25 * round, &mut acknowledged);
        kill(&mut host, victim);
        host.serve();
        load.endpoint.send_replace(host.endpoint());
    }
    load.take(30, &mut acknowledged);
    load.finish(&mut acknowledged);

    let leaves = leaves_of(&mut host);
    assert_each_has_its_entry(&acknowledged, &leaves);
    assert_receipts_hold(&host, &acknowledged, &leaves);
    let sound = run(&mut host.chanceryd_plain(&["log", "fsck", "--explain"])).ok();
    assert!(sound.stdout.contains("sound:"), "{sound:?}");
    if let Some(checked) = check_log(&["log", &host.vkey(), "1", "2", "17"], &host.public()) {
        let _ = checked.ok();
    }
}

/// Kills one process with no chance to say anything, and waits until both are gone.
pub(crate) fn kill(host: &mut KeyHost, victim: Victim) {
    let keeper = host.keeper_pid();
    match victim {
        Victim::Keeper => {
            KeyHost::signal(keeper, Signal::KILL);
            let code = host.wait();
            assert!(code.is_some_and(|c| c != 0), "without its keeper the gateway ends by itself, with an error: {code:?}");
        }
        Victim::Gateway => {
            KeyHost::signal(host.gateway_pid(), Signal::KILL);
            assert_eq!(host.wait(), None, "it has no exit code");
            KeyHost::wait_gone(keeper);
        }
    }
}

/// Clients that sign without end, and send what was not answered again with the same id.
struct Load {
    runtime: tokio::runtime::Runtime,
    clients: Vec<tokio::task::JoinHandle<()>>,
    endpoint: watch::Sender<String>,
    stop: Arc<AtomicBool>,
    replies: mpsc::Receiver<Acknowledged>,
}

impl Load {
    fn start(publisher: Publisher, endpoint: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (endpoint, seen) = watch::channel(endpoint.to_owned());
        let (sender, replies) = mpsc::channel();
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(0));
        let publisher = Arc::new(publisher);
        let client = || {
            let (publisher, mut seen, sender) = (Arc::clone(&publisher), seen.clone(), sender.clone());
            let (stop, next) = (Arc::clone(&stop), Arc::clone(&next));
            runtime.spawn(async move {
                let mut line = None;
                while !stop.load(Ordering::Relaxed) {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    let reply = until_signed(&publisher, &mut seen, &mut line, n).await;
                    sender.send((n, reply)).unwrap();
                }
            })
        };
        let clients = (0..CLIENTS).map(|_| client()).collect();
        Self { runtime, clients, endpoint, stop, replies }
    }

    fn take(&self, count: usize, into: &mut Vec<Acknowledged>) {
        for _ in 0..count {
            into.push(self.replies.recv_timeout(Duration::from_secs(60)).expect("the clients get no more signatures"));
        }
    }

    fn finish(self, into: &mut Vec<Acknowledged>) {
        self.stop.store(true, Ordering::Relaxed);
        self.runtime.block_on(async {
            for client in self.clients {
                client.await.unwrap();
            }
        });
        into.extend(self.replies.try_iter());
    }
}

/// One request, sent to each next start of the key host until it is answered.
async fn until_signed(publisher: &Publisher, seen: &mut watch::Receiver<String>, line: &mut Option<Channel>, n: u64) -> SignResponse {
    loop {
        let failure = match attempt(publisher, seen, line, n).await {
            Ok(reply) => return reply,
            Err(failure) => failure,
        };
        *line = None;
        let restarted = tokio::time::timeout(Duration::from_secs(60), seen.changed()).await;
        restarted.unwrap_or_else(|_| panic!("failed without a crash: {failure}")).unwrap();
    }
}

async fn attempt(
    publisher: &Publisher,
    seen: &mut watch::Receiver<String>,
    line: &mut Option<Channel>,
    n: u64,
) -> Result<SignResponse, String> {
    let channel = match line {
        Some(channel) => channel.clone(),
        None => {
            let endpoint = seen.borrow_and_update().clone();
            line.insert(publisher.endpoint(&endpoint).connect().await.map_err(|e| e.to_string())?).clone()
        }
    };
    sign(channel, digest_header("tarballs", "prod", n), vec![]).await.map_err(|status| status.to_string())
}

/// Each acknowledged request has exactly one entry, where the reply said.
fn assert_each_has_its_entry(acknowledged: &[Acknowledged], leaves: &[Leaf]) {
    let mut entries: BTreeMap<[u8; 16], Vec<usize>> = BTreeMap::new();
    for (index, leaf) in leaves.iter().enumerate().filter(|(_, leaf)| leaf.decision == Decision::Permit) {
        if let Some(rid) = leaf.rid {
            entries.entry(rid).or_default().push(index);
        }
    }
    for (n, reply) in acknowledged {
        let rid: [u8; 16] = digest_header("tarballs", "prod", *n).request_id[..].try_into().unwrap();
        assert_eq!(entries.get(&rid), Some(&vec![reply.entry_index as usize]), "request {n}");
        assert_eq!(leaves[reply.entry_index as usize].tbs.unwrap()[..], reply.tbs_sha256[..], "request {n}");
    }
    let distinct: BTreeSet<u64> = acknowledged.iter().map(|(n, _)| *n).collect();
    assert_eq!(distinct.len(), acknowledged.len());
}

/// Each receipt proves its entry under a checkpoint that the log of today extends.
fn assert_receipts_hold(host: &KeyHost, acknowledged: &[Acknowledged], leaves: &[Leaf]) {
    let key: VerifierKey = host.vkey().parse().unwrap();
    let log = StaticLog::open(Directory::new(host.public()), &key).unwrap();
    for (n, reply) in acknowledged {
        let proof: TlogProof = std::str::from_utf8(&reply.receipt).unwrap().parse().unwrap();
        let checkpoint = proof.verify(&leaves[reply.entry_index as usize].to_bytes(), &key).unwrap();
        log.check_extends(&checkpoint).unwrap_or_else(|e| panic!("request {n}: {e}"));
    }
}

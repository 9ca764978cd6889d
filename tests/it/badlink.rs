//! Bad links between key host and relay: each request is answered in time or may be sent again, and none is signed twice.

use crate::ledger::leaves_of;
use crate::once::{Asked, ask, assert_each_is_signed_once, client, request};
use crate::relay::{dial, setup};
use crate::wire::block_on;
use chancery_tests::{Flaw, KeyHost, Proxy, Publisher, Relay, Setup};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

const CLIENTS: u64 = 4;
const EACH: u64 = 5;
const LONG: Duration = Duration::from_secs(30);

/// What happened on the way.
#[derive(Debug)]
struct Outcome {
    /// How often a request was not answered in time, and sent again.
    late: usize,
    /// Connections between key host and relay.
    dialled: usize,
}

/// A key host that soon gives up who is silent.
fn impatient() -> KeyHost {
    let changes =
        [("handshake_timeout = \"10 s\"", "2 s"), ("keepalive_interval = \"30 s\"", "2 s"), ("keepalive_timeout = \"10 s\"", "500 ms")];
    let change = |setup: Setup, (line, time): (&str, &str)| {
        let name = line.split(' ').next().unwrap();
        setup.config(line, &format!("{name} = \"{time}\""))
    };
    changes.into_iter().fold(setup(), change).make()
}

/// Several clients sign over such a link, with this deadline; each sends a request until it is signed, and then once more.
fn sign_over(flaw: Flaw, deadline: Duration) -> Outcome {
    let mut host = impatient();
    let options = ["--ping-interval", "0.5", "--answer-timeout", "0.3", "--wait", "1.5"];
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &options);
    let link = Proxy::with(relay.signer(), flaw);
    dial(&host, &[link.address()]);
    host.serve();
    let publisher = Arc::new(host.publisher_of("web1", &relay.endpoint(0)));
    let (mut asked, mut late) = (Vec::new(), 0);
    block_on(async {
        let mut clients = JoinSet::new();
        for first in (0..CLIENTS).map(|c| c * EACH) {
            clients.spawn(several(Arc::clone(&publisher), first, deadline));
        }
        for (signed, failed) in clients.join_all().await {
            asked.extend(signed);
            late += failed;
        }
    });
    assert_each_is_signed_once(&asked, &leaves_of(&mut host));
    assert_eq!(asked.len() as u64, CLIENTS * EACH);
    let outcome = Outcome { late, dialled: link.count() };
    println!("{outcome:?}");
    outcome
}

async fn several(publisher: Arc<Publisher>, first: u64, deadline: Duration) -> (Vec<Asked>, usize) {
    let (mut asked, mut late) = (Vec::new(), 0);
    let mut line = client(&publisher, deadline).await;
    for n in first..first + EACH {
        let request = request(n);
        let signed = loop {
            match ask(&line, &request, deadline).await {
                Ok(signed) => break signed,
                Err(_) => late += 1,
            }
            // As a program that is started again.
            line = client(&publisher, deadline).await;
        };
        signed.assert_same_again(&client(&publisher, LONG).await).await;
        asked.push(signed);
    }
    (asked, late)
}

#[test]
fn over_a_slow_link_all_is_signed_at_once() {
    let outcome = sign_over(Flaw::Slow(Duration::from_millis(40)), LONG);
    assert_eq!(outcome.late, 0, "a deadline of half a minute is enough");
}

#[test]
fn a_link_that_brings_each_byte_alone_changes_nothing() {
    assert_eq!(sign_over(Flaw::Bytewise, LONG).late, 0);
}

#[test]
fn a_link_that_stalls_halfway_loses_and_doubles_nothing() {
    // Longer than the relay waits for an answer: parked connections are given up, and connections of clients go on.
    assert_eq!(sign_over(Flaw::Stalls { every: 4000, pause: Duration::from_millis(600) }, LONG).late, 0);
}

#[test]
fn a_link_that_is_open_on_one_side_only_loses_and_doubles_nothing() {
    // In the outer handshake, in the inner one, in a request, in its answer; and one of six goes on.
    let cuts = vec![Some(1500), Some(6000), Some(8500), Some(9500), Some(10_500), None];
    let outcome = sign_over(Flaw::HalfOpen(cuts), Duration::from_secs(4));
    assert!(outcome.late > 0, "requests were cut off: {outcome:?}");
    assert!(outcome.dialled > 10, "the key host has parked others: {outcome:?}");
}

/// Without anybody who starts it again: the client itself notices that nobody is there any more.
#[test]
fn a_client_whose_connection_died_without_a_word_gets_its_signature_within_its_deadline() {
    let mut host = impatient();
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &["--ping-interval", "0.5", "--answer-timeout", "0.3"]);
    let link = Proxy::start(relay.signer());
    dial(&host, &[link.address()]);
    host.serve();
    let publisher = host.publisher_of("web1", &relay.endpoint(0));
    let mut asked = Vec::new();
    block_on(async {
        // The usual deadline.
        let client = client(&publisher, LONG).await;
        asked.push(ask(&client, &request(1), LONG).await.ok().unwrap());
        link.lose();
        asked.push(ask(&client, &request(2), LONG).await.ok().expect("answered within the deadline"));
    });
    assert_each_is_signed_once(&asked, &leaves_of(&mut host));
}

//! A relay that anybody can reach: strangers cost its key hosts nothing, and publishers sign meanwhile.

use crate::metrics::relay_until;
use crate::relay::{dial, setup, sign};
use crate::wire::block_on;
use chancery_tests::{KeyHost, Publisher, Relay};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

/// The numbers of connections that a key host parks.
const PARKED: &str = "parked{key_host=localhost}";

fn through(options: &[&str]) -> (KeyHost, Relay, Publisher) {
    let mut host = setup().make();
    let relay = Relay::start(&[&host], &["127.0.0.1:0"], &[&["--metrics", "127.0.0.1:0"], options].concat());
    dial(&host, &[relay.signer()]);
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    (host, relay, publisher)
}

/// Connects from so many addresses, so often from each, and says this.
async fn crowd(relay: &Relay, addresses: u8, each: usize, word: &[u8]) -> Vec<TcpStream> {
    let mut all = Vec::new();
    for address in 1..=addresses {
        for _ in 0..each {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(([127, 0, 9, address], 0).into()).unwrap();
            let mut stream = socket.connect(relay.client(0).parse().unwrap()).await.unwrap();
            // Who was turned away meanwhile cannot be told anything.
            let _ = stream.write_all(word).await;
            all.push(stream);
        }
    }
    all
}

/// The relay closes it, whether with an end or a reset.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read(&mut [0; 16])).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[test]
fn who_says_nothing_or_speaks_no_tls_costs_no_parked_connection() {
    let (host, relay, publisher) = through(&["--clients", "8"]);
    let _ = relay_until(&relay, &host, |of| of(PARKED) == 4.0);
    block_on(async {
        let mut silent = crowd(&relay, 30, 10, b"").await;
        let mut rude = crowd(&relay, 3, 1, b"GET / HTTP/1.1\r\n\r\n").await;
        drop(crowd(&relay, 2, 1, b"").await);
        tokio::task::block_in_place(|| {
            let _ = sign(&publisher, "tool-1").ok();
            let _ = relay_until(&relay, &host, |of| of("handed_out_total{key_host=localhost}") == 1.0);
        });
        for stream in silent.iter_mut().chain(&mut rude) {
            assert!(is_closed(stream).await, "the relay lets somebody stay who says nothing");
        }
    });
    let _ = relay_until(&relay, &host, |of| {
        of("turned_away_total{why=no-first-byte}") == 300.0
            && of("turned_away_total{why=not-tls}") == 3.0
            && of("turned_away_total{why=closed}") == 2.0
            && of("handed_out_total{key_host=localhost}") == 1.0
            && of("parked_lost_total{why=broken}") <= 0.0
    });
}

#[test]
fn one_address_does_not_have_all_that_a_relay_can_give() {
    let (host, mut relay, publisher) = through(&["--clients", "8", "--clients-per-address", "3"]);
    let _ = relay_until(&relay, &host, |of| of(PARKED) == 4.0);
    block_on(async {
        // What begins a ClientHello, and is none.
        let mut crowd = crowd(&relay, 1, 20, &[0x16]).await;
        tokio::task::block_in_place(|| {
            let _ = relay_until(&relay, &host, |of| of("turned_away_total{why=clients-per-address}") == 17.0);
            let _ = sign(&publisher, "tool-1").ok();
        });
        for stream in &mut crowd {
            assert!(is_closed(stream).await, "the relay lets too many stay");
        }
    });
    // Its places are free again when its clients are gone.
    block_on(async { drop(crowd(&relay, 1, 1, &[0x16]).await) });
    let _ = relay_until(&relay, &host, |of| of("handed_out_total{key_host=localhost}") == 5.0 && of("clients{}") == 0.0);
    assert_eq!(relay.stop(), Some(0));
    let said = relay.said();
    let lines = |words: &[&str]| said.lines().filter(|line| words.iter().all(|word| line.contains(word))).count();
    assert_eq!(lines(&["a client was turned away", "--clients-per-address"]), 1, "{said}");
    assert_eq!(lines(&["told once a minute", "clients-per-address", "more=16 "]), 1, "{said}");
}

#[test]
fn what_each_client_does_is_said_only_to_who_asks_for_it() {
    for (options, expected) in [(&[][..], false), (&["--log", "debug"][..], true)] {
        let (host, mut relay, publisher) = through(options);
        let _ = relay_until(&relay, &host, |of| of(PARKED) == 4.0);
        let _ = sign(&publisher, "tool-1").ok();
        let _ = relay_until(&relay, &host, |of| of("clients{}") == 0.0);
        assert_eq!(relay.stop(), Some(0));
        let said = relay.said();
        for line in ["chancery::relay::front: a client", "a key host parked a connection"] {
            assert_eq!(said.contains(line), expected, "{line}: {said}");
        }
    }
}

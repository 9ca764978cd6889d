//! A key host behind a wall: separate networks, a cable that loses packets without a word, and nothing that listens.

use crate::ledger::leaves_of;
use crate::relay::{command, dial, setup};
use chancery_reqlog::Decision;
use chancery_tests::{BadLink, Badness, Net, PUBLISHER, PUBLISHER_BAD, Relay, run, within};

#[test]
fn a_key_host_without_a_port_signs_behind_a_wall_and_comes_back_after_the_cable_was_cut() {
    let Some(net) = Net::new() else { return };
    let setup = setup().config("keepalive_timeout = \"10 s\"", "keepalive_timeout = \"500 ms\"");
    let mut host = setup.config("handshake_timeout = \"10 s\"", "handshake_timeout = \"2 s\"").make();
    let options = ["--ping-interval", "0.5", "--answer-timeout", "0.3", "--wait", "0.5"];
    let relay = Relay::start_within(net.publisher(), &format!("{PUBLISHER}:0"), &[&host], &["127.0.0.1:0"], &options);
    dial(&host, &[relay.signer()]);
    host.place(net.signer());
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    let sign = |name: &str, timeout: &str| run(&mut within(&net.publisher(), &command(&publisher, name, timeout)));

    let _ = sign("tool-1", "60").ok();
    assert_eq!(net.listening(), "", "something listens on the key host");

    net.cut();
    let said = sign("tool-2", "5").failed(3, "no key host is parked there");
    assert!(said.stderr.contains(&relay.endpoint(0)), "{said:?}");
    net.mend();
    let _ = sign("tool-2", "60").ok();
}

/// Delay, disorder and loss of packets, as netem would make them; and TCP, of which each side believes that it is a good network.
#[test]
fn over_a_link_that_loses_and_reorders_packets_each_request_is_signed_once() {
    let Some(net) = Net::new() else { return };
    let Some(link) = BadLink::new(&net, Badness { delay: 25, further: 40, late: 15, lost: 4 }) else { return };
    let mut host = setup().make();
    let relay = Relay::start_within(net.publisher(), &format!("{PUBLISHER_BAD}:0"), &[&host], &["127.0.0.1:0"], &[]);
    dial(&host, &[relay.signer()]);
    host.place(net.signer());
    host.serve();
    let publisher = host.publisher("web1");
    publisher.point_at(&relay.endpoint(0));
    let (mut runs, mut signed) = (0, 0);
    while signed < 12 {
        let said = run(&mut within(&net.publisher(), &command(&publisher, &format!("tool-{signed}"), "30")));
        runs += 1;
        match said.code {
            0 => signed += 1,
            // It may be run again.
            3 => assert!(runs < 40, "{said:?}"),
            _ => panic!("{said:?}"),
        }
    }
    let permits = leaves_of(&mut host).iter().filter(|leaf| leaf.decision == Decision::Permit && leaf.rid.is_some()).count();
    let traffic = link.end();
    println!("{runs} runs, {permits} entries, {traffic:?}");
    assert!(traffic.lost > 5 && traffic.late > 20, "the link is a bad one: {traffic:?}");
    // Each run has an id of its own, which its tries share; one that was not answered may have been recorded.
    assert!((12..=runs).contains(&permits), "{permits} entries of {runs} runs");
}

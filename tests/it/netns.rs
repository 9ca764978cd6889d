//! A key host behind a wall: separate networks, a cable that loses packets without a word, and nothing that listens.

use crate::relay::{command, dial, setup};
use chancery_tests::{Net, PUBLISHER, Relay, run, within};

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

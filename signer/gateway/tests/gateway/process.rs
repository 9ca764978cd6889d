//! `chanceryd serve` as a process: what it says when it starts, and how it ends.

use crate::host::{connect, digest, parts};
use crate::pki::{Credentials, write};
use crate::program::{Place, Run, rest, send};
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use rustix::process::Signal;
use std::io::{BufRead as _, Read as _};
use std::net::SocketAddr;
use tonic::transport::Channel;
use tonic::{Code, Status};

/// A client with a profile that `chanceryd enroll` made.
fn enrolled(place: &Place, address: SocketAddr) -> Channel {
    let done = place.chanceryd(&["enroll", "web1", "--role", "publisher", "--generate"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let profile: toml::Table = place.read("web1.toml").parse().unwrap();
    let who = Credentials { certificate: profile["certificate"].as_str().unwrap().into(), key: place.read("web1.key") };
    connect(address, profile["ca"].as_str().unwrap(), Some(&who))
}

async fn sign(channel: Channel, key: &str) -> Result<u64, Status> {
    SigningServiceClient::new(channel).sign(parts([Part::Header(digest(key))])).await.map(|signed| signed.into_inner().entry_index)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_enrolled_clients_until_a_signal_lets_it_drain() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::with_host(Run::Play);
        let serving = place.serve();
        assert_eq!(sign(enrolled(&place, serving.address), "release").await.unwrap(), 17);
        serving.signal(signal);
        let (code, said) = serving.end();
        assert_eq!(code, Some(0), "{said}");
        let run = format!("run --dir {} --passphrase-file pass", place.host().display());
        assert!(place.asked().contains(&run), "{:?}", place.asked());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_keeper_dies_it_answers_and_ends_with_a_failure() {
    let place = Place::with_host(Run::Play);
    let serving = place.serve();
    let refused = sign(enrolled(&place, serving.address), "die").await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable);
    let (code, said) = serving.end();
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("the keeper ended with exit status: 0"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn running_out_of_file_descriptors_passes() {
    let place = Place::with_host(Run::Play);
    let (mut serving, mut stderr) = place.serve_with_files(64);
    let flood: Vec<_> = (0..100).map(|_| std::net::TcpStream::connect(serving.address).unwrap()).collect();
    let mut line = String::new();
    while !line.contains("a connection could not be accepted") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended");
    }
    drop(flood);
    assert_eq!(sign(enrolled(&place, serving.address), "release").await.unwrap(), 17);
    serving.signal(Signal::TERM);
    assert_eq!(serving.child.wait().unwrap().code(), Some(0));
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    let tries = said.matches("could not be accepted").count();
    assert!(tries < 50, "it tries again {tries} times, without a pause");
}

#[test]
fn a_keeper_does_not_outlive_its_gateway() {
    let place = Place::with_host(Run::Play);
    let serving = place.serve();
    serving.signal(Signal::KILL);
    // Standard error ends when the keeper, which has it too, has ended.
    assert_eq!(serving.end().0, None);
}

#[test]
fn a_keeper_that_does_not_start_gives_its_exit_code_and_the_port_is_never_opened() {
    for (script, code) in [("echo 'policy.toml:3: no' >&2; exit 2", 2), ("exit 4", 4), ("exit 1", 1), ("exit 0", 1), ("kill -9 $$", 1)] {
        let place = Place::with_host(Run::Do(script));
        let done = place.chanceryd(&["serve", "--passphrase-file", "pass"]);
        assert_eq!((done.code, done.out.as_str()), (Some(code), ""), "{script}: {done:?}");
        assert!(done.err.contains("not started; the keeper ended with"), "{}", done.err);
    }
    let place = Place::with_host(Run::Play);
    let done = place.chanceryd(&["--keeper", "nowhere", "serve"]);
    assert_eq!(done.code, Some(2), "two keepers are one too many: {done:?}");
    std::fs::remove_file(place.path().join("keeper.sh")).unwrap();
    let done = place.chanceryd(&["serve"]);
    assert_eq!(done.code, Some(1));
    assert!(done.err.contains("install it beside chanceryd or name it with --keeper"), "{}", done.err);
}

#[test]
fn a_signal_stops_it_also_while_the_keeper_is_still_waiting_for_somebody() {
    let place = Place::with_host(Run::Do("echo waiting >&2; exec tail -f /dev/null"));
    let mut child = place.command(&["serve", "--passphrase-file", "pass"]).spawn().unwrap();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waiting") {
        line.clear();
        assert_ne!(stderr.read_line(&mut line).unwrap(), 0);
    }
    send(&child, Signal::TERM);
    let said = rest(stderr.into_inner());
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert!(!said.contains("it is killed"), "the keeper is told, not only waited for: {said}");
}

#[test]
fn what_is_wrong_with_the_configuration_is_said_before_the_keeper_is_started() {
    let place = Place::with_host(Run::Play);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let good = place.read("host/signer.toml");
    let cases = [
        (good.replace("drain_timeout", "drain_time"), 2, ":1: unknown key `drain_time`; did you mean `drain_timeout`?"),
        (good.replace("pki/server.crt", "pki/none.crt"), 2, "host/pki/none.crt cannot be read as a PEM file with certificates"),
        (good.replace("pki/server.key", "ca/ca.key"), 2, "server certificate, server key and client CA cannot be used together"),
        (good.replace("pki/ca.crt", "policy.toml"), 2, "host/policy.toml holds no certificate"),
        (good.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string()), 1, "cannot listen on 127.0.0.1:"),
    ];
    let asked = place.asked();
    for (config, code, why) in cases {
        write(&place.host().join("signer.toml"), &config);
        let done = place.chanceryd(&["serve", "--passphrase-file", "pass"]);
        assert_eq!(done.code, Some(code), "{done:?}");
        assert!(done.err.contains(why), "{} should say {why}", done.err);
    }
    assert_eq!(place.asked(), asked, "nobody was asked for a passphrase");
}

#[test]
fn commands_of_the_keeper_are_handed_over_with_their_exit_code() {
    let place = Place::new(Run::Play);
    let host = place.host();
    let host = host.display();
    let cases = [
        (&["key", "new", "release", "--for", "sshsig"][..], format!("key new release --for sshsig --dir {host}")),
        (&["policy", "check", "--help"], format!("policy check --help --dir {host}")),
        (&["--json", "log", "fsck"], format!("log fsck --dir {host} --json")),
        (&["log", "fsck", "--dir=elsewhere"], "log fsck --dir=elsewhere".to_owned()),
    ];
    for (arguments, handed) in cases {
        let done = place.chanceryd(arguments);
        assert_eq!((done.code, done.out.trim()), (Some(7), format!("handed over: {handed}").as_str()), "{}", done.err);
    }
}

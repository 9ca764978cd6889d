//! The cell: what gateway and keeper gave up, seen from outside while they work, and what happens where the kernel has less.

use crate::wire::{block_on, digest_header, sign};
use chancery_tests::{KeyHost, Setup, run};
use seccompiler::{SeccompAction, SeccompFilter, apply_filter};
use serde_json::Value;
use std::collections::BTreeMap;
use std::env::consts::ARCH;
use std::fs;
use std::io::Read as _;
use std::net::TcpListener;

fn setup() -> Setup {
    Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
}

fn of(pid: u32, file: &str) -> String {
    fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap()
}

fn status(pid: u32, field: &str) -> String {
    let status = of(pid, "status");
    status.lines().find_map(|l| l.strip_prefix(field)?.strip_prefix(':')).unwrap().trim().to_owned()
}

fn status_of(host: &KeyHost) -> (String, Value) {
    let publisher = host.publisher("web1");
    let text = run(&mut publisher.chancery(&["status"])).ok().stdout;
    let facts = run(&mut publisher.chancery(&["status", "--json"])).ok().stdout;
    (text, serde_json::from_str(&facts).unwrap())
}

#[test]
fn both_processes_are_in_their_cells_while_they_sign() {
    let host = setup().start();
    let publisher = host.publisher("web1");
    let signed = block_on(async {
        let channel = publisher.connections(&host.endpoint(), 1).await.remove(0);
        sign(channel, digest_header("tarballs", "prod", 1), vec![]).await
    });
    signed.expect("a cell does not get in the way of signing");
    for pid in [host.gateway_pid(), host.keeper_pid()] {
        // Of every thread: one outside would be a door.
        for task in fs::read_dir(format!("/proc/{pid}/task")).unwrap() {
            let thread: u32 = task.unwrap().file_name().to_str().unwrap().parse().unwrap();
            assert_eq!((status(thread, "Seccomp").as_str(), status(thread, "NoNewPrivs").as_str()), ("2", "1"));
        }
        let core = of(pid, "limits").lines().find(|l| l.starts_with("Max core file size")).unwrap().to_owned();
        assert_eq!(core.split_whitespace().nth(5), Some("0"), "{core}");
    }
}

#[test]
fn the_keeper_is_on_no_network() {
    let host = setup().start();
    let (_, facts) = status_of(&host);
    let layers = facts["endpoints"][0]["cell"]["keeper"]["layers"].to_string();
    if !layers.contains("network-namespace") {
        let missing = facts["endpoints"][0]["cell"]["keeper"]["missing"].to_string();
        assert!(missing.contains("network-namespace: the kernel refuses"), "{facts}");
        return;
    }
    let namespace = |pid: u32| fs::read_link(format!("/proc/{pid}/ns/net")).unwrap();
    assert_ne!(namespace(host.keeper_pid()), namespace(host.gateway_pid()));
    let keeper = host.keeper_pid();
    for table in ["net/tcp", "net/tcp6", "net/udp", "net/unix"] {
        assert_eq!(of(keeper, table).lines().count(), 1, "{table} has more than its heading");
    }
    let interfaces = of(keeper, "net/dev");
    assert_eq!(interfaces.lines().skip(2).filter(|l| !l.trim_start().starts_with("lo:")).count(), 0, "{interfaces}");
}

#[test]
fn status_says_what_is_in_force_on_the_key_host() {
    let host = setup().start();
    let (text, facts) = status_of(&host);
    for (process, more) in [("keeper", "-memory"), ("gateway", "seccomp")] {
        let line = text.lines().find(|l| l.contains(&format!("key host: cell of the {process}: "))).unwrap();
        let layers = facts["endpoints"][0]["cell"][process]["layers"].to_string();
        for layer in ["no-new-privileges", "no-core-dump", "not-dumpable", "landlock ", "seccomp", more] {
            assert!(line.contains(layer) && layers.contains(layer), "{layer}: {text}");
        }
    }
}

/// Does something where the kernel does not know Landlock.
fn without_landlock<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    without(libc::SYS_landlock_create_ruleset, libc::ENOSYS, work)
}

/// Does something where the kernel refuses a call: what a thread may not call, the processes that it starts may not either.
fn without<T: Send + 'static>(call: libc::c_long, error: libc::c_int, work: impl FnOnce() -> T + Send + 'static) -> T {
    let refused = SeccompAction::Errno(error.unsigned_abs());
    let calls = BTreeMap::from([(call, Vec::new())]);
    let filter = SeccompFilter::new(calls, SeccompAction::Allow, refused, ARCH.try_into().unwrap()).unwrap();
    let program: seccompiler::BpfProgram = filter.try_into().unwrap();
    let restricted = move || {
        apply_filter(&program).unwrap();
        work()
    };
    std::thread::spawn(restricted).join().unwrap()
}

#[test]
fn a_missing_layer_is_refused_with_the_line_that_accepts_it() {
    let mut host = setup().make();
    let (host, said) = without_landlock(move || {
        let said = host.try_serve().unwrap_err();
        (host, said)
    });
    assert!(said.contains("the sandbox has no landlock, since this kernel has no Landlock"), "{said}");
    let line = said.lines().map(str::trim).find(|l| l.starts_with("accept_missing = ")).unwrap().to_owned();
    let config = host.read("signer.toml");
    let before = config.lines().find(|l| l.starts_with("accept_missing = ")).unwrap();
    host.write("signer.toml", &config.replace(before, &line));
    let mut host = host;
    let host = without_landlock(move || {
        host.serve();
        host
    });
    let (text, _) = status_of(&host);
    assert_eq!(text.matches("missing landlock: this kernel has no Landlock").count(), 2, "{text}");
}

#[test]
fn a_missing_layer_ends_the_gateway_with_2() {
    let host = setup().make();
    let output = without_landlock(move || run(host.chanceryd(&["serve"]).arg("--dir").arg(host.dir())));
    let _ = output.failed(2, "accept_missing = [\"network-namespace\", \"landlock\"]");
}

#[test]
fn a_keeper_without_a_network_of_its_own_is_accepted_unless_all_layers_are_insisted_on() {
    let mut host = setup().make();
    let host = without(libc::SYS_unshare, libc::EPERM, move || {
        host.serve();
        host
    });
    let (text, _) = status_of(&host);
    assert!(text.contains("missing network-namespace: the kernel refuses one to a process without privileges"), "{text}");

    let host = setup().config("accept_missing = [\"network-namespace\"]", "accept_missing = []").make();
    let output = without(libc::SYS_unshare, libc::EPERM, move || run(host.chanceryd(&["serve"]).arg("--dir").arg(host.dir())));
    let _ = output.failed(2, "chancery-keeper: not started: the sandbox has no network-namespace");
}

#[test]
fn a_gateway_with_witnesses_still_looks_up_names_and_reaches_them() {
    let witness = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = witness.local_addr().unwrap().port();
    let vkey = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
    let mut host = setup().make();
    let table = format!("[witness]\nmode = \"background\"\n[[witness.server]]\nvkey = \"{vkey}\"\nurl = \"http://localhost:{port}\"\n");
    host.write("signer.toml", &format!("{}\n{table}", host.read("signer.toml")));
    host.serve();
    let (mut connection, _) = witness.accept().unwrap();
    let mut line = [0; 20];
    connection.read_exact(&mut line).unwrap();
    assert_eq!(&line, b"POST /add-checkpoint");
}

//! Two hosts with a cable between them: network namespaces, which take root or unprivileged user namespaces.

use crate::run::{run, tool};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

/// The publisher's address on the cable.
pub const PUBLISHER: &str = "10.77.0.1";
/// The key host's.
pub const SIGNER: &str = "10.77.0.2";

/// Two network namespaces; they go when it is dropped.
pub struct Net {
    publisher: Namespace,
    signer: Namespace,
}

/// A process that does nothing, in a network namespace of its own.
struct Namespace(Child);

impl Net {
    /// Lays the cable. The key host takes no packet that does not belong to a connection of its own. `None` when `netns` is skipped.
    #[must_use]
    pub fn new() -> Option<Self> {
        if crate::skipped("netns") {
            return None;
        }
        let _ = (tool("ip")?, tool("nft")?, tool("ss")?);
        let mut first = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            first.arg("--map-root-user");
        }
        let publisher = Namespace::hold(first);
        let mut second = publisher.enter();
        let program = second.remove(0);
        let mut beside = Command::new(program);
        beside.args(second).arg("unshare");
        let net = Self { signer: Namespace::hold(beside), publisher };
        let cable = format!("link add cable type veth peer name cable netns {}", net.signer.0.id());
        net.on_publisher("ip", &cable.split(' ').collect::<Vec<_>>());
        for (within, address) in [(net.publisher(), PUBLISHER), (net.signer(), SIGNER)] {
            for words in [format!("address add {address}/24 dev cable"), "link set cable up".to_owned(), "link set lo up".to_owned()] {
                let _ = run(command(&within, "ip").args(words.split(' '))).ok();
            }
        }
        net.nft("add table inet wall");
        net.nft("add chain inet wall in { type filter hook input priority 0 ; policy drop ; }");
        net.nft("add rule inet wall in iif lo accept");
        net.nft("add rule inet wall in tcp flags & (syn | ack) != syn accept");
        Some(net)
    }

    /// What to put before a command so that it runs on the publisher's host.
    #[must_use]
    pub fn publisher(&self) -> Vec<String> {
        self.publisher.enter()
    }

    /// What to put before a command so that it runs on the key host.
    #[must_use]
    pub fn signer(&self) -> Vec<String> {
        self.signer.enter()
    }

    /// From now on each packet to the key host is lost without a word.
    pub fn cut(&self) {
        self.nft("add table inet cut");
        self.nft("add chain inet cut in { type filter hook input priority -10 ; policy drop ; }");
    }

    /// The cable is whole again.
    pub fn mend(&self) {
        self.nft("delete table inet cut");
    }

    /// What listens on the key host, without a heading.
    #[must_use]
    pub fn listening(&self) -> String {
        run(command(&self.signer(), "ss").args(["--no-header", "--listening", "--tcp", "--udp", "--numeric"])).ok().stdout
    }

    fn nft(&self, rule: &str) {
        let _ = run(command(&self.signer(), "nft").arg(rule)).ok();
    }

    fn on_publisher(&self, program: &str, arguments: &[&str]) {
        let _ = run(command(&self.publisher(), program).args(arguments)).ok();
    }
}

impl Namespace {
    fn hold(mut unshare: Command) -> Self {
        unshare.args(["--net", "sh", "-c", "echo there; exec cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = unshare.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "there\n", "no network namespace can be made here; set CHANCERY_SKIP=netns");
        Self(child)
    }

    fn enter(&self) -> Vec<String> {
        let mut words = vec!["nsenter".to_owned(), "--target".to_owned(), self.0.id().to_string()];
        if !rustix::process::geteuid().is_root() {
            words.extend(["--user", "--preserve-credentials"].map(str::to_owned));
        }
        words.push("--net".to_owned());
        words
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command behind these words.
#[must_use]
pub fn within(words: &[String], command: &Command) -> Command {
    let [first, rest @ ..] = words else { panic!("there is nothing to put before the command") };
    let mut outer = Command::new(first);
    outer.args(rest).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        let _ = match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    outer
}

fn command(words: &[String], program: &str) -> Command {
    within(words, &Command::new(program))
}

//! A bad cable between two hosts: packets come late, out of turn, or not at all.
//!
//! The kernels that tests run on seldom have netem, so two programs do what it does, each a network device of its host.

use crate::net::{Net, within};
use rustix::process::{Pid, Signal, kill_process};
use std::io::{BufRead as _, BufReader, PipeReader, PipeWriter, Read as _};
use std::path::Path;
use std::process::{Child, ChildStderr, Command};

/// The publisher's address on the bad cable.
pub const PUBLISHER_BAD: &str = "10.78.0.1";
/// The key host's.
const SIGNER_BAD: &str = "10.78.0.2";

/// How bad it is, in each direction.
#[derive(Debug, Clone, Copy)]
pub struct Badness {
    /// Each packet takes so long, in milliseconds.
    pub delay: u32,
    /// Some take so much longer, so that others overtake them, in milliseconds.
    pub further: u32,
    /// How many of a hundred do.
    pub late: u32,
    /// How many of a hundred are lost.
    pub lost: u32,
}

/// What a cable did, in both directions together.
#[derive(Debug, Default)]
pub struct Traffic {
    /// Packets that arrived.
    pub carried: u64,
    /// Of these, such as others overtook.
    pub late: u64,
    /// Packets that were lost.
    pub lost: u64,
}

/// A cable; it goes when it is dropped.
pub struct BadLink {
    ends: [End; 2],
}

struct End {
    process: Child,
    said: BufReader<ChildStderr>,
}

impl BadLink {
    /// Lays it beside the good one. `None` when `tun` is skipped.
    #[must_use]
    pub fn new(net: &Net, badness: Badness) -> Option<Self> {
        if crate::skipped("tun") {
            return None;
        }
        assert!(Path::new("/dev/net/tun").exists(), "no network device can be made here; set CHANCERY_SKIP=tun");
        let (to_signer, from_publisher) = std::io::pipe().unwrap();
        let (to_publisher, from_signer) = std::io::pipe().unwrap();
        let publisher = End::start(&net.publisher(), [PUBLISHER_BAD, SIGNER_BAD], badness, to_publisher, from_publisher);
        let signer = End::start(&net.signer(), [SIGNER_BAD, PUBLISHER_BAD], badness, to_signer, from_signer);
        Some(Self { ends: [publisher, signer] })
    }

    /// Takes it away; what it did.
    #[must_use]
    pub fn end(mut self) -> Traffic {
        let mut all = Traffic::default();
        for end in &mut self.ends {
            let pid = Pid::from_raw(end.process.id().try_into().unwrap()).unwrap();
            kill_process(pid, Signal::TERM).unwrap();
            let mut said = String::new();
            let _ = end.said.read_to_string(&mut said).unwrap();
            let numbers: Vec<u64> = said.split_whitespace().map(|n| n.parse().unwrap_or_else(|_| panic!("{said}"))).collect();
            let [carried, late, lost] = numbers[..] else { panic!("{said:?}") };
            (all.carried, all.late, all.lost) =
                (all.carried.saturating_add(carried), all.late.saturating_add(late), all.lost.saturating_add(lost));
        }
        all
    }
}

impl End {
    fn start(words: &[String], [here, there]: [&str; 2], badness: Badness, from: PipeReader, to: PipeWriter) -> Self {
        let Badness { delay, further, late, lost } = badness;
        let mut command = Command::new("/usr/bin/python3");
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/link.py")).args([here, there]);
        // Chance is the same in each run; what it falls on is not.
        command.args([delay, further, late, lost, 7].map(|n| n.to_string()));
        let mut process = within(words, &command).stdin(from).stdout(to).stderr(std::process::Stdio::piped()).spawn().unwrap();
        let mut said = BufReader::new(process.stderr.take().unwrap());
        let mut line = String::new();
        let _ = said.read_line(&mut line).unwrap();
        if line != "there\n" {
            let _ = said.read_to_string(&mut line);
            panic!("no network device can be made here; set CHANCERY_SKIP=tun: {line}");
        }
        Self { process, said }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

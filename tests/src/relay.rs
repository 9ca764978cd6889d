//! A relay, and a proxy that looks at what passes, or loses it.

use crate::host::KeyHost;
use crate::run::{program, run};
use rustix::process::Signal;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A relay's profiles, and its process while it runs; it is stopped when dropped.
pub struct Relay {
    profiles: Vec<PathBuf>,
    options: Vec<String>,
    signer: String,
    clients: Vec<String>,
    metrics: Option<String>,
    log: PathBuf,
    process: Option<Child>,
    within: Vec<String>,
}

impl Relay {
    /// Enrols a relay at each of these key hosts, and starts it with these options.
    #[must_use]
    pub fn start(hosts: &[&KeyHost], fronts: &[&str], options: &[&str]) -> Self {
        Self::start_within(Vec::new(), "127.0.0.1:0", hosts, fronts, options)
    }

    /// The same behind these words, with key hosts that park at this address.
    #[must_use]
    pub fn start_within(within: Vec<String>, signer: &str, hosts: &[&KeyHost], fronts: &[&str], options: &[&str]) -> Self {
        let profiles: Vec<PathBuf> = hosts.iter().map(|host| enroll(host)).collect();
        let log = profiles[0].with_file_name("log");
        let clients = fronts.iter().map(|front| (*front).to_owned()).collect();
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut relay = Self { profiles, options, signer: signer.to_owned(), clients, metrics: None, log, process: None, within };
        relay.start_again();
        relay
    }

    /// Its command, as it would be started now.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(program("chancery"));
        command.args(["relay", "--listen-signer", &self.signer]).args(&self.options);
        command.arg("--profile").arg(&self.profiles[0]);
        for profile in &self.profiles[1..] {
            command.arg("--also").arg(profile);
        }
        for front in &self.clients {
            command.args(["--listen", front]);
        }
        if self.within.is_empty() { command } else { crate::net::within(&self.within, &command) }
    }

    /// Starts it where it was before.
    pub fn start_again(&mut self) {
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let mut process = self.command().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said = line.trim().strip_prefix("chancery relay ready: ").unwrap_or_else(|| panic!("the relay said {line:?}: {}", self.said()));
        let parts = said.split(' ').map(|part| part.split_once('=').unwrap());
        self.metrics = parts.clone().find(|(name, _)| *name == "metrics").map(|(_, address)| address.to_owned());
        let mut addresses = parts.map(|(_, address)| address.to_owned());
        self.signer = addresses.next().unwrap();
        for (front, address) in self.clients.iter_mut().zip(addresses) {
            let name = front.split_once('=').map(|(_, name)| format!("={name}")).unwrap_or_default();
            *front = format!("{address}{name}");
        }
        self.process = Some(process);
    }

    /// Where key hosts park.
    #[must_use]
    pub fn signer(&self) -> &str {
        &self.signer
    }

    /// The address of the `n`th front.
    #[must_use]
    pub fn client(&self, n: usize) -> &str {
        self.clients[n].split('=').next().unwrap()
    }

    /// Where its numbers are.
    #[must_use]
    pub fn metrics(&self) -> &str {
        self.metrics.as_deref().expect("the relay was not started with --metrics")
    }

    /// What it said on standard error so far, in all its runs.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Its first profile.
    #[must_use]
    pub fn profile(&self) -> &Path {
        &self.profiles[0]
    }

    /// Puts a profile and a key from another key host where its first ones are.
    pub fn enroll_anew(&self, host: &KeyHost) {
        let made = enroll(host);
        for extension in ["toml", "key"] {
            std::fs::copy(made.with_extension(extension), self.profile().with_extension(extension)).unwrap();
        }
    }

    /// Has it read its profiles again, and waits until it did; gives the line that it says.
    #[must_use]
    pub fn reload(&self) -> String {
        let before = self.said().lines().count();
        KeyHost::signal(self.process.as_ref().expect("the relay is not started").id(), Signal::HUP);
        let start = std::time::Instant::now();
        loop {
            let said = self.said();
            let complete = said.split_inclusive('\n').skip(before).filter(|line| line.ends_with('\n'));
            if let Some(line) = complete.into_iter().find(|line| line.contains("profiles were read again")) {
                return line.to_owned();
            }
            assert!(start.elapsed() < Duration::from_secs(20), "the relay does not read its profiles again: {said}");
            std::thread::yield_now();
        }
    }

    /// The endpoint of the `n`th front, for profiles.
    #[must_use]
    pub fn endpoint(&self, n: usize) -> String {
        format!("https://{}", self.client(n))
    }

    /// Kills it.
    pub fn kill(&mut self) {
        let mut process = self.process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Stops it in order; gives its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let mut process = self.process.take()?;
        KeyHost::signal(process.id(), Signal::TERM);
        process.wait().unwrap().code()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            println!("the relay said:\n{}", self.said());
        }
    }
}

/// Enrols a relay at a key host; gives its profile.
fn enroll(host: &KeyHost) -> PathBuf {
    let dir = host.temp().join("relay");
    std::fs::create_dir_all(&dir).unwrap();
    let _ = run(Command::new(program("chancery")).args(["enroll-request", "relay1", "--out"]).arg(&dir)).ok();
    let profile = dir.join("relay1.toml");
    let mut enroll = host.chanceryd_plain(&["enroll", "relay1", "--role", "relay"]);
    let _ = run(enroll.arg("--csr").arg(dir.join("relay1.csr")).arg("--out").arg(&profile)).ok();
    profile
}

/// What is wrong with a link. The kernel below is sound: bytes come late or not at all, and never in another order.
#[derive(Debug, Clone)]
pub enum Flaw {
    /// All that is written waits for so long.
    Slow(Duration),
    /// Each byte comes alone.
    Bytewise,
    /// After so many bytes it stands still.
    Stalls {
        /// Bytes between two pauses, in both directions together.
        every: usize,
        /// How long it stands still.
        pause: Duration,
    },
    /// The `n`th connection carries so many bytes, in both directions together, and then nothing; and nobody is told. Those after the
    /// last begin anew.
    HalfOpen(Vec<Option<usize>>),
}

/// Carries connections to an address, and keeps what passes.
pub struct Proxy {
    address: String,
    connections: Arc<Mutex<Vec<Arc<Carried>>>>,
}

/// A connection through a [`Proxy`].
#[derive(Default)]
struct Carried {
    flaw: Option<Flaw>,
    number: usize,
    lossy: AtomicBool,
    passed: Mutex<Vec<u8>>,
    lost: Mutex<Vec<u8>>,
}

impl Proxy {
    /// Starts it in front of `target`.
    #[must_use]
    pub fn start(target: &str) -> Self {
        Self::start_with(target, None)
    }

    /// The same, with something wrong.
    #[must_use]
    pub fn with(target: &str, flaw: Flaw) -> Self {
        Self::start_with(target, Some(flaw))
    }

    fn start_with(target: &str, flaw: Option<Flaw>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let connections: Arc<Mutex<Vec<Arc<Carried>>>> = Arc::default();
        let (target, all) = (target.to_owned(), Arc::clone(&connections));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&target) else { continue };
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                let number = all.lock().unwrap().len();
                let carried = Arc::new(Carried { flaw: flaw.clone(), number, ..Carried::default() });
                all.lock().unwrap().push(Arc::clone(&carried));
                for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
                    let carried = Arc::clone(&carried);
                    std::thread::spawn(move || carried.pump(&mut from, &mut to));
                }
            }
        });
        Self { address, connections }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// From now on nothing passes over the connections there are, and none of them is closed: as on a network that lost them.
    pub fn lose(&self) {
        for carried in self.connections.lock().unwrap().iter() {
            carried.lossy.store(true, Ordering::SeqCst);
        }
    }

    /// How many connections came.
    #[must_use]
    pub fn count(&self) -> usize {
        self.connections.lock().unwrap().len()
    }

    /// All bytes that passed.
    #[must_use]
    pub fn passed(&self) -> Vec<u8> {
        self.connections.lock().unwrap().iter().flat_map(|c| c.passed.lock().unwrap().clone()).collect()
    }

    /// The bytes that each lost connection was to carry.
    #[must_use]
    pub fn lost(&self) -> Vec<usize> {
        let lossy = |c: &&Arc<Carried>| c.lossy.load(Ordering::SeqCst);
        self.connections.lock().unwrap().iter().filter(lossy).map(|c| c.lost.lock().unwrap().len()).collect()
    }
}

impl Carried {
    fn pump(&self, from: &mut TcpStream, to: &mut TcpStream) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(n) = from.read(&mut buffer)
            && n > 0
        {
            if self.lossy.load(Ordering::SeqCst) {
                self.lost.lock().unwrap().extend(&buffer[..n]);
                continue;
            }
            if self.forward(&buffer[..n], to).is_err() {
                break;
            }
        }
        if !self.lossy.load(Ordering::SeqCst) {
            let _ = to.shutdown(Shutdown::Write);
        }
    }

    fn forward(&self, bytes: &[u8], to: &mut TcpStream) -> std::io::Result<()> {
        let before = {
            let mut passed = self.passed.lock().unwrap();
            let before = passed.len();
            passed.extend(bytes);
            before
        };
        match &self.flaw {
            None => to.write_all(bytes),
            Some(Flaw::Slow(delay)) => {
                std::thread::sleep(*delay);
                to.write_all(bytes)
            }
            Some(Flaw::Bytewise) => bytes.iter().try_for_each(|byte| to.write_all(&[*byte])),
            Some(Flaw::Stalls { every, pause }) => {
                let until = every.saturating_sub(before.checked_rem(*every).unwrap_or(0)).min(bytes.len());
                to.write_all(&bytes[..until])?;
                if until < bytes.len() {
                    std::thread::sleep(*pause);
                }
                to.write_all(&bytes[until..])
            }
            Some(Flaw::HalfOpen(cuts)) => {
                let left = cuts.iter().cycle().nth(self.number).copied().flatten().map_or(bytes.len(), |cut| cut.saturating_sub(before));
                if left < bytes.len() {
                    self.lossy.store(true, Ordering::SeqCst);
                }
                to.write_all(&bytes[..left.min(bytes.len())])
            }
        }
    }
}

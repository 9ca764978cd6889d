//! A key host in a temporary directory.

use crate::publisher::Publisher;
use crate::run::{program, run};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The passphrase of every key host under test.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// What a key host is to have.
#[derive(Default)]
pub struct Setup {
    /// Keys: name, and what for.
    pub keys: Vec<(String, String)>,
    /// The text of `policy.toml`.
    pub policy: String,
    /// Replacements in `signer.toml`.
    pub config: Vec<(String, String)>,
    /// Its names, when it is not `localhost`.
    pub names: Vec<String>,
    /// Where to make it, when not in a temporary directory of its own.
    pub log_dir: Option<PathBuf>,
}

impl Setup {
    /// A key host with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// With one more key.
    #[must_use]
    pub fn key(mut self, name: &str, constructions: &str) -> Self {
        self.keys.push((name.to_owned(), constructions.to_owned()));
        self
    }

    /// With one more grant for `spiffe://localhost/publisher/PUBLISHER`.
    #[must_use]
    pub fn grant(mut self, publisher: &str, key: &str, constructions: &[&str], subject: &str, more: &str) -> Self {
        let text = format!(
            "[[grant]]\nprincipal = \"spiffe://localhost/publisher/{publisher}\"\nkey = \"{key}\"\nconstructions = {constructions:?}\nsubject = \"{subject}\"\n{more}\n"
        );
        self.policy.push_str(&text);
        self
    }

    /// With other text in `signer.toml`.
    #[must_use]
    pub fn config(mut self, from: &str, to: &str) -> Self {
        self.config.push((from.to_owned(), to.to_owned()));
        self
    }

    /// Under another name, with the grants that it has so far.
    #[must_use]
    pub fn named(mut self, name: &str) -> Self {
        self.policy = self.policy.replace("spiffe://localhost/", &format!("spiffe://{name}/"));
        self.names = vec![name.to_owned()];
        self
    }

    /// Makes it, without starting it.
    #[must_use]
    pub fn make(self) -> KeyHost {
        let temp = TempDir::new().unwrap();
        let dir = temp.path().join("keyhost");
        let passphrase = temp.path().join("passphrase");
        fs::write(&passphrase, PASSPHRASE).unwrap();
        fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
        let usual = || vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let names = if self.names.is_empty() { usual() } else { self.names.clone() };
        let mut host = KeyHost { temp, dir, passphrase, serving: None, mount: None, within: Vec::new() };
        let _ = host
            .chanceryd(&["init"])
            .arg(&host.dir)
            .args(names.iter().flat_map(|name| ["--name", name.as_str()]))
            .args(["--listen", "127.0.0.1:0"])
            .spawn_ok();
        for (name, constructions) in &self.keys {
            let _ = host.chanceryd(&["key", "new", name, "--for", constructions]).arg("--dir").arg(&host.dir).spawn_ok();
        }
        host.write("policy.toml", &self.policy);
        let mut config = host.read("signer.toml");
        for (from, to) in &self.config {
            assert!(config.contains(from), "{from} is not in signer.toml");
            config = config.replace(from, to);
        }
        host.write("signer.toml", &config);
        host.serving = None;
        host
    }

    /// Makes it and starts it.
    #[must_use]
    pub fn start(self) -> KeyHost {
        let mut host = self.make();
        host.serve();
        host
    }
}

/// A key host; it is stopped when dropped.
pub struct KeyHost {
    temp: TempDir,
    dir: PathBuf,
    passphrase: PathBuf,
    serving: Option<Serving>,
    mount: Option<String>,
    within: Vec<String>,
}

struct Serving {
    gateway: Child,
    address: String,
    said: Arc<Said>,
}

/// Lines of the processes' log.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

trait SpawnOk {
    fn spawn_ok(&mut self) -> crate::Output;
}

impl SpawnOk for Command {
    fn spawn_ok(&mut self) -> crate::Output {
        run(self).ok()
    }
}

impl KeyHost {
    /// The key host's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// A directory beside it for other things of the test.
    #[must_use]
    pub fn temp(&self) -> &Path {
        self.temp.path()
    }

    /// The static files of its log.
    #[must_use]
    pub fn public(&self) -> PathBuf {
        self.dir.join("log/public")
    }

    /// The file with its passphrase.
    #[must_use]
    pub fn passphrase_file(&self) -> &Path {
        &self.passphrase
    }

    /// Reads a file of its directory.
    #[must_use]
    pub fn read(&self, name: &str) -> String {
        fs::read_to_string(self.dir.join(name)).unwrap()
    }

    /// Writes a file of its directory.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.join(name), text).unwrap();
    }

    /// A command of `chanceryd` with the passphrase at hand.
    #[must_use]
    pub fn chanceryd(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("chanceryd"));
        command.args(arguments).arg("--passphrase-file").arg(&self.passphrase);
        command
    }

    /// A command of `chanceryd` that needs no passphrase.
    #[must_use]
    pub fn chanceryd_plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("chanceryd"));
        command.args(arguments).arg("--dir").arg(&self.dir);
        command
    }

    /// The log's verification key.
    #[must_use]
    pub fn vkey(&self) -> String {
        run(&mut self.chanceryd_plain(&["log", "vkey"])).ok().stdout.trim().to_owned()
    }

    /// From the next start on, its processes see another file system at its log directory, and nobody else does: `script` mounts it on
    /// `$LOG`. `None` ends that.
    pub fn mount_log(&mut self, script: Option<&str>) {
        self.mount = script.map(str::to_owned);
    }

    /// From the next start on, its command stands behind these words.
    pub fn place(&mut self, words: Vec<String>) {
        self.within = words;
    }

    /// Its directory as its processes see it.
    #[must_use]
    pub fn inside(&self) -> PathBuf {
        let dir = self.dir.to_str().unwrap();
        PathBuf::from(format!("/proc/{}/root{dir}", self.gateway_pid()))
    }

    /// The command that starts it.
    fn serve_command(&self) -> Command {
        let mut serve = self.chanceryd(&["serve"]);
        serve.arg("--dir").arg(&self.dir);
        let Some(script) = &self.mount else { return serve };
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        command.args(["sh", "-euc", &format!("{script}; exec \"$@\""), "sh"]).arg(serve.get_program()).args(serve.get_args());
        command.env("LOG", self.dir.join("log"));
        command
    }

    /// Starts it and waits until it is ready.
    pub fn serve(&mut self) {
        if let Err(output) = self.try_serve() {
            panic!("the key host did not start: {output}");
        }
    }

    /// Starts it; gives what it said when it does not come up.
    ///
    /// # Errors
    /// Its standard error.
    pub fn try_serve(&mut self) -> Result<(), String> {
        let mut command = self.serve_command();
        if !self.within.is_empty() {
            command = crate::net::within(&self.within, &command);
        }
        let mut gateway = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(gateway.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut stderr = BufReader::new(gateway.stderr.take().unwrap());
        let ready = line.trim().strip_prefix("chanceryd ready ");
        let Some(address) = ready.and_then(|at| at.strip_prefix("on ").or_else(|| at.strip_prefix("through "))) else {
            gateway.wait().unwrap();
            let mut said = String::new();
            stderr.read_to_string(&mut said).unwrap();
            return Err(said);
        };
        // A pipe that nobody reads would block the gateway once it is full.
        let said = Arc::new(Said::default());
        let hearing = Arc::clone(&said);
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                hearing.lines.lock().unwrap().push(line);
                hearing.more.notify_all();
            }
        });
        self.serving = Some(Serving { gateway, address: address.to_owned(), said });
        Ok(())
    }

    /// Where it listens, as `127.0.0.1:PORT`; or the relay that it dials.
    #[must_use]
    pub fn address(&self) -> String {
        self.serving.as_ref().expect("the key host is not started").address.clone()
    }

    /// How many lines its log has.
    #[must_use]
    pub fn said(&self) -> usize {
        self.serving.as_ref().expect("the key host is not started").said.lines.lock().unwrap().len()
    }

    /// Waits for a line of its log with this text, after the first `after` lines; gives the line.
    ///
    /// # Panics
    /// After twenty seconds.
    #[must_use]
    pub fn wait_said(&self, after: usize, text: &str) -> String {
        let said = &self.serving.as_ref().expect("the key host is not started").said;
        let found = |lines: &Vec<String>| lines.iter().skip(after).find(|line| line.contains(text)).cloned();
        let lines = said.lines.lock().unwrap();
        let (lines, _) = said.more.wait_timeout_while(lines, Duration::from_secs(20), |lines| found(lines).is_none()).unwrap();
        found(&lines).unwrap_or_else(|| panic!("the key host does not say {text:?}: {}", lines.join("\n")))
    }

    /// All lines of its log so far.
    #[must_use]
    pub fn all_said(&self) -> Vec<String> {
        self.serving.as_ref().expect("the key host is not started").said.lines.lock().unwrap().clone()
    }

    /// Has it read certificates and policy again, and waits until it did; gives what it says of each.
    #[must_use]
    pub fn reload(&self) -> [String; 2] {
        let after = self.said();
        Self::signal(self.gateway_pid(), Signal::HUP);
        ["loaded: certificates", "the policy"].map(|what| self.wait_said(after, what))
    }

    /// Where clients find it.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("https://{}", self.address())
    }

    /// The gateway's process.
    #[must_use]
    pub fn gateway_pid(&self) -> u32 {
        self.serving.as_ref().expect("the key host is not started").gateway.id()
    }

    /// The keeper's process: the gateway's only child.
    #[must_use]
    pub fn keeper_pid(&self) -> u32 {
        let pid = self.gateway_pid();
        let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
        let of_threads = || {
            let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
            tasks.map(|t| fs::read_to_string(t.unwrap().path().join("children")).unwrap_or_default()).collect::<String>()
        };
        let all = if children.trim().is_empty() { of_threads() } else { children };
        all.split_whitespace().next().expect("the gateway has no child").parse().unwrap()
    }

    /// Sends a signal to a process.
    pub fn signal(pid: u32, signal: Signal) {
        let pid = Pid::from_raw(pid.try_into().unwrap()).unwrap();
        // It may have ended already.
        let _ = kill_process(pid, signal);
    }

    /// Waits until a process that is no child of ours is gone.
    ///
    /// # Panics
    /// After ten seconds.
    pub fn wait_gone(pid: u32) {
        let start = Instant::now();
        // An orphan whose new parent does not collect it stays as a zombie, which holds nothing any more.
        let there = || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| !s.contains(") Z "));
        while there() {
            assert!(start.elapsed() < Duration::from_secs(10), "process {pid} does not end");
            std::thread::yield_now();
        }
    }

    /// Waits for the gateway's end; gives its exit code.
    pub fn wait(&mut self) -> Option<i32> {
        let mut serving = self.serving.take()?;
        serving.gateway.wait().unwrap().code()
    }

    /// Stops it in order.
    pub fn stop(&mut self) -> Option<i32> {
        Self::signal(self.gateway_pid(), Signal::TERM);
        self.wait()
    }

    /// Enrols a publisher whose key was made on its own side, with a profile for this key host's present address.
    #[must_use]
    pub fn publisher(&self, name: &str) -> Publisher {
        self.publisher_of(name, &self.endpoint())
    }

    /// The same, for an address that somebody else may have.
    #[must_use]
    pub fn publisher_of(&self, name: &str, endpoint: &str) -> Publisher {
        Publisher::enroll(self, name, endpoint)
    }
}

impl Drop for KeyHost {
    fn drop(&mut self) {
        if self.serving.is_some() {
            self.stop();
        }
    }
}

//! A publisher and its key host, made anew for each test.

mod host;
mod log;
mod pki;

pub(crate) use host::{FakeHost, Fault};
pub(crate) use log::LogKey;
pub(crate) use pki::{Pki, expired};

use chancery::{Backoff, Client, Options, Profile, StateStore};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

/// The key that the key host signs with.
pub(crate) const KEY: &str = "release";

/// A directory with a profile in it.
pub(crate) struct Publisher {
    dir: tempfile::TempDir,
}

/// What a run of `chancery` gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Publisher {
    /// A publisher that this key host knows, and that pins its keys.
    pub(crate) fn of(host: &FakeHost) -> Self {
        Self::with(host, &host.pki, &[host.endpoint()])
    }

    /// A publisher with a certificate of `pki`, who knows these endpoints.
    pub(crate) fn with(host: &FakeHost, pki: &Pki, endpoints: &[String]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let client = pki.client();
        let text = format!(
            "format = 1\nprincipal = \"spiffe://example.org/publisher/web1\"\nendpoints = {endpoints:?}\nserver_name = \"localhost\"\n\
             key_file = \"web1.key\"\nlog_vkey = \"{}\"\nca = '''\n{}'''\ncertificate = '''\n{}'''\n\
             [[keys]]\nname = \"{KEY}\"\nversion = 1\npublic_key = \"{}\"\nconstructions = [\"sshsig\", \"ostree-summary/ed25519\", \"ostree-commit/ed25519\"]\n",
            host.log_key(),
            host.pki.ca(),
            client.certificate,
            host.public().to_ostree(),
        );
        let publisher = Self { dir };
        publisher.write("web1.toml", text.as_bytes(), 0o644);
        publisher.write("web1.key", client.key.as_bytes(), 0o600);
        publisher
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        chancery_reqlog::durable::write_atomic(&self.path(name), bytes, mode).unwrap();
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    /// Has the profile pin these witnesses.
    pub(crate) fn pin_witnesses(&self, vkeys: &[String]) {
        let profile = String::from_utf8(self.read("web1.toml")).unwrap();
        self.write("web1.toml", profile.replacen("log_vkey", &format!("witness_vkeys = {vkeys:?}\nlog_vkey"), 1).as_bytes(), 0o644);
    }

    /// Names of all files, but those that are there from the beginning.
    pub(crate) fn made(&self) -> Vec<String> {
        let names = std::fs::read_dir(self.dir.path()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names.filter(|n| !["web1.toml", "web1.key"].contains(&n.as_str())).collect();
        names.sort();
        names
    }

    pub(crate) fn profile(&self) -> Profile {
        Profile::load(&self.path("web1.toml")).unwrap()
    }

    /// Runs `chancery` in the publisher's directory.
    pub(crate) fn chancery(&self, arguments: &[&str]) -> Ran {
        run(self.dir.path(), arguments)
    }

    /// A client that is impatient.
    pub(crate) async fn client(&self, state: StateStore) -> Client {
        let mut options = Options::default();
        options.deadline = Duration::from_secs(20);
        options.backoff = Backoff { first: Duration::from_millis(1), cap: Duration::from_millis(5) };
        options.state = Some(state);
        Client::connect(self.profile(), options).await.unwrap()
    }
}

fn run(dir: &Path, arguments: &[&str]) -> Ran {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chancery"));
    command.current_dir(dir).env_remove("CHANCERY_STATE").env("CHANCERY_PROFILE", "web1.toml").args(arguments);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
}

/// A runtime for tests that use the library.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

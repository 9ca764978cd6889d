//! A program in the keeper's place, and the gateway's own program in a directory of its own.

use crate::keeper::FakeKeeper;
use crate::pki::write;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use tempfile::TempDir;

/// Plays the keeper of `chanceryd serve` in a process of its own: on a socket as standard input, as the real one.
#[ignore = "not a test, but the keeper's program in other tests"]
#[tokio::test]
async fn play_the_keeper() {
    let socket = std::os::unix::net::UnixStream::from(std::io::stdin().as_fd().try_clone_to_owned().unwrap());
    // When all ignored tests are run, nobody is there to play for.
    if socket.peer_addr().is_ok() {
        socket.set_nonblocking(true).unwrap();
        FakeKeeper::on(tokio::net::UnixStream::from_std(socket).unwrap()).ended().await;
    }
}

/// The last part of the keeper's script: what it does when it is to serve.
pub(crate) enum Run<'a> {
    Play,
    Do(&'a str),
}

/// A directory with a keeper that plays one.
pub(crate) struct Place {
    temp: TempDir,
    keeper: PathBuf,
}

/// A finished command.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `chanceryd serve` at work.
pub(crate) struct Serving {
    pub(crate) child: Child,
    pub(crate) address: SocketAddr,
}

impl Place {
    pub(crate) fn new(run: Run<'_>) -> Self {
        let temp = tempfile::tempdir().unwrap();
        let keeper = temp.path().join("keeper.sh");
        let play = format!("exec {} --ignored --exact program::play_the_keeper --nocapture", std::env::current_exe().unwrap().display());
        let run = match run {
            Run::Play => &play,
            Run::Do(script) => script,
        };
        let script = format!(
            r#"#!/bin/sh
echo "$@" >> {}
case "$1 $2" in
"init "*) echo '{{"keys":"keys","log_vkey":"example.org/log+01020304+AAAA"}}' ;;
"key list") echo '[{{"name":"release","version":3,"public_key":"BwcH","constructions":["sshsig"],"created":"1970-01-01T00:00:17Z","created_seconds":17}}]' ;;
"log vkey") echo "example.org/log+01020304+AAAA" ;;
"run "*) {run} ;;
*) echo "handed over: $@"; exit 7 ;;
esac
"#,
            temp.path().join("asked").display()
        );
        write(&keeper, &script);
        fs::set_permissions(&keeper, fs::Permissions::from_mode(0o700)).unwrap();
        Self { temp, keeper }
    }

    /// With a key host that `chanceryd init` made.
    pub(crate) fn with_host(run: Run<'_>) -> Self {
        let place = Self::new(run);
        let host = place.host();
        let done = place.chanceryd(&["init", host.to_str().unwrap(), "--name", "localhost", "--listen", "127.0.0.1:0"]);
        assert_eq!(done.code, Some(0), "{done:?}");
        place
    }

    pub(crate) fn path(&self) -> &Path {
        self.temp.path()
    }

    pub(crate) fn host(&self) -> PathBuf {
        self.path().join("host")
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// The permission bits of a file.
    pub(crate) fn mode(&self, name: &str) -> u32 {
        fs::metadata(self.path().join(name)).unwrap().permissions().mode() & 0o7777
    }

    /// What the keeper was started with, one line for each time.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.read("asked").lines().map(str::to_owned).collect()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chanceryd"));
        command.current_dir(self.path()).arg("--keeper").arg(&self.keeper).arg("--dir").arg(self.host()).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    pub(crate) fn chanceryd(&self, arguments: &[&str]) -> Done {
        let done = self.command(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Done { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// Starts `chanceryd serve` and waits until it is ready.
    pub(crate) fn serve(&self) -> Serving {
        Self::wait_until_ready(self.command(&["serve", "--passphrase-file", "pass"]))
    }

    /// The same, with so many open files and no more; gives its standard error, too.
    pub(crate) fn serve_with_files(&self, files: u32) -> (Serving, BufReader<ChildStderr>) {
        let command = self.command(&["serve", "--passphrase-file", "pass"]);
        let mut limited = Command::new("sh");
        limited.arg("-c").arg(format!("ulimit -n {files}; exec \"$@\"")).arg("sh").arg(command.get_program()).args(command.get_args());
        limited.current_dir(self.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut serving = Self::wait_until_ready(limited);
        let stderr = BufReader::new(serving.child.stderr.take().unwrap());
        (serving, stderr)
    }

    fn wait_until_ready(mut command: Command) -> Serving {
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("chanceryd ready on ").and_then(|l| l.strip_suffix('\n')).map(str::parse);
        let Some(Ok(address)) = address else { panic!("{line:?}: {}", rest(child.stderr.take().unwrap())) };
        Serving { child, address }
    }
}

impl Serving {
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        send(&self.child, signal);
    }

    /// Waits for the end: exit code, and all that was written to standard error, by the keeper too.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let said = rest(self.child.stderr.take().unwrap());
        (self.child.wait().unwrap().code(), said)
    }
}

pub(crate) fn send(child: &Child, signal: rustix::process::Signal) {
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, signal).unwrap();
}

/// Until every process that has the other end is gone.
pub(crate) fn rest(mut stderr: ChildStderr) -> String {
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    said
}

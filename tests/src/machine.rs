//! A machine in name spaces, whose first process is systemd.

use crate::run::{Output, run};
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// How long Debian's base and a start may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// A small Debian that runs. When it is dropped, or the test is killed, all its processes, mounts and control groups go.
pub struct Machine {
    share: TempDir,
    keeper: Child,
    first: u32,
    group: PathBuf,
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("machine.sh")
}

impl Machine {
    /// Starts one, and waits until systemd says that it is up. What machines share lies in `base`, which is made once. `None` when `boot` is
    /// skipped.
    #[must_use]
    pub fn start(base: &Path) -> Option<Self> {
        if crate::skipped("boot") || crate::skipped("debootstrap") {
            return None;
        }
        let _ = run(Command::new(script()).arg("base").arg(base)).ok();
        let share = TempDir::new().unwrap();
        let ready = UnixDatagram::bind(share.path().join("ready")).unwrap();
        ready.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut start = Command::new(script());
        start.arg("run").arg(base).arg(share.path()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        // A runner that kills the test's process group leaves it alive to clean up.
        let keeper = start.process_group(0).spawn().unwrap();
        let mut machine = Self { share, keeper, first: 0, group: PathBuf::new() };
        let mut told = [0; 4096];
        loop {
            let length = ready.recv(&mut told).unwrap_or_else(|e| panic!("the machine is not up: {e}: {}", machine.console()));
            if told[..length].split(|b| *b == b'\n').any(|line| line == b"READY=1") {
                break;
            }
        }
        let unshare = child(machine.keeper.id(), "unshare");
        machine.first = child(unshare, "systemd");
        machine.group = fs::read_to_string(machine.share.path().join("group")).unwrap().trim().into();
        Some(machine)
    }

    /// A directory that is `/share` in the machine.
    #[must_use]
    pub fn share(&self) -> &Path {
        self.share.path()
    }

    /// Where its control groups are.
    #[must_use]
    pub fn group(&self) -> &Path {
        &self.group
    }

    /// What runs a script in it, as root.
    #[must_use]
    pub fn command(&self, shell: &str) -> Command {
        let mut enter = Command::new("sh");
        // In a control group of its own, since systemd can say nothing of processes in a group that it does not see.
        enter.args(["-c", "echo $$ >\"$0/init.scope/cgroup.procs\" && exec \"$@\""]).arg(&self.group);
        enter.args(["nsenter", "--target", &self.first.to_string(), "--mount", "--pid", "--uts", "--ipc", "--net", "--cgroup"]);
        enter.args(["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LC_ALL=C.UTF-8", "SYSTEMD_PAGER="]);
        enter.args(["sh", "-euc", &format!("cd /root\n{shell}")]);
        enter
    }

    /// Runs a script in it, as root. Its first command that fails ends it.
    pub fn run(&self, shell: &str) -> Output {
        run(&mut self.command(shell))
    }

    /// What a script printed that must end well.
    pub fn ok(&self, shell: &str) -> String {
        let out = self.run(shell);
        let journal = if out.code == 0 { String::new() } else { self.run("journalctl --no-pager -b -n 60").stdout };
        assert_eq!(out.code, 0, "{shell}: {out:#?}\n{journal}");
        out.stdout
    }

    fn console(&self) -> String {
        fs::read_to_string(self.share.path().join("console")).unwrap_or_default()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// The child of this name. There must be one.
fn child(of: u32, name: &str) -> u32 {
    let children = fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap();
    let named = |id: &&str| fs::read_to_string(format!("/proc/{id}/comm")).is_ok_and(|comm| comm.trim() == name);
    children.split_whitespace().find(named).unwrap_or_else(|| panic!("{name} is no child of {of}: {children}")).parse().unwrap()
}

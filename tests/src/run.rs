//! Running programs: ours from the build directory, others' from the path.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// What a program printed, and how it ended.
#[derive(Debug)]
pub struct Output {
    /// Exit code; 128 and more for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// The output of a program that must have ended well.
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:#?}");
        self
    }

    /// The output of a program that must have ended with this code, and said this on standard error.
    #[must_use]
    pub fn failed(self, code: i32, says: &str) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(self.stderr.contains(says), "should say {says:?}: {self:#?}");
        self
    }
}

/// Runs a command to its end, with nothing on standard input.
pub fn run(command: &mut Command) -> Output {
    let out = command.stdin(Stdio::null()).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Output { code: out.status.code().unwrap_or(128), stdout: text(out.stdout), stderr: text(out.stderr) }
}

/// A program of ours, built beside the test: `cargo build --workspace --bins` makes them.
#[must_use]
pub fn program(name: &str) -> PathBuf {
    let exe = std::env::current_exe().unwrap();
    let found = exe.ancestors().skip(1).take(3).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: run `cargo build --workspace --bins` with the same profile first"))
}

/// Whether `CHANCERY_SKIP` names this.
#[must_use]
pub fn skipped(name: &str) -> bool {
    let skipped = std::env::var("CHANCERY_SKIP").unwrap_or_default();
    skipped.split([',', ' ']).any(|s| s == name)
}

/// A command of somebody else's tool. `None` when it is missing and `CHANCERY_SKIP` names it; missing and not named is a failure.
#[must_use]
pub fn tool(name: &str) -> Option<Command> {
    if skipped(name) {
        return None;
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file());
    let found = found.unwrap_or_else(|| panic!("{name} is missing: tests/run.sh installs it, or set CHANCERY_SKIP={name}"));
    Some(Command::new(found))
}

//! Programs of other languages that answer questions, with the libraries that they need at fixed versions.

use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The folder `tests` of the project.
fn tests() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().find(|dir| dir.join("tests/python").is_dir());
    root.unwrap().join("tests")
}

/// Where the libraries named by `list` are; `install` puts them there when they are not.
fn installed(name: &str, list: &Path, install: impl FnOnce(&Path)) -> PathBuf {
    let base = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = base.join(name);
    // One installation at a time: tests run in processes of their own.
    let lock = fs::File::create(base.join(format!("{name}.lock"))).unwrap();
    lock.lock().unwrap();
    let wanted = fs::read_to_string(list).unwrap();
    let mark = dir.join("installed");
    if fs::read_to_string(&mark).ok().as_ref() != Some(&wanted) {
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        install(&dir);
        fs::write(&mark, wanted).unwrap();
    }
    dir
}

fn run(command: &mut Command, without: &str) {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}; CHANCERY_SKIP={without} does without"));
    assert!(output.status.success(), "{command:?}: {output:?}; CHANCERY_SKIP={without} does without");
}

/// Gives `cases` to a script of `tests/python` and returns its answer.
pub(crate) fn python(script: &str, cases: &Value) -> Value {
    let list = tests().join("python/requirements.txt");
    let dir = installed("python-tuf", &list, |dir| {
        run(Command::new("python3").args(["-m", "venv"]).arg(dir), "python-tuf");
        let mut pip = Command::new(dir.join("bin/pip"));
        run(pip.args(["install", "--quiet", "--disable-pip-version-check", "--requirement"]).arg(&list), "python-tuf");
    });
    ask(Command::new(dir.join("bin/python")).arg(tests().join("python").join(script)), cases)
}

/// Gives `cases` to a script of `tests/node` and returns its answer.
pub(crate) fn node(script: &str, cases: &Value) -> Value {
    let list = tests().join("node/package.json");
    let dir = installed("node-sigstore", &list, |dir| {
        fs::copy(&list, dir.join("package.json")).unwrap();
        let options = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"];
        run(Command::new("npm").current_dir(dir).args(options), "npm");
    });
    ask(Command::new("node").env("NODE_PATH", dir.join("node_modules")).arg(tests().join("node").join(script)), cases)
}

fn ask(command: &mut Command, cases: &Value) -> Value {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The scripts read everything before they answer.
    child.stdin.take().unwrap().write_all(cases.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Hex digits in lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes that hex digits stand for.
pub(crate) fn unhex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

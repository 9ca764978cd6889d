//! `chancery agent` before the programs that speak to an ssh-agent.

use chancery_tests::{KeyHost, Output, Publisher, Setup, run, tool};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

struct Bench {
    host: KeyHost,
    publisher: Publisher,
    public: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let host = Setup::new()
            .key("ssh", "sshsig")
            .key("ed", "ostree-summary")
            .grant("web1", "ssh", &["sshsig"], "prod", "namespaces = [\"file\", \"git\"]")
            .start();
        let publisher = host.publisher("web1");
        let public = host.temp().join("ssh.pub");
        let text = run(&mut host.chanceryd_plain(&["key", "export", "ssh", "--format", "ssh"])).ok().stdout;
        fs::write(&public, text).unwrap();
        Self { host, publisher, public }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.host.temp().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs a command under an agent of its own.
    fn under(&self, command: &Command) -> Output {
        let mut agent = self.publisher.chancery(&["agent", "--subject", "prod", "--receipts"]);
        agent.arg(self.host.temp()).arg("--").arg(command.get_program()).args(command.get_args());
        run(&mut agent)
    }

    fn entries(&self) -> u64 {
        let checkpoint = fs::read_to_string(self.host.public().join("checkpoint")).unwrap();
        checkpoint.lines().nth(1).unwrap().parse().unwrap()
    }

    fn listen(&self, socket: &Path) -> Listening {
        let mut command = self.publisher.chancery(&["agent", "--subject", "prod", "--socket"]);
        let mut child = command.arg(socket).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, format!("SSH_AUTH_SOCK={}; export SSH_AUTH_SOCK;\n", socket.display()));
        Listening(child)
    }
}

struct Listening(Child);

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn sign(namespace: &str, public: &Path, file: &Path) -> Option<Command> {
    let mut command = tool("ssh-keygen")?;
    command.args(["-Y", "sign", "-n", namespace, "-f"]).arg(public).arg(file);
    Some(command)
}

#[test]
fn ssh_keygen_signs_through_the_agent_in_granted_namespaces_only() {
    let bench = Bench::new();
    let file = bench.file("tool.tar.gz", "content\n");
    let Some(command) = sign("file", &bench.public, &file) else { return };
    let _ = bench.under(&command).ok();
    let signers = bench.file("signers", &format!("prod {}", fs::read_to_string(&bench.public).unwrap()));
    let signature = bench.host.temp().join("tool.tar.gz.sig");
    let verify = |file: &Path| {
        let mut command = tool("ssh-keygen").unwrap();
        command.args(["-Y", "verify", "-n", "file", "-I", "prod", "-f"]).arg(&signers).arg("-s").arg(&signature);
        command.stdin(fs::File::open(file).unwrap()).stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    };
    assert!(verify(&file));
    assert!(!verify(&bench.file("changed", "Content\n")));

    let mut files = fs::read_dir(bench.host.temp()).unwrap().map(|entry| entry.unwrap().path());
    let receipt = files.find(|path| path.extension().is_some_and(|e| e == "tlog-proof")).unwrap();
    let mut command = bench.publisher.chancery(&["verify", "sshsig", "--key", "ssh", "--receipt"]);
    let _ = run(command.arg(&receipt).arg(&file)).ok();

    let refused = bench.file("other", "content\n");
    let output = bench.under(&sign("email", &bench.public, &refused).unwrap());
    assert_ne!(output.code, 0, "{output:#?}");
    assert!(output.stderr.contains("namespace-not-granted"), "{output:#?}");
    assert!(!bench.host.temp().join("other.sig").exists());
}

#[test]
fn git_signs_through_the_agent_as_it_is_configured_for_any_agent() {
    let bench = Bench::new();
    let Some(mut init) = tool("git") else { return };
    let repo = bench.host.temp().join("repo");
    let _ = run(init.args(["init", "--quiet"]).arg(&repo)).ok();
    let key = fs::read_to_string(&bench.public).unwrap();
    let signers = bench.file("signers", &format!("author@example.org {key}"));
    let git = |arguments: &[&str]| {
        let mut command = tool("git").unwrap();
        command.arg("-C").arg(&repo).args(["-c", "user.name=A", "-c", "user.email=author@example.org", "-c", "gpg.format=ssh"]);
        command.args(["-c", &format!("user.signingkey=key::{}", key.trim()), "-c"]);
        command.arg(format!("gpg.ssh.allowedSignersFile={}", signers.display())).args(arguments);
        command
    };
    let _ = bench.under(&git(&["commit", "--quiet", "--allow-empty", "-S", "-m", "First"])).ok();
    let _ = run(&mut git(&["verify-commit", "HEAD"])).ok();
}

#[test]
fn an_agent_lists_its_keys_takes_none_and_belongs_to_its_user() {
    let bench = Bench::new();
    if tool("ssh-keygen").is_none() {
        return;
    }
    let socket = bench.host.temp().join("agent.sock");
    // Left behind by an agent that was killed.
    drop(UnixListener::bind(&socket).unwrap());
    let _agent = bench.listen(&socket);
    assert_eq!(fs::metadata(&socket).unwrap().permissions().mode() & 0o777, 0o600);
    let add = |arguments: &[&str]| run(tool("ssh-add").unwrap().env("SSH_AUTH_SOCK", &socket).args(arguments));
    let listed = add(&["-L"]).ok().stdout;
    assert_eq!(listed.lines().count(), 1, "the key for summaries is not offered: {listed}");
    assert!(listed.contains(fs::read_to_string(&bench.public).unwrap().split(' ').nth(1).unwrap().trim()), "{listed}");
    let own = bench.host.temp().join("own");
    let _ = run(tool("ssh-keygen").unwrap().args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&own)).ok();
    assert_ne!(add(&[own.to_str().unwrap()]).code, 0);
    assert_ne!(add(&["-D"]).code, 0);
    let mut second = bench.publisher.chancery(&["agent", "--subject", "prod", "--socket"]);
    let _ = run(second.arg(&socket)).failed(2, "listens at");
    let _ = add(&["-l"]).ok();
}

/// Neither a login nor a certificate, which other programs have agents sign, and no entry in the log either.
#[test]
fn an_agent_signs_no_login_and_no_certificate() {
    let bench = Bench::new();
    let Some(mut certificate) = tool("ssh-keygen") else { return };
    let before = bench.entries();
    let user = bench.host.temp().join("user");
    let _ = run(tool("ssh-keygen").unwrap().args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&user)).ok();
    certificate.args(["-Us"]).arg(&bench.public).args(["-I", "id", "-n", "root"]).arg(user.with_extension("pub"));
    let output = bench.under(&certificate);
    assert_ne!(output.code, 0, "{output:#?}");
    assert!(output.stderr.contains("and nothing else, no login either"), "{output:#?}");

    let socket = bench.host.temp().join("agent.sock");
    let _agent = bench.listen(&socket);
    let text = fs::read_to_string(&bench.public).unwrap();
    let blob = base64(text.split(' ').nth(1).unwrap().trim());
    let mut login = string(&[9; 32]);
    login.push(50);
    for part in [b"root".as_slice(), b"ssh-connection", b"publickey"] {
        login.extend(string(part));
    }
    login.push(1);
    login.extend(string(b"ssh-ed25519"));
    login.extend(string(&blob));
    let request = [&[13], string(&blob).as_slice(), &string(&login), &[0; 4]].concat();
    let mut stream = UnixStream::connect(&socket).unwrap();
    stream.write_all(&string(&request)).unwrap();
    let mut answer = [0; 5];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, [0, 0, 0, 1, 5], "SSH_AGENT_FAILURE");
    assert_eq!(bench.entries(), before);
}

#[test]
fn a_connection_that_sends_without_end_is_ended_and_the_agent_serves_on() {
    let bench = Bench::new();
    if tool("ssh-keygen").is_none() {
        return;
    }
    let socket = bench.host.temp().join("agent.sock");
    let _agent = bench.listen(&socket);
    let mut stream = UnixStream::connect(&socket).unwrap();
    let sent = std::iter::repeat_n(vec![0xff; 1024 * 1024], 64).take_while(|bytes| stream.write_all(bytes).is_ok()).count();
    assert!(sent < 20, "{sent} MiB were taken");
    let _ = run(tool("ssh-add").unwrap().env("SSH_AUTH_SOCK", &socket).arg("-l")).ok();
}

fn string(bytes: &[u8]) -> Vec<u8> {
    [&u32::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

fn base64(text: &str) -> Vec<u8> {
    let mut child = Command::new("openssl").args(["base64", "-d", "-A"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    child.wait_with_output().unwrap().stdout
}

#[test]
fn the_exit_code_of_the_command_is_that_of_the_agent() {
    let bench = Bench::new();
    let mut command = Command::new("sh");
    command.args(["-c", "test -S \"$SSH_AUTH_SOCK\" && exit 7"]);
    assert_eq!(bench.under(&command).code, 7);
    let mut none = bench.publisher.chancery(&["agent", "--key", "ed", "--subject", "prod", "--", "true"]);
    let _ = run(&mut none).failed(2, "made for sshsig");
}

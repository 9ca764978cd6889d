//! What `deploy/` ships: units, users, rules, and a gateway beside a keeper that its own service runs.

use chancery_tests::{KeyHost, Setup, program, run, skipped, tool};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tempfile::TempDir;

/// `systemd-analyze security` gives 0 for nothing to gain and 10 for no wall at all; ten times that is asked for here.
const KEEPER: &str = "3";
const NETWORKED: &str = "15";

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").canonicalize().unwrap()
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut all: Vec<_> = fs::read_dir(deploy().join(folder)).unwrap().map(|f| f.unwrap().path()).collect();
    all.sort();
    all
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

#[test]
fn units_are_walled_in() {
    let Some(mut threshold) = tool("systemd-analyze") else { return };
    threshold.args(["security", "--offline=true"]);
    for unit in files("systemd").iter().filter(|u| u.extension().is_some_and(|e| e == "service")) {
        let most = if name(unit).contains("keeper") || name(unit).contains("chancery-log") { KEEPER } else { NETWORKED };
        let mut analyze = Command::new(threshold.get_program());
        analyze.args(threshold.get_args()).arg(format!("--threshold={most}")).arg(unit);
        let _ = run(&mut analyze).ok();
    }
    let socket = fs::read_to_string(deploy().join("systemd/chancery-keeper.socket")).unwrap();
    for wall in ["SocketUser=chancery-gateway", "SocketMode=0600"] {
        assert!(socket.lines().any(|line| line == wall), "{wall}");
    }
}

#[test]
fn units_name_what_there_is() {
    let Some(mut verify) = tool("systemd-analyze") else { return };
    // Units name programs under /usr/bin, where none of ours need be on this machine.
    let temp = TempDir::new().unwrap();
    for unit in files("systemd") {
        let mut text = fs::read_to_string(&unit).unwrap();
        for ours in ["chanceryd", "chancery-keeper", "chancery-backup", "chancery-audit", "chancery"] {
            let there = format!("={} ", program(ours).display());
            text = text.replace(&format!("=/usr/bin/{ours} "), &there);
        }
        fs::write(temp.path().join(name(&unit)), text).unwrap();
    }
    let copies = fs::read_dir(temp.path()).unwrap().map(|f| f.unwrap().path());
    let out = run(verify.args(["verify", "--man=no", "--recursive-errors=no"]).args(copies)).ok();
    assert_eq!(out.stderr.trim(), "", "{out:#?}");
}

/// Each command of a unit is taken by the program's own parser: with `--help` at its end, every option before it must exist.
#[test]
fn units_start_commands_that_exist() {
    let settings: String = files("config").iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let settings: Vec<(String, &str)> =
        settings.lines().filter_map(|l| l.split_once('=')).map(|(name, value)| (format!("${{{name}}}"), value)).collect();
    for unit in files("systemd") {
        let text = fs::read_to_string(&unit).unwrap();
        let text = settings.iter().fold(text, |text, (name, value)| text.replace(name, value));
        for line in text.lines() {
            let Some(command) = line.strip_prefix("ExecStart=/usr/bin/") else { continue };
            let mut words = command.split_whitespace();
            let ours = words.next().unwrap();
            let out = run(Command::new(program(ours)).args(words).arg("--no-such-option"));
            assert_eq!(out.code, 2, "{}: {command}: {out:#?}", name(&unit));
            assert!(out.stderr.contains("--no-such-option"), "{}: {command}: {out:#?}", name(&unit));
        }
    }
}

#[test]
fn packet_filters_are_accepted() {
    if skipped("nft") {
        return;
    }
    let of = |file: &str, name: &str| {
        let text = fs::read_to_string(deploy().join(file)).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{file} has no {name}")).rsplit([':', ' ']).next().unwrap().to_owned()
    };
    let parks_at = of("config/relay.env", "RELAY_LISTEN_SIGNER=");
    assert_eq!(of("nftables/dial-out.nft", "define RELAY_PORT ="), parks_at, "a key host could not reach the relay as it is installed");
    for rules in files("nftables") {
        // Debian has it where only root's path leads.
        let _ = run(Command::new("/usr/sbin/nft").args(["-c", "-f"]).arg(rules)).ok();
    }
}

#[test]
fn users_and_directories_are_made() {
    let (Some(mut users), Some(mut directories)) = (tool("systemd-sysusers"), tool("systemd-tmpfiles")) else { return };
    let root = TempDir::new().unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    for folder in ["sysusers.d", "tmpfiles.d"] {
        let to = root.path().join("usr/lib").join(folder);
        fs::create_dir_all(&to).unwrap();
        for file in files(folder) {
            fs::copy(&file, to.join(name(&file))).unwrap();
        }
    }
    let at = format!("--root={}", root.path().display());
    let _ = run(users.arg(&at)).ok();
    let passwd = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    for user in ["chancery-keeper", "chancery-gateway", "chancery-audit"] {
        assert!(passwd.contains(&format!("{user}:")), "{passwd}");
    }
    let group = fs::read_to_string(root.path().join("etc/group")).unwrap();
    assert!(
        group.lines().any(|l| l.starts_with("chancery:") && l.contains("chancery-keeper") && l.contains("chancery-gateway")),
        "{group}"
    );
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let _ = run(directories.args([
        "--create",
        &at,
        "--prefix=/etc/chancery",
        "--prefix=/var/lib/chancery",
        "--prefix=/var/lib/chancery-audit",
    ]))
    .ok();
    for (dir, mode) in [("etc/chancery", 0o750), ("var/lib/chancery", 0o750), ("var/lib/chancery-audit", 0o750)] {
        assert_eq!(fs::metadata(root.path().join(dir)).unwrap().permissions().mode() & 0o777, mode, "{dir}");
    }
}

/// The keeper behind a socket, each connection with one of its own, as `chancery-keeper.socket` does it.
fn keeper_service(host: &KeyHost, socket: &Path) -> Option<Service> {
    let mut activate = tool("systemd-socket-activate")?;
    activate.arg("--listen").arg(socket).args(["--accept", "--inetd"]).arg(program("chancery-keeper"));
    activate.args(["run", "--from-socket-unit", "--dir"]).arg(host.dir()).arg("--passphrase-file").arg(host.passphrase_file());
    let mut child = activate.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("Listening"), "{line}");
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Some(Service(child))
}

/// A process that ends with the test.
struct Service(Child);

impl Service {
    /// The keeper that it runs. It must run one.
    fn keeper(&self) -> u32 {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.0.id())).unwrap();
        children.split_whitespace().next().unwrap().parse().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn gateway_and_keeper_are_two_services_and_tell_the_manager() {
    let host = Setup::new().key("release", "sshsig").make();
    let (keeper, manager) = (host.temp().join("keeper.sock"), host.temp().join("notify.sock"));
    let Some(_service) = keeper_service(&host, &keeper) else { return };
    let heard = UnixDatagram::bind(&manager).unwrap();
    let mut serve = host.chanceryd_plain(&["serve"]);
    serve.arg("--keeper-socket").arg(&keeper).env("NOTIFY_SOCKET", &manager).env("WATCHDOG_USEC", "100000").env_remove("WATCHDOG_PID");
    let mut gateway = serve.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let wait_for = |wanted: &str| {
        let mut datagram = [0; 512];
        loop {
            let length = heard.recv(&mut datagram).unwrap();
            if datagram[..length].starts_with(wanted.as_bytes()) {
                return;
            }
        }
    };
    heard.set_read_timeout(Some(std::time::Duration::from_secs(30))).unwrap();
    wait_for("READY=1\nSTATUS=taking requests on 127.0.0.1:");
    wait_for("WATCHDOG=1");
    KeyHost::signal(gateway.id(), Signal::HUP);
    wait_for("RELOADING=1\nMONOTONIC_USEC=");
    wait_for("READY=1");
    KeyHost::signal(gateway.id(), Signal::TERM);
    wait_for("STOPPING=1");
    assert!(gateway.wait().unwrap().success());
    // The log is free as soon as the gateway ended.
    let _ = run(&mut host.chanceryd_plain(&["log", "redact", "--older-than", "1"])).ok();
}

#[test]
fn a_gateway_that_stops_waits_until_the_keeper_of_another_service_let_go_of_the_log() {
    let host = Setup::new().key("release", "sshsig").config("drain_timeout = \"30 s\"", "drain_timeout = \"1 s\"").make();
    let keeper = host.temp().join("keeper.sock");
    let Some(service) = keeper_service(&host, &keeper) else { return };
    let mut serve = host.chanceryd_plain(&["serve"]);
    serve.arg("--keeper-socket").arg(&keeper).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut gateway = serve.spawn().unwrap();
    BufReader::new(gateway.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let busy = service.keeper();
    KeyHost::signal(busy, Signal::STOP);
    KeyHost::signal(gateway.id(), Signal::TERM);
    let told = gateway.wait_with_output().unwrap();
    let told = (told.status.code(), String::from_utf8(told.stderr).unwrap());
    assert_eq!(told.0, Some(1), "{told:?}");
    assert!(told.1.contains("did not end within 1s"), "{told:?}");
    KeyHost::signal(busy, Signal::CONT);
    KeyHost::wait_gone(busy);
}

/// The packages, made out of the programs under test.
pub(crate) fn packages(out: &Path) -> Option<Vec<PathBuf>> {
    let _ = (tool("help2man")?, tool("dpkg-deb")?);
    let mut build = Command::new(deploy().join("debian/build.sh"));
    let _ = build.env("CHANCERY_DEB_COMPRESSION", "none");
    let _ = run(build.arg(out).env("CHANCERY_BIN", program("chanceryd").parent().unwrap())).ok();
    let mut made: Vec<_> = fs::read_dir(out).unwrap().map(|f| f.unwrap().path()).collect();
    made.sort();
    Some(made)
}

/// Runs dpkg on another root, whose scripts run outside of it.
fn dpkg(root: &Path, arguments: &[&str]) -> Command {
    let mut dpkg = Command::new("dpkg");
    dpkg.arg(format!("--root={}", root.display()))
        .args(["--force-script-chrootless", "--force-not-root", "--force-depends"])
        .args(arguments);
    dpkg.env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap()));
    dpkg
}

#[test]
fn packages_are_the_same_twice_and_go_in_and_out_without_a_trace_but_keys_and_log() {
    let temp = TempDir::new().unwrap();
    let (first, second) = (temp.path().join("first"), temp.path().join("second"));
    let Some(made) = packages(&first) else { return };
    let names: Vec<_> = made.iter().map(|p| name(p).split('_').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["chancery-audit", "chancery-keyhost", "chancery"]);
    for (one, other) in made.iter().zip(packages(&second).unwrap()) {
        assert!(fs::read(one).unwrap() == fs::read(&other).unwrap(), "{} differs from one making to the next", one.display());
    }
    let root = temp.path().join("root");
    for dir in ["var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    for file in ["status", "available"] {
        fs::write(root.join("var/lib/dpkg").join(file), "").unwrap();
    }
    let _ = run(dpkg(&root, &["-i"]).args(&made)).ok();
    for file in [
        "usr/bin/chanceryd",
        "usr/bin/chancery-gpg",
        "usr/share/man/man1/chancery-ostree.1.gz",
        "usr/share/man/man1/chancery-keeper-log.1.gz",
        "usr/share/man/man1/chancery-audit-verify.1.gz",
        "usr/share/bash-completion/completions/chancery",
        "usr/share/zsh/vendor-completions/_chanceryd",
        "usr/share/fish/vendor_completions.d/chancery-audit.fish",
        "usr/lib/systemd/system/chanceryd.service",
        "usr/share/doc/chancery/sbom.cdx.json",
        "usr/share/doc/chancery-audit/changelog.Debian.gz",
        "etc/chancery/relay.env",
    ] {
        assert!(root.join(file).exists() || root.join(file).is_symlink(), "{file} is missing");
    }
    assert!(fs::read_to_string(root.join("etc/passwd")).unwrap().contains("chancery-keeper:"), "its users are made");
    let page = run(Command::new("zcat").arg(root.join("usr/share/man/man1/chancery-sign.1.gz"))).ok().stdout;
    assert!(page.contains(".SH") && page.contains("Example") && page.contains("receipt"), "{page}");
    let complete = format!(
        "source {}; COMP_WORDS=(chancery si); COMP_CWORD=1; _chancery chancery si chancery; echo \"${{COMPREPLY[*]}}\"",
        root.join("usr/share/bash-completion/completions/chancery").display()
    );
    assert_eq!(run(Command::new("bash").args(["-c", &complete])).ok().stdout.trim(), "sign");
    let bill: serde_json::Value =
        serde_json::from_slice(&fs::read(root.join("usr/share/doc/chancery-keyhost/sbom.cdx.json")).unwrap()).unwrap();
    let linked = |wanted: &str| bill["components"].as_array().unwrap().iter().any(|c| c["name"] == wanted);
    assert!(linked("ed25519-dalek") && linked("rustls") && !linked("proptest"), "what is linked, and nothing else");

    fs::create_dir_all(root.join("var/lib/chancery/log")).unwrap();
    fs::create_dir_all(root.join("etc/chancery/keys")).unwrap();
    fs::write(root.join("etc/chancery/keys/release.toml"), "sealed").unwrap();
    let said = run(&mut dpkg(&root, &["--purge", "chancery-keyhost", "chancery", "chancery-audit"])).ok();
    assert!(said.stdout.contains("keys and log stay"), "{said:?}");
    assert!(root.join("etc/chancery/keys/release.toml").exists() && root.join("var/lib/chancery/log").exists());
    let left = run(Command::new("find").arg(root.join("usr")).args(["-type", "f"]));
    assert_eq!(left.stdout, "", "nothing of the packages is left");
}

#[test]
fn the_setup_script_makes_a_key_host_that_serves() {
    let temp = TempDir::new().unwrap();
    let (dir, state) = (temp.path().join("etc"), temp.path().join("state"));
    let passphrase = temp.path().join("passphrase");
    fs::write(&passphrase, "correct horse battery staple").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    // The users of the units are not on every machine that tests run on, so ownership is left as it is.
    let bin = temp.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for stub in ["chown", "systemd-creds"] {
        fs::write(bin.join(stub), "#!/bin/sh\nexit 0\n").unwrap();
        fs::set_permissions(bin.join(stub), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}:{}", bin.display(), program("chanceryd").parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut setup = Command::new(deploy().join("setup-keyhost.sh"));
    let _ = setup.args(["localhost", "127.0.0.1"]).env("PATH", path).env("CHANCERY_DIR", &dir).env("CHANCERY_STATE_DIR", &state);
    let said = run(setup.env("CHANCERY_PASSPHRASE_FILE", &passphrase)).ok();
    assert!(said.stdout.contains("systemctl enable"), "{said:?}");
    let config = fs::read_to_string(dir.join("signer.toml")).unwrap().replace("0.0.0.0:7443", "127.0.0.1:0");
    fs::write(dir.join("signer.toml"), config).unwrap();
    let mut serve = Command::new(program("chanceryd"));
    let mut serve =
        serve.arg("serve").arg("--dir").arg(&dir).arg("--passphrase-file").arg(&passphrase).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(serve.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("chanceryd ready on "), "{line}");
    KeyHost::signal(serve.id(), Signal::TERM);
    assert!(serve.wait().unwrap().success());
    assert!(state.join("log/public/checkpoint").exists());
}

#[test]
fn no_call_fails_while_the_key_host_is_restarted_behind_a_socket_of_the_service_manager() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::empty()).unwrap();
    let fd = std::os::fd::AsRawFd::as_raw_fd(&listener);
    let mut host = Setup::new()
        .key("tarballs", "sshsig")
        .grant("web1", "tarballs", &["sshsig"], "tool", "namespaces = [\"file\"]")
        .config("listen = \"127.0.0.1:0\"", "listen = \"127.0.0.1:1\"")
        .make();
    let pass_on = format!("LISTEN_PID=$$ LISTEN_FDS=1 exec \"$@\" 3<&{fd}");
    host.place(["sh", "-c", &pass_on, "sh"].map(str::to_owned).into());
    host.serve();
    assert_eq!(host.address(), address.to_string(), "it listens where it was told to, not where signer.toml says");
    let publisher = host.publisher("web1");
    let file = publisher.dir().join("tool");
    fs::write(&file, "tool").unwrap();
    let (stop, signed) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|threads| {
        for _ in 0..3 {
            threads.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let mut sign = publisher.chancery(&["sign", "--key", "tarballs", "--as", "sshsig"]);
                    let _ = run(sign.arg(&file)).ok();
                    signed.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=5 {
            while signed.load(Ordering::Relaxed) < 4 * round {
                std::thread::yield_now();
            }
            assert_eq!(host.stop(), Some(0));
            host.serve();
        }
        stop.store(true, Ordering::Relaxed);
    });
    let signed = signed.load(Ordering::Relaxed);
    assert_eq!(host.stop(), Some(0));
    let leaves = crate::ledger::leaves(&host.public(), &host.vkey());
    let entries = leaves.iter().filter(|l| l.kind.as_str() == "sign").count();
    assert_eq!(entries, signed, "each call has one entry: none was lost, and none is there twice");
}

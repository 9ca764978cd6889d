//! What `deploy/` ships: units, users, rules, and a gateway beside a keeper that its own service runs.

use chancery_tests::{KeyHost, Setup, program, run, skipped, tool};
use rustix::process::Signal;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
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
}

#[test]
fn units_name_what_there_is() {
    let Some(mut verify) = tool("systemd-analyze") else { return };
    // Units name programs under /usr/bin, where none of ours need be on this machine.
    let temp = TempDir::new().unwrap();
    for unit in files("systemd") {
        let mut text = fs::read_to_string(&unit).unwrap();
        for ours in ["chanceryd", "chancery-keeper", "chancery-audit", "chancery"] {
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
fn keeper_service(host: &KeyHost, socket: &Path) -> Option<Child> {
    let mut activate = tool("systemd-socket-activate")?;
    activate.arg("--listen").arg(socket).args(["--accept", "--inetd"]).arg(program("chancery-keeper"));
    activate.args(["run", "--from-socket-unit", "--dir"]).arg(host.dir()).arg("--passphrase-file").arg(host.passphrase_file());
    let mut child = activate.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert!(line.contains("Listening"), "{line}");
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Some(child)
}

#[test]
fn gateway_and_keeper_are_two_services_and_tell_the_manager() {
    let host = Setup::new().key("release", "sshsig").make();
    let (keeper, manager) = (host.temp().join("keeper.sock"), host.temp().join("notify.sock"));
    let Some(mut service) = keeper_service(&host, &keeper) else { return };
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
    service.kill().unwrap();
    service.wait().unwrap();
}

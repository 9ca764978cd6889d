//! The packages on a machine whose first process is systemd, set up as `docs/install.md` says.

use crate::deploy::packages;
use chancery_tests::{Machine, PASSPHRASE};
use std::fs;
use std::path::Path;

const SIGN: &str = "chancery --profile web1/web1.toml sign tool --key release --as sshsig";
const RELAYED: &str = "chancery --profile web1/relayed.toml sign tool --key release --as sshsig";
const POLICY: &str = r#"
[[grant]]
principal = "spiffe://localhost/publisher/web1"
key = "release"
constructions = ["sshsig"]
subject = "tool"
namespaces = ["file"]
"#;

#[test]
fn the_packages_work_under_a_running_systemd() {
    let Some(machine) = Machine::start(&Path::new(env!("CARGO_TARGET_TMPDIR")).join("machine")) else { return };
    let Some(_) = packages(machine.share()) else { return };
    assert_eq!(machine.ok("systemctl is-system-running --wait").trim(), "running");
    install(&machine);
    make_key_host(&machine);
    start_key_host(&machine);
    sign_and_verify(&machine);
    reload(&machine);
    recover(&machine);
    restart_behind_a_socket(&machine);
    relay(&machine);
    timers(&machine);
    audit(&machine);
    judge(&machine);
    purge(&machine);
    let group = machine.group().to_owned();
    drop(machine);
    assert!(!group.exists(), "{} is left", group.display());
}

fn install(machine: &Machine) {
    let _ = machine.ok("apt-get install -y --no-install-recommends /share/*.deb");
    assert_eq!(machine.ok("systemctl list-units --no-legend --state=active 'chancer*'"), "", "installing starts nothing");
}

fn make_key_host(machine: &Machine) {
    fs::write(machine.share().join("passphrase"), PASSPHRASE).unwrap();
    let said = machine.ok("chmod 600 /share/passphrase
        CHANCERY_PASSPHRASE_FILE=/share/passphrase /usr/share/chancery/setup-keyhost.sh localhost 127.0.0.1
        systemd-creds decrypt --name=passphrase /etc/chancery/passphrase.cred - | cmp - /share/passphrase");
    assert!(said.contains("systemctl enable --now"), "{said}");
    let as_root = machine.run("chanceryd key new release --for sshsig --dir /etc/chancery --passphrase-file /share/passphrase");
    let _ = as_root.failed(1, "run this as that user");
    fs::write(machine.share().join("policy.toml"), POLICY).unwrap();
    let _ = machine.ok(
        "runuser -u chancery-keeper -- chanceryd key new release --for sshsig --dir /etc/chancery --passphrase-fd 0 </share/passphrase
        for name in web1 web2; do
            mkdir $name
            chancery enroll-request $name --out $name
            chanceryd enroll $name --role publisher --csr $name/$name.csr --out $name/$name.toml --dir /etc/chancery
        done
        cat /share/policy.toml >>/etc/chancery/policy.toml
        chanceryd policy check --dir /etc/chancery",
    );
}

fn start_key_host(machine: &Machine) {
    let _ = machine.ok("systemctl enable --now chancery-keeper.socket chanceryd.service");
    assert_eq!(value(machine, "StatusText"), "taking requests on 0.0.0.0:7443");
    assert_eq!(machine.ok("stat -c %a:%U /run/chancery/keeper.sock").trim(), "600:chancery-gateway");
    let status = machine.ok("chancery status --profile web1/web1.toml");
    let cell = |of: &str| status.lines().find(|line| line.contains(&format!("cell of the {of}:"))).unwrap().to_owned();
    for of in ["keeper", "gateway"] {
        for layer in ["no-new-privileges", "no-core-dump", "not-dumpable", "landlock ", "seccomp"] {
            assert!(cell(of).split("missing").next().unwrap().contains(layer), "{layer} of the {of}: {status}");
        }
    }
    // Memory that no other process can read is a matter of the kernel, but the unit must not forbid what there is.
    let known = fs::read_to_string("/proc/kallsyms").is_ok_and(|all| all.contains(" secretmem_fault"));
    assert!(!known || cell("keeper").contains("secret-memory"), "{status}");
    assert!(!cell("gateway").contains("missing"), "{status}");
    // The unit gives the keeper a network without interfaces, so that it need not make one itself.
    let interfaces = machine.ok("nsenter --net -t $(systemctl show -P MainPID 'chancery-keeper@*') cat /proc/thread-self/net/dev");
    assert!(interfaces.contains("lo:") && interfaces.lines().count() == 3, "{interfaces}");
}

fn value(machine: &Machine, property: &str) -> String {
    machine.ok(&format!("systemctl show -P {property} chanceryd.service")).trim().to_owned()
}

fn sign_and_verify(machine: &Machine) {
    let said = machine.ok(&format!(
        "echo tool >tool
        {SIGN}
        echo \"release $(chanceryd key export release --format ssh --dir /etc/chancery)\" >allowed_signers
        ssh-keygen -Y verify -f allowed_signers -I release -n file -s tool.sig <tool"
    ));
    assert!(said.contains("Good \"file\" signature for release"), "{said}");
}

/// Until the gateway's journal, in which its manager writes too, has this.
fn until_journal_has(machine: &Machine, text: &str) {
    let _ = machine.ok(&format!("timeout 20 sh -c 'until journalctl -u chanceryd.service | grep -q \"{text}\"; do :; done'"));
}

fn reload(machine: &Machine) {
    let before = value(machine, "MainPID");
    let _ = machine.ok("chancery status --profile web2/web2.toml
        chanceryd revoke web2 --role publisher --dir /etc/chancery
        systemctl reload chanceryd.service");
    // The reload is on its way when the manager sent the signal.
    until_journal_has(machine, "reloaded: the policy");
    let refused = machine.run("chancery status --profile web2/web2.toml");
    assert!(refused.code != 0 && refused.stderr.contains("revoked"), "{refused:?}");
    assert_eq!(value(machine, "MainPID"), before);
    let _ = machine.ok(SIGN);
}

/// A keeper that is killed, and a gateway that no longer answers the service manager, are there again without anybody's help.
fn recover(machine: &Machine) {
    let _ = machine.ok(&format!("systemctl kill --signal=KILL 'chancery-keeper@*.service' && {SIGN}"));
    let _ = machine.ok("mkdir -p /run/systemd/system/chanceryd.service.d
        printf '[Service]\\nWatchdogSec=1s\\n' >/run/systemd/system/chanceryd.service.d/watchdog.conf
        systemctl daemon-reload
        systemctl restart chanceryd.service");
    let fed = "systemctl show -P WatchdogTimestampMonotonic chanceryd.service";
    let _ = machine.ok(&format!("first=$({fed}); timeout 20 sh -c \"while [ \\$({fed}) = $first ]; do :; done\""));
    let _ = machine.ok("systemctl kill --kill-whom=main --signal=STOP chanceryd.service");
    until_journal_has(machine, "Watchdog timeout");
    let _ = machine.ok(&format!(
        "{SIGN}
        rm -r /run/systemd/system/chanceryd.service.d
        systemctl daemon-reload
        systemctl restart chanceryd.service"
    ));
}

fn restart_behind_a_socket(machine: &Machine) {
    let _ = machine.ok("systemctl enable chanceryd.socket
        systemctl stop chanceryd.service
        systemctl start chanceryd.socket chanceryd.service");
    assert_eq!(value(machine, "StatusText"), "taking requests on [::]:7443");
    let signed = machine.ok(&format!(
        "while [ ! -e stop ]; do {SIGN} || echo FAILED; done &
        for round in 1 2 3; do systemctl restart chanceryd.service; done
        touch stop
        wait"
    ));
    assert!(signed.contains("signed tool") && !signed.contains("FAILED"), "{signed}");
    // It is the first connection that starts it.
    let _ = machine.ok(&format!("systemctl stop chanceryd.service && {SIGN} && systemctl is-active chanceryd.service"));
}

fn relay(machine: &Machine) {
    let _ = machine.ok(&format!(
        "mkdir relay
        chancery enroll-request relay --out relay
        chanceryd enroll relay --role relay --csr relay/relay.csr --out relay/relay.toml --dir /etc/chancery
        cp relay/relay.toml relay/relay.key /etc/chancery
        printf 'RELAY_LISTEN_SIGNER=127.0.0.1:7543\\nRELAY_LISTEN=127.0.0.1:7544\\n' >/etc/chancery/relay.env
        systemctl enable --now chancery-relay.service
        sed -i 's/^listen = .*/dial = [\"127.0.0.1:7543\"]/' /etc/chancery/signer.toml
        systemctl disable --now chanceryd.socket
        systemctl restart chanceryd.service
        sed 's/localhost:7443/127.0.0.1:7544/' web1/web1.toml >web1/relayed.toml
        {RELAYED}
        systemctl restart chancery-relay.service
        {RELAYED}"
    ));
}

fn timers(machine: &Machine) {
    let _ = machine.ok("systemctl enable --now chancery-log-scrub.timer chancery-log-retention.timer");
    let _ = machine.ok("systemctl start chancery-log-scrub.service");
    let _ = machine.ok("systemctl start chancery-log-retention.service");
    // It started the gateway again, and did not wait for it.
    let _ = machine.ok(&format!("systemctl start chanceryd.service && {RELAYED}"));
    let journal = machine.ok("journalctl --no-pager -o cat -u 'chancery-log-*'");
    assert!(journal.contains("sound: ") && journal.contains("redacted 0 entries"), "{journal}");
}

fn audit(machine: &Machine) {
    let _ = machine.ok("cp -r /var/lib/chancery/log/public /srv/requests && chmod -R a+rX /srv/requests
        chanceryd log vkey --dir /etc/chancery >/etc/chancery/log.vkey
        sed -i 's|^AUDIT_LOG=.*|AUDIT_LOG=/srv/requests|' /etc/chancery/audit.env
        usermod --append --groups chancery chancery-audit
        systemctl start chancery-audit-verify.service
        systemctl enable --now chancery-audit-verify.timer chancery-audit-console.service
        systemctl is-active chancery-audit-console.service");
}

/// What systemd thinks of the services that run, and what their journal tells of things that were refused to them.
fn judge(machine: &Machine) {
    let thought = machine.ok("systemd-analyze security --no-pager | grep chancer");
    assert_eq!(thought.lines().count(), 4, "{thought}");
    for line in thought.lines() {
        let mut words = line.split_whitespace();
        let (unit, exposure) = (words.next().unwrap(), words.next().unwrap().parse::<f32>().unwrap());
        let most = if unit.contains("keeper") { 0.3 } else { 1.5 };
        assert!(exposure <= most, "{line}");
    }
    let journal = machine.ok("journalctl --no-pager -b -u 'chancer*'");
    for line in journal.lines().filter(|line| !line.contains("missing network-namespace")) {
        for bad in ["ermission denied", "not permitted", "203/EXEC", "Failed at step", "gnoring", "nsupported"] {
            assert!(!line.contains(bad), "{line}");
        }
    }
    assert_eq!(machine.ok("systemctl list-units --no-legend --failed"), "");
}

fn purge(machine: &Machine) {
    let _ = machine.ok("systemctl stop chanceryd.service
        systemctl enable --now chanceryd.socket
        systemctl start chanceryd.service
        apt-get purge -y chancery-keyhost chancery chancery-audit");
    assert_eq!(machine.ok("systemctl list-units --no-legend --all 'chancer*'"), "");
    assert_eq!(machine.ok("ps -e 2>/dev/null | grep chancer || cat /proc/[0-9]*/comm | grep chancer || true"), "");
    assert_eq!(machine.ok("find /etc/systemd -name 'chancer*'"), "");
    let _ = machine.ok("ls /etc/chancery/keys/release.toml /var/lib/chancery/log/wal");
    assert_eq!(machine.ok("systemctl is-system-running").trim(), "running");
}

//! Monitors: a whole request now and then, and nothing else for the monitor.

use chancery_tests::{Setup, program, run};
use serde_json::Value;
use std::fs;
use std::process::Command;

const GRANT: &str = r#"[[grant]]
principal     = "spiffe://localhost/monitor/watch1"
key           = "canary"
constructions = ["sshsig"]
subject       = "self-test"
namespaces    = ["chancery-self-test"]
"#;

#[test]
fn a_monitor_gets_a_self_test_signed_and_nothing_else() {
    let mut host = Setup::new().key("canary", "sshsig").key("release", "sshsig").key("sums", "checksums/minisign").make();
    host.write("policy.toml", GRANT);
    host.serve();
    let profile = host.temp().join("watch1.toml");
    let _ = run(host.chanceryd_plain(&["enroll", "watch1", "--role", "monitor", "--generate"]).arg("--out").arg(&profile)).ok();
    let text = fs::read_to_string(&profile).unwrap();
    let lines = text.lines().map(|line| match line.starts_with("endpoints = ") {
        true => format!("endpoints = [\"{}\"]\n", host.endpoint()),
        false => format!("{line}\n"),
    });
    fs::write(&profile, lines.collect::<String>()).unwrap();
    let chancery = |arguments: &[&str]| run(Command::new(program("chancery")).arg("--profile").arg(&profile).args(arguments));

    let facts: Value = serde_json::from_str(&chancery(&["self-test", "--key", "canary", "--json"]).ok().stdout).unwrap();
    assert_eq!(facts["key"], "canary", "{facts}");
    let entry = facts["entry"].as_u64().unwrap();
    let shown = run(host.chanceryd_plain(&["log", "disclose"]).arg(entry.to_string())).ok().stdout;
    assert!(shown.contains("spiffe://localhost/monitor/watch1") && shown.contains("self-test"), "{shown}");

    let file = host.temp().join("release.tar");
    fs::write(&file, "a release").unwrap();
    for key in ["canary", "release"] {
        let refused = chancery(&["sign", "--key", key, "--as", "sshsig", file.to_str().unwrap()]);
        assert_eq!(refused.code, 1, "{refused:#?}");
    }
    assert_eq!(chancery(&["self-test", "--key", "release"]).code, 1);
    let other = chancery(&["self-test", "--key", "sums"]);
    assert_eq!(other.code, 2, "{other:#?}");
    assert!(other.stderr.contains("was not made for sshsig"), "{other:#?}");

    host.stop();
    assert_eq!(chancery(&["self-test", "--key", "canary", "--timeout", "1"]).code, 3);
}

//! What security teams do with the record: search, show, follow, prove, reconcile, mirror.

use chancery_tests::{KeyHost, Output, Publisher, Setup, program, run, skipped};
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A key host that signed two files and refused one.
struct Desk {
    host: KeyHost,
    publisher: Publisher,
    details: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let mut host =
            Setup::new().key("tarballs", "sshsig").grant("web1", "tarballs", &["sshsig"], "tool-*", "namespaces = [\"file\"]").start();
        let publisher = host.publisher("web1");
        for name in ["tool-1", "tool-2"] {
            let _ = run(&mut sign(&publisher, name)).ok();
        }
        let _ = run(&mut sign(&publisher, "other")).failed(1, "subject-not-granted");
        assert_eq!(host.stop(), Some(0));
        let details = host.temp().join("all.jsonl");
        fs::write(&details, run(&mut host.chanceryd_plain(&["log", "disclose", "0.."])).ok().stdout).unwrap();
        Self { host, publisher, details }
    }

    fn audit(&self, command: &str, arguments: &[&str]) -> Output {
        run(&mut self.command(command, arguments))
    }

    fn command(&self, command: &str, arguments: &[&str]) -> Command {
        let mut audit = Command::new(program("chancery-audit"));
        audit.arg(command).arg(self.host.public()).args(["--vkey", &self.host.vkey()]).args(arguments);
        audit
    }

    fn path(&self, name: &str) -> PathBuf {
        self.host.temp().join(name)
    }
}

fn sign(publisher: &Publisher, name: &str) -> Command {
    let path = publisher.dir().join(name);
    fs::write(&path, format!("content of {name}")).unwrap();
    let mut command = publisher.chancery(&["sign", "--key", "tarballs", "--as", "sshsig"]);
    command.arg(path);
    command
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn entries_are_found_by_what_was_disclosed_and_each_is_proved() {
    let desk = Desk::new();
    let (index, details) = (desk.path("log.db"), text(&desk.details).to_owned());
    let search = |more: &[&str]| {
        let common = ["--index", text(&index), "--details", &details, "--json"];
        let found = desk.audit("search", &[&common, more].concat()).ok().stdout;
        found.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(search(&["--kind", "sign"]).len(), 2);
    let [one] = search(&["--subject", "tool-2"]).try_into().unwrap();
    assert_eq!((&one["details"]["subject"], &one["key_name"]), (&"tool-2".into(), &"tarballs".into()));
    assert_eq!(search(&["--principal", "spiffe://localhost/publisher/web1"]).len(), 3);
    let [refused] = search(&["--decision", "deny", "--since", "1h"]).try_into().unwrap();
    assert_eq!(refused["entry"]["reason"], "subject-not-granted");
    let digest = one["details"]["payload"].as_str().unwrap().rsplit(':').next().unwrap().to_owned();
    assert_eq!(search(&["--digest", &digest]), std::slice::from_ref(&one));
    assert_eq!(search(&["--key", "tarballs"]).len(), 4, "its entry at the start, two signatures and a refusal");
    assert!(search(&["--subject", "tool-3"]).is_empty());

    let rid = one["entry"]["rid"].as_str().unwrap();
    let shown = desk.audit("show", &[rid, "--details", &details]).ok().stdout;
    assert!(shown.contains("spiffe://localhost/publisher/web1") && shown.contains("tool-2"), "{shown}");
    let proof = desk.path("again.tlog-proof");
    let _ = desk.audit("prove", &[rid, "--out", text(&proof)]).ok();
    let file = desk.publisher.dir().join("tool-2");
    let _ = run(desk.publisher.chancery(&["verify", "sshsig", "--key", "tarballs", "--receipt"]).arg(&proof).arg(&file)).ok();
}

#[test]
fn a_forged_disclosure_is_named_and_a_changed_index_is_not_believed() {
    let desk = Desk::new();
    let forged = desk.path("forged.jsonl");
    fs::write(&forged, fs::read_to_string(&desk.details).unwrap().replace("tool-1", "tool-9")).unwrap();
    let _ = desk.audit("search", &["--details", text(&forged)]).failed(1, "is not what entry");
    let index = desk.path("log.db");
    let _ = desk.audit("search", &["--index", text(&index)]).ok();
    // Whoever writes to the index can hide entries from a search, but not show other ones.
    let sqlite =
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(\"UPDATE entry SET kind='stop' WHERE kind='deny'\"); c.commit()";
    let _ = run(Command::new("python3").args(["-c", sqlite]).arg(&index)).ok();
    let _ = desk.audit("search", &["--index", text(&index), "--kind", "stop"]).failed(1, "delete it");
    fs::remove_file(&index).unwrap();
    let _ = desk.audit("search", &["--index", text(&index), "--kind", "stop"]).ok();
}

#[test]
fn one_field_is_disclosed_alone_and_a_redacted_one_never_again() {
    let desk = Desk::new();
    let disclose = |arguments: &[&str]| {
        let mut command = desk.host.chanceryd_plain(&["log", "disclose"]);
        run(command.args(arguments)).ok().stdout
    };
    let signed = disclose(&["0..", "subject"]).lines().filter(|l| l.contains("tool-1")).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(signed.len(), 1);
    let index = serde_json::from_str::<serde_json::Value>(&signed[0]).unwrap()["index"].to_string();
    let only = disclose(&[&index, "subject"]);
    assert!(only.contains("tool-1") && !only.contains("web1"), "{only}");
    let before = fs::read(desk.host.public().join("checkpoint")).unwrap();
    let mut redact = desk.host.chanceryd_plain(&["log", "redact", &index, "subject"]);
    let _ = run(&mut redact).ok();
    assert!(disclose(&[&index, "subject"]).is_empty());
    assert_eq!(fs::read(desk.host.public().join("checkpoint")).unwrap(), before);
    let _ = run(&mut desk.host.chanceryd_plain(&["log", "fsck"])).ok();
    let _ = desk.audit("verify", &[]).ok();
    let old = |days: &str| run(&mut desk.host.chanceryd_plain(&["log", "redact", "--older-than", days, "principal", "--json"])).ok().stdout;
    assert!(old("1").contains("\"redacted\": 0"), "nothing is a day old");
    assert!(disclose(&["0..", "principal"]).contains("web1"));
    assert!(old("0").contains("\"redacted\": 3"), "two signatures and a refusal");
    assert!(disclose(&["0..", "principal"]).is_empty());
    let _ = desk.audit("verify", &[]).ok();
    // What was disclosed before is still true.
    let kept = desk.path("kept.jsonl");
    fs::write(&kept, only).unwrap();
    let _ = desk.audit("show", &[&index, "--details", text(&kept)]).ok();
}

#[test]
fn entries_are_handed_on_once_each_to_files_and_syslog() {
    let mut desk = Desk::new();
    let (state, file) = (desk.path("siem.checkpoint"), desk.path("siem.jsonl"));
    let to = format!("file:{}", file.display());
    let _ = desk.audit("follow", &["--once", "--state", text(&state), "--to", &to]).ok();
    let first = fs::read_to_string(&file).unwrap().lines().count();
    let _ = desk.audit("follow", &["--once", "--state", text(&state), "--to", &to]).ok();
    assert_eq!(fs::read_to_string(&file).unwrap().lines().count(), first, "nothing twice");
    desk.host.serve();
    desk.publisher.point_at(&desk.host.endpoint());
    let _ = run(&mut sign(&desk.publisher, "tool-3")).ok();
    assert_eq!(desk.host.stop(), Some(0));
    let prometheus = desk.path("follow.prom");
    let _ = desk.audit("follow", &["--once", "--state", text(&state), "--to", &to, "--prometheus", text(&prometheus)]).ok();
    let all = fs::read_to_string(&file).unwrap();
    let ids: Vec<String> =
        all.lines().map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["id"].as_str().unwrap().to_owned()).collect();
    let expected: Vec<String> = (0..ids.len()).map(|n| format!("localhost/requests#{n}")).collect();
    assert_eq!(ids, expected);
    assert!(fs::read_to_string(&prometheus).unwrap().contains(&format!("chancery_audit_followed_entries {}\n", ids.len())));

    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = format!("syslog:{}", socket.local_addr().unwrap());
    let _ = desk.audit("follow", &["--once", "--from", "0", "--to", &to]).ok();
    let mut buffer = [0; 4096];
    for n in 0..ids.len() {
        let length = socket.recv(&mut buffer).unwrap();
        let message = std::str::from_utf8(&buffer[..length]).unwrap();
        assert!(message.starts_with("<1") && message.contains(&format!("\"id\":\"localhost/requests#{n}\"")), "{message}");
    }
    // A target that is gone loses nothing: the state stays where it was.
    let fresh = desk.path("fresh.checkpoint");
    let _ = desk.audit("follow", &["--once", "--state", text(&fresh), "--to", "syslog:/nowhere/log"]).failed(1, "/nowhere/log");
    assert!(!fresh.exists());
}

#[test]
fn published_signatures_and_entries_are_compared_both_ways() {
    let desk = Desk::new();
    let published = |names: &[&str]| {
        let verified = names.iter().map(|name| {
            let mut command = desk.publisher.chancery(&["verify", "sshsig", "--key", "tarballs", "--json"]);
            run(command.arg(desk.publisher.dir().join(name))).ok().stdout.replace('\n', "") + "\n"
        });
        let path = desk.path("published.jsonl");
        fs::write(&path, verified.collect::<String>()).unwrap();
        path
    };
    let all = published(&["tool-1", "tool-2"]);
    let said = desk.audit("reconcile", &["--published", text(&all)]).ok().stdout;
    assert!(said.contains("2 published signatures and 2 entries"), "{said}");
    let less = published(&["tool-1"]);
    let output = desk.audit("reconcile", &["--published", text(&less)]).failed(1, "1 entries have no published signature");
    assert!(output.stdout.contains("NOT PUBLISHED"), "{}", output.stdout);
    let wild = desk.path("wild.jsonl");
    let key = "aa".repeat(32);
    fs::write(&wild, format!("{{\"what\":\"x.tar.gz\",\"key_id\":\"{key}\",\"tbs_sha256\":\"{key}\"}}\n")).unwrap();
    let output = desk.audit("reconcile", &["--published", text(&wild)]).failed(1, "1 published signatures have no entry");
    assert!(output.stdout.contains("NO ENTRY: x.tar.gz"), "{}", output.stdout);
    fs::write(&wild, "{}\n").unwrap();
    let _ = desk.audit("reconcile", &["--published", text(&wild)]).failed(2, "line 1");
}

#[test]
fn a_mirror_is_verified_and_never_goes_back() {
    let mut desk = Desk::new();
    let (copy, exported) = (desk.path("copy"), desk.path("exported"));
    let old = desk.path("old");
    let mirror = |from: &Path, to: &Path| {
        run(Command::new(program("chancery-audit")).arg("mirror").arg(from).arg(to).args(["--vkey", &desk.host.vkey()]))
    };
    let _ = mirror(&desk.host.public(), &old).ok();
    let _ = run(desk.host.chanceryd_plain(&["log", "export"]).arg(&exported)).ok();
    let _ = mirror(&exported, &copy).ok();
    desk.host.serve();
    assert_eq!(desk.host.stop(), Some(0));
    let mirror = |from: &Path, to: &Path| {
        run(Command::new(program("chancery-audit")).arg("mirror").arg(from).arg(to).args(["--vkey", &desk.host.vkey()]))
    };
    let _ = mirror(&desk.host.public(), &copy).ok();
    let _ = mirror(&old, &copy).failed(4, "ROLLBACK");
    let mut verify = Command::new(program("chancery-audit"));
    let _ = run(verify.arg("verify").arg(&copy).args(["--vkey", &desk.host.vkey()])).ok();
}

#[test]
fn a_report_has_the_numbers_of_the_period_in_every_form() {
    let desk = Desk::new();
    let details = text(&desk.details).to_owned();
    let report = |more: &[&str]| desk.audit("report", &[&["--details", &details, "--since", "1h"], more].concat()).ok().stdout;
    let markdown = report(&[]);
    for line in
        ["| sign | 2 |", "| deny | 1 |", "| spiffe://localhost/publisher/web1 | 2 |", "| subject-not-granted | 1 |", "| tool-1 | 1 |"]
    {
        assert!(markdown.contains(line), "{line}: {markdown}");
    }
    assert!(markdown.contains("| start |") && markdown.contains("key in-service tarballs"), "{markdown}");
    let json: serde_json::Value = serde_json::from_str(&report(&["--format", "json"])).unwrap();
    assert_eq!(json["log"], "localhost/requests");
    assert!(report(&["--format", "csv"]).contains("Refusals by subject,other,1\r\n"));
    let waited: Vec<_> =
        json["sections"].as_array().unwrap().iter().filter(|s| s["name"] == "Microseconds from request to entry").collect();
    assert_eq!(waited[0]["counts"][0][0], "half of them within", "{waited:?}");
    let out = desk.path("report.html");
    assert_eq!(report(&["--format", "html", "--out", text(&out)]), "");
    assert!(fs::read_to_string(&out).unwrap().contains("<td>tool-2<td>1"));
    let _ = desk.audit("report", &["--since", "1h", "--until", "2h"]).failed(2, "ends before it begins");
    let empty = desk.audit("report", &["--since", "2020-01-01", "--until", "2020-01-02"]).ok().stdout;
    assert!(!empty.contains("| sign |"), "{empty}");
}

#[test]
fn the_monitor_tells_each_thing_that_is_off_once() {
    let mut desk = Desk::new();
    let (rules, state, heard) = (desk.path("rules.toml"), desk.path("monitor.json"), desk.path("heard"));
    fs::write(&rules, "known-principals = [\"spiffe://localhost/publisher/web1\"]\ndenials = { more-than = 0, within = \"1h\" }\n")
        .unwrap();
    let hook = desk.path("hook");
    fs::write(&hook, format!("#!/bin/sh\ncat >> {}\n", heard.display())).unwrap();
    fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let metrics = desk.path("monitor.prom");
    let monitor = |details: &str| {
        let files = ["--rules", text(&rules), "--state", text(&state), "--exec", text(&hook), "--prometheus", text(&metrics), "--once"];
        desk.audit("monitor", &[&["--details", details], files.as_slice()].concat())
    };
    let found = |output: &Output| -> Vec<String> {
        let rule = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["rule"].as_str().unwrap().to_owned();
        output.stdout.lines().map(rule).collect()
    };
    let first = monitor(text(&desk.details)).failed(1, "2 findings");
    assert_eq!(found(&first), ["new-key", "denial-burst"]);
    assert_eq!(fs::read_to_string(&heard).unwrap(), first.stdout, "the hook hears what is printed");
    assert!(fs::read_to_string(&metrics).unwrap().contains("chancery_audit_findings_total{rule=\"denial-burst\"} 1\n"));
    assert_eq!(found(&monitor(text(&desk.details)).ok()), Vec::<String>::new());

    // Another policy, a crash, and nothing known of who asked.
    let policy = desk.host.read("policy.toml");
    desk.host.write("policy.toml", &format!("{policy}\n# changed\n"));
    desk.host.serve();
    let gateway = desk.host.gateway_pid();
    KeyHost::signal(desk.host.keeper_pid(), rustix::process::Signal::KILL);
    KeyHost::wait_gone(gateway);
    let _ = desk.host.stop();
    desk.host.serve();
    desk.publisher.point_at(&desk.host.endpoint());
    let _ = run(&mut sign(&desk.publisher, "tool-4")).ok();
    assert_eq!(desk.host.stop(), Some(0));
    fs::write(&rules, "details-complete = true\nknown-keys = []\n").unwrap();
    let monitor =
        |details: &str| desk.audit("monitor", &["--details", details, "--rules", text(&rules), "--state", text(&state), "--once"]);
    let second = monitor(text(&desk.details)).failed(1, "findings");
    assert_eq!(found(&second), ["policy-changed", "crash", "unknown-key", "details-missing"]);
}

/// Checks each line of a file against a schema, as the `jsonschema` of others understands it.
const VALIDATE: &str = "
import json, pathlib, sys
from jsonschema import Draft202012Validator, RefResolver
schemas = pathlib.Path(sys.argv[1])
schema = json.loads((schemas / sys.argv[2]).read_text())
resolver = RefResolver(schemas.as_uri() + '/' + sys.argv[2], schema)
Draft202012Validator.check_schema(schema)
validator = Draft202012Validator(schema, resolver=resolver)
lines = [json.loads(line) for line in open(sys.argv[3])]
for line in lines:
    for error in validator.iter_errors(line):
        print(error.message, line)
print(len(lines), 'checked')
";

fn misfits(desk: &Desk, schema: &str, lines: &str) -> Vec<String> {
    let file = desk.path("lines.jsonl");
    fs::write(&file, lines).unwrap();
    let schemas = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("docs/schema");
    let mut validate = Command::new("/usr/bin/python3");
    let said = run(validate.args(["-W", "ignore", "-c", VALIDATE]).arg(schemas).arg(schema).arg(&file)).ok().stdout;
    let mut said: Vec<String> = said.lines().map(str::to_owned).collect();
    assert_eq!(said.pop(), Some(format!("{} checked", lines.lines().count())));
    said
}

#[test]
fn what_programs_are_given_is_of_its_schema() {
    if skipped("jsonschema") {
        return;
    }
    let desk = Desk::new();
    let events = desk.audit("follow", &["--once"]).ok().stdout;
    let entries = desk.audit("show", &["--json"]).ok().stdout;
    let entry = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["entry"].to_string();
    let entries: Vec<String> = entries.lines().map(entry).collect();
    let disclosed = fs::read_to_string(&desk.details).unwrap();
    let (rules, state) = (desk.path("rules.toml"), desk.path("monitor.json"));
    fs::write(&rules, "denials = { more-than = 0, within = \"1h\" }\n").unwrap();
    let findings = desk.audit("monitor", &["--rules", text(&rules), "--state", text(&state), "--once"]).failed(1, "findings").stdout;
    for (schema, lines) in [
        ("event-v1.json", &events),
        ("entry-v1.json", &entries.join("\n")),
        ("disclosure-v1.json", &disclosed),
        ("finding-v1.json", &findings),
    ] {
        assert!(lines.lines().count() > 1, "{schema}: {lines}");
        assert_eq!(misfits(&desk, schema, lines), Vec::<String>::new(), "{schema}");
        let (other, rest) = lines.split_once('{').unwrap();
        assert_eq!(misfits(&desk, schema, &format!("{other}{{\"more\":1,{rest}")).len(), 1, "{schema} allows what it does not know");
    }
}

#[test]
fn an_auditor_who_verified_once_reads_only_what_is_new_when_it_says_so() {
    let mut desk = Desk::new();
    let state = desk.path("seen.checkpoint");
    let verify = |desk: &Desk, more: &[&str]| {
        let output = desk.audit("verify", &[&["--json", "--state", text(&state)], more].concat());
        serde_json::from_str::<serde_json::Value>(&output.ok().stdout).unwrap()
    };
    let first = verify(&desk, &["--only-new"]);
    assert_eq!(first["from"], 0, "nothing was verified before");
    desk.host.serve();
    desk.publisher.point_at(&desk.host.endpoint());
    let _ = run(&mut sign(&desk.publisher, "tool-3")).ok();
    assert_eq!(desk.host.stop(), Some(0));
    let second = verify(&desk, &["--only-new"]);
    assert_eq!((&second["from"], &second["extends"]), (&first["entries"], &first["entries"]));
    assert_eq!(second["kinds"]["sign"], 1);
    assert_eq!(verify(&desk, &[])["kinds"]["sign"], 3, "without it, all of it is");
    let _ = desk.audit("verify", &["--only-new"]).failed(2, "--state");
}

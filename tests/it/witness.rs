//! Our witness before our key host, each a process of its own.

use crate::auditor::size;
use chancery_tests::{KeyHost, Setup, http, program, run, skipped};
use chancery_tlog::Note;
use serde_json::json;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

struct Serving {
    child: Child,
    address: String,
}

impl Serving {
    fn start(dir: &Path, log: &Path) -> Self {
        let mut command = Command::new(program("chancery-audit"));
        command.args(["witness", "serve"]).arg(dir).arg("--log-vkey-file").arg(log).args(["--listen", "127.0.0.1:0"]);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("chancery-audit witness ready on http://").unwrap_or_else(|| panic!("{line:?}")).to_owned();
        Self { child, address }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_key_host_gets_its_checkpoints_cosigned_by_our_witness_and_cannot_go_back_behind_it() {
    let mut host = Setup::new().make();
    let (dir, log) = (host.temp().join("witness"), host.temp().join("log.vkey"));
    fs::write(&log, host.vkey()).unwrap();
    let init = run(Command::new(program("chancery-audit")).args(["witness", "init", "--name", "witness.example/w1"]).arg(&dir)).ok();
    let vkey = init.stdout.trim().to_owned();
    let witness = Serving::start(&dir, &log);
    let config = host.read("signer.toml");
    let lines = format!(
        "\n[witness]\nmode = \"background\"\ninterval = \"1 s\"\n\n[[witness.server]]\nvkey = \"{vkey}\"\nurl = \"http://{}\"\n",
        witness.address
    );
    host.write("signer.toml", &format!("{config}{lines}"));
    host.serve();
    let keys = [host.vkey().parse().unwrap(), vkey.parse().unwrap()];
    let start = Instant::now();
    let cosigned = loop {
        let note = fs::read_to_string(host.public().join("checkpoint")).unwrap_or_default();
        let verified = Note::parse(&note).ok().and_then(|n| n.verify(&keys).ok());
        if verified.is_some_and(|v| v.len() == 2) {
            break note;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "no cosignature comes: {note}");
        std::thread::yield_now();
    };
    assert_is_shown(&host, &vkey);
    assert_eq!(host.stop(), Some(0));
    let _ = run(Command::new(program("chancery-audit")).arg("verify").arg(host.public()).args(["--vkey", &host.vkey()])).ok();

    // Somebody else's program reads the same, and makes our receipts byte for byte, apart from the entry that ours hold.
    if !skipped("python-tuf") {
        let copy = host.temp().join("cosigned");
        let _ = run(Command::new("cp").arg("-r").arg(host.public()).arg(&copy)).ok();
        fs::write(copy.join("checkpoint"), &cosigned).unwrap();
        let asked = json!({ "public": copy, "vkeys": [host.vkey(), vkey] });
        let read = crate::helpers::python("tlog.py", &asked);
        assert_eq!(read["faults"], json!([]));
        assert_eq!((&read["origin"], read["size"].as_u64()), (&json!("localhost/requests"), Some(size(&copy))));
        for (index, proof) in read["proofs"].as_array().unwrap().iter().enumerate() {
            let out = host.temp().join("entry.tlog-proof");
            let mut prove = Command::new(program("chancery-audit"));
            prove.arg("prove").arg(&copy).args(["--vkey", &host.vkey(), "--out"]).arg(&out).arg(index.to_string());
            let _ = run(&mut prove).ok();
            let own = fs::read_to_string(&out).unwrap();
            let bare: String = own.split_inclusive('\n').filter(|line| !line.starts_with("extra ")).collect();
            assert_eq!(proof.as_str().unwrap(), bare);
        }
    }

    // Everybody who asks sees what it cosigned; what is older is refused, also after a restart of the witness.
    let entries = cosigned.lines().nth(1).unwrap();
    assert!(size(&host.public()) >= entries.parse().unwrap());
    let name = run(Command::new("sh").args(["-c", "printf %s localhost/requests | sha256sum | cut -d' ' -f1"])).ok().stdout;
    let newest = http("GET", &witness.address, &format!("/{}/checkpoint", name.trim()), "");
    assert!(newest.status == 200 && newest.body.contains("witness.example/w1"), "{newest:?}");
    drop(witness);
    let witness = Serving::start(&dir, &log);
    let again = http("POST", &witness.address, "/add-checkpoint", &format!("old 0\n\n{cosigned}"));
    assert_eq!(again.status, 409, "{again:?}");
    assert!(
        again.headers.contains("text/x.tlog.size") && again.body.trim().parse::<u64>().unwrap() >= entries.parse().unwrap(),
        "{again:?}"
    );
    assert_eq!(http("POST", &witness.address, "/add-checkpoint", &"x".repeat(100_000)).status, 413);
    assert_eq!(http("POST", &witness.address, "/add-checkpoint", "nothing").status, 400);
}

/// A publisher is shown the cosignature, verified with the key that its profile pins.
fn assert_is_shown(host: &KeyHost, vkey: &str) {
    let publisher = host.publisher("web1");
    assert!(fs::read_to_string(publisher.profile()).unwrap().contains(vkey), "enrol pins the witnesses");
    let start = Instant::now();
    let shown = loop {
        let said = run(&mut publisher.chancery(&["status", "--json"])).ok().stdout;
        let said: serde_json::Value = serde_json::from_str(&said).unwrap();
        let shown = said["endpoints"][0]["witnesses"][0].clone();
        assert_eq!(shown["name"], json!("witness.example/w1"));
        // The published checkpoint may be behind the newest one, which is not cosigned yet then.
        if shown["verdict"] == json!("verified") {
            break shown;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{shown}");
    };
    assert!(shown["age_s"].as_u64().unwrap() < 60 && shown["size"].as_u64().unwrap() >= 1, "{shown}");
}

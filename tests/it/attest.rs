//! Statements about files.

use chancery_tests::{Setup, run};
use std::fs;

#[test]
fn a_statement_is_signed_for_granted_names_and_verified_with_its_files() {
    let host =
        Setup::new().key("attest", "dsse").key("other", "dsse").grant("web1", "attest", &["dsse"], "**", "names = [\"tool-*\"]").start();
    let publisher = host.publisher("web1");
    let path = |name: &str| host.temp().join(name);
    for name in ["tool-1.0", "tool-1.1", "secret"] {
        fs::write(path(name), name).unwrap();
    }
    let attest = |files: &[&str], out: &str, more: &[&str]| {
        let mut command = publisher.chancery(&["attest", "--key", "attest", "--predicate-type", "https://example.org/release/v1"]);
        run(command.args(["--field", "version=1.0"]).args(more).arg("--out").arg(path(out)).args(files.iter().map(|f| path(f))))
    };
    let verify = |envelope: &str, files: &[&str], key: &str| {
        let mut command = publisher.chancery(&["verify", "attestation", "--key", key]);
        run(command.arg(path(envelope)).args(files.iter().map(|f| path(f))))
    };
    let _ = attest(&["tool-1.0", "tool-1.1"], "envelope", &[]).ok();
    let _ = attest(&["tool-1.0"], "bundle", &["--bundle"]).ok();
    let said = verify("envelope", &["tool-1.0", "tool-1.1"], "attest").ok().stdout;
    assert!(said.contains("https://example.org/release/v1") && said.contains("2 files"), "{said}");
    let _ = verify("bundle", &["tool-1.0"], "attest").ok();
    let _ = verify("bundle", &["tool-1.1"], "attest").failed(1, "has no signature by the statement");
    let _ = verify("bundle", &["tool-1.0"], "other").failed(1, "not well signed");
    let refused = attest(&["tool-1.0", "secret"], "refused", &[]).failed(1, "name-not-granted");
    assert!(refused.stderr.contains("secret") && !path("refused").exists(), "{refused:?}");

    let envelope = fs::read_to_string(path("envelope")).unwrap();
    let value: serde_json::Value = serde_json::from_str(&envelope).unwrap();
    assert_eq!(value["payloadType"], "application/vnd.in-toto+json");
    let signature = value["signatures"][0]["sig"].as_str().unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    fs::write(path("envelope"), envelope.replace(signature, &format!("{other}{}", &signature[1..]))).unwrap();
    let _ = verify("envelope", &["tool-1.0"], "attest").failed(1, "not well signed");
    fs::write(path("tool-1.0"), "changed").unwrap();
    let _ = verify("bundle", &["tool-1.0"], "attest").failed(1, "has no signature by the statement");
}

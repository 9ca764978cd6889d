//! Tools that nobody of this project wrote. Each gives `None` when `CHANCERY_SKIP` names it.

use chancery_tests::{Output, run, skipped, tool};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Whether OpenSSL accepts a bare Ed25519 signature.
pub(crate) fn openssl_accepts(public_key: &str, content: &[u8], signature: &[u8]) -> Option<bool> {
    let mut openssl = tool("openssl")?;
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    openssl.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(file("key.pem", public_key.as_bytes()));
    openssl.arg("-in").arg(file("content", content)).arg("-sigfile").arg(file("signature", signature));
    let output = run(&mut openssl);
    assert_eq!(output.code == 0, output.stdout.contains("Verified Successfully"), "{output:?}");
    Some(output.code == 0)
}

/// The Ed25519 signatures in a `summary.sig` or `.commitmeta`, as GLib's GVariant reader finds them.
pub(crate) fn signatures_in(container: &Path) -> Option<Vec<Vec<u8>>> {
    if skipped("glib") {
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut reader = Command::new("/usr/bin/python3");
    let _ = run(reader.arg(root().join("tests/tools/ostree_signatures.py")).arg(container).arg(dir.path().join("signature"))).ok();
    let numbered = (0..).map(|n| dir.path().join(format!("signature-{n}")));
    Some(numbered.map_while(|path| fs::read(path).ok()).collect())
}

/// Whether `ssh-keygen -Y verify` accepts a signature by the key of this OpenSSH line.
pub(crate) fn ssh_keygen_accepts(line: &str, namespace: &str, file: &Path, signature: &Path) -> Option<bool> {
    let mut keygen = tool("ssh-keygen")?;
    let dir = tempfile::tempdir().unwrap();
    let signers = dir.path().join("allowed_signers");
    fs::write(&signers, format!("signer {line}\n")).unwrap();
    keygen.args(["-Y", "verify", "-I", "signer", "-n", namespace, "-f"]).arg(signers).arg("-s").arg(signature);
    let output = keygen.stdin(fs::File::open(file).unwrap()).output().unwrap();
    Some(output.status.success())
}

/// The checker of request logs on top of Go's `golang.org/x/mod/sumdb`: `log VKEY …` of a directory, or `proof VKEY` of a receipt.
pub(crate) fn check_log(arguments: &[&str], path: &Path) -> Option<Output> {
    if skipped("go") {
        return None;
    }
    let program = root().join("target/go/check-log");
    assert!(program.is_file(), "{} is missing: tests/run.sh builds it, or set CHANCERY_SKIP=go", program.display());
    let [what, rest @ ..] = arguments else { panic!("what is to be checked?") };
    Some(run(Command::new(program).arg(what).arg(path).args(rest)))
}

/// Where the sources are.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

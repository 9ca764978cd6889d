//! Tools that nobody of this project wrote. Each gives `None` when `CHANCERY_SKIP` names it.

use chancery_tests::{glib_signatures, run, tool};
use std::fs;
use std::path::Path;

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
    let mut reader = glib_signatures()?;
    let dir = tempfile::tempdir().unwrap();
    let _ = run(reader.arg(container).arg(dir.path().join("signature"))).ok();
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

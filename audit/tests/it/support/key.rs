//! The key of a log, made and used by OpenSSL: nothing that signs is linked into the auditor, not even here.

use chancery_tlog::{NoteSigner, VerifierKey};
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(Clone)]
pub(crate) struct LogKey {
    dir: PathBuf,
    pub(crate) key: VerifierKey,
}

impl LogKey {
    pub(crate) fn new(dir: &Path, origin: &str) -> Self {
        openssl(dir, &["genpkey", "-algorithm", "ed25519", "-out", "log.pem"]);
        let der = openssl(dir, &["pkey", "-in", "log.pem", "-pubout", "-outform", "DER"]);
        let public = der.last_chunk().unwrap();
        Self { dir: dir.to_owned(), key: VerifierKey::ed25519(origin, public).unwrap() }
    }
}

impl NoteSigner for LogKey {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> [u8; 4] {
        self.key.id()
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        chancery_reqlog::durable::write_atomic(&self.dir.join("text"), text, 0o600).unwrap();
        openssl(&self.dir, &["pkeyutl", "-sign", "-inkey", "log.pem", "-rawin", "-in", "text"]).try_into().unwrap()
    }
}

fn openssl(dir: &Path, arguments: &[&str]) -> Vec<u8> {
    let done = Command::new("openssl").current_dir(dir).args(arguments).output().expect("the openssl program is installed");
    assert!(done.status.success(), "{done:?}");
    done.stdout
}

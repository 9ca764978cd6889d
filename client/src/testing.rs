//! What unit tests share: keys made at run time.

use crate::profile::PinnedKey;
use chancery_formats::Construction;
use chancery_formats::ed25519::PublicKey;
use rcgen::{KeyPair, PKCS_ED25519, SigningKey as _};

/// An Ed25519 key that lives for one test.
pub(crate) struct Key {
    name: &'static str,
    pair: KeyPair,
}

impl Key {
    pub(crate) fn new(name: &'static str) -> Self {
        Self { name, pair: KeyPair::generate_for(&PKCS_ED25519).unwrap() }
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.pair.sign(message).unwrap().try_into().unwrap()
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.pair.public_key_raw().try_into().unwrap()).unwrap()
    }

    pub(crate) fn pinned(&self) -> PinnedKey {
        PinnedKey {
            name: self.name.to_owned(),
            version: 1,
            public: self.public(),
            created: 1_700_000_000,
            constructions: Construction::ALL.to_vec(),
        }
    }
}

/// A certificate in PEM that nobody trusts.
pub(crate) fn certificate() -> String {
    let pair = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    rcgen::CertificateParams::new(vec!["test.example".to_owned()]).unwrap().self_signed(&pair).unwrap().pem()
}

impl chancery_tlog::NoteSigner for Key {
    fn name(&self) -> &str {
        self.name
    }

    fn key_id(&self) -> [u8; 4] {
        self.verifier().id()
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        Self::sign(self, text)
    }
}

impl Key {
    /// The key in the form of signed-note.
    pub(crate) fn verifier(&self) -> chancery_tlog::VerifierKey {
        chancery_tlog::VerifierKey::ed25519(self.name, self.public().as_bytes()).unwrap()
    }

    /// A signed checkpoint of the log with this key.
    pub(crate) fn checkpoint(&self, size: u64) -> String {
        let checkpoint =
            chancery_tlog::Checkpoint { origin: self.name.to_owned(), size, root: chancery_tlog::Hash([1; 32]), extensions: Vec::new() };
        chancery_tlog::sign_note(&checkpoint.to_string(), self)
    }
}

//! The witness's own key. It signs cosignatures and nothing else.

use super::WitnessError;
use crate::error::AuditError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_reqlog::durable;
use chancery_tlog::{KeyType, NoteSigner, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use std::path::Path;
use zeroize::Zeroizing;

const FILE: &str = "witness.key";
const HEADER: &str = "chancery-witness-key-1";

pub(super) struct WitnessKey {
    signing: SigningKey,
    verifier: VerifierKey,
}

impl WitnessKey {
    pub(super) fn make(dir: &Path, name: &str) -> Result<Self, AuditError> {
        let path = dir.join(FILE);
        if path.exists() {
            return Err(WitnessError::Exists(path).into());
        }
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(&mut *seed).map_err(WitnessError::Random)?;
        let key = Self::from_seed(name, &seed).ok_or_else(|| WitnessError::Name { name: name.to_owned() })?;
        durable::create_dir_all(dir, 0o700).map_err(AuditError::Save)?;
        let text = Zeroizing::new(format!("{HEADER}\n{name}\n{}\n", STANDARD.encode(*seed)));
        durable::write_immutable(&path, text.as_bytes(), 0o600).map_err(AuditError::Save)?;
        Ok(key)
    }

    pub(super) fn read(dir: &Path) -> Result<Self, AuditError> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| AuditError::Read { path: path.clone(), source })?;
        let text = Zeroizing::new(text);
        let key = match text.lines().collect::<Vec<_>>().as_slice() {
            [HEADER, name, seed] => STANDARD.decode(seed).ok().and_then(|s| s.try_into().ok()).and_then(|s| Self::from_seed(name, &s)),
            _ => None,
        };
        key.ok_or_else(|| WitnessError::Key(path).into())
    }

    fn from_seed(name: &str, seed: &[u8; 32]) -> Option<Self> {
        let signing = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, KeyType::CosignatureV1, signing.verifying_key().as_bytes()).ok()?;
        Some(Self { signing, verifier })
    }

    pub(super) const fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }
}

impl NoteSigner for WitnessKey {
    fn name(&self) -> &str {
        self.verifier.name()
    }

    fn key_id(&self) -> [u8; 4] {
        self.verifier.id()
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.signing.sign(text).to_bytes()
    }
}

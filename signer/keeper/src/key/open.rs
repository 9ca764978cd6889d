//! Keys that are open. What signs stays in locked memory and in this room.

use super::backend::{Backend, SigningFault};
use super::error::KeyError;
use super::locked::Locked;
use super::seal::{SealError, Secret};
use crate::policy::KeyFacts;
use crate::token::Token;
use chancery_channel::{KeyDescription, KeyName};
use chancery_formats::ed25519::PublicKey;
use chancery_tlog::{NoteSigner, VerifierKey};
use ed25519_dalek::{Signer, SigningKey};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The open signing keys.
pub struct OpenKeys {
    /// By name and version.
    keys: BTreeMap<(KeyName, u32), OpenKey>,
}

/// An open signing key.
pub struct OpenKey {
    description: KeyDescription,
    id: [u8; 32],
    certificate: Option<[u8; 32]>,
    backend: Box<dyn Backend>,
}

impl OpenKeys {
    pub(super) fn new(keys: Vec<OpenKey>) -> Self {
        Self { keys: keys.into_iter().map(|key| ((key.description.name.clone(), key.description.version), key)).collect() }
    }

    /// This version of the key of this name.
    #[must_use]
    pub fn get(&self, name: &KeyName, version: u32) -> Option<&OpenKey> {
        self.keys.get(&(name.clone(), version))
    }

    /// What a decision at this time, in seconds since 1970, needs to know of the key of this name: of its oldest version that is not
    /// retired, or of its newest when all are.
    #[must_use]
    pub fn facts(&self, name: &KeyName, now: u64) -> Option<KeyFacts<'_>> {
        let versions = || self.keys.range((name.clone(), 0)..=(name.clone(), u32::MAX)).map(|(_, key)| key);
        let key = versions().find(|key| !key.description.is_retired(now)).or_else(|| versions().next_back())?;
        Some(KeyFacts { description: &key.description, id: &key.id })
    }

    /// SHA-256 of the OpenPGP certificates of those keys that have one.
    #[must_use]
    pub fn certificates(&self) -> Vec<(KeyName, u32, [u8; 32])> {
        self.keys.iter().filter_map(|((name, version), key)| Some((name.clone(), *version, key.certificate?))).collect()
    }

    /// What is public about all keys, by name, and whether each can sign now.
    #[must_use]
    pub fn descriptions(&self) -> Vec<KeyDescription> {
        self.keys.values().map(OpenKey::now).collect()
    }

    /// All tokens that keys are in, each once.
    #[must_use]
    pub fn tokens(&self) -> Vec<Arc<Token>> {
        let all = self.keys.values().filter_map(OpenKey::token);
        all.map(|token| (token.name().clone(), Arc::clone(token))).collect::<BTreeMap<_, _>>().into_values().collect()
    }
}

impl OpenKey {
    /// `None` when the description has no public key.
    pub(super) fn new(description: KeyDescription, backend: Box<dyn Backend>) -> Option<Self> {
        let public = PublicKey::from_bytes(&description.public_key).ok()?;
        Some(Self {
            description: KeyDescription { state: backend.state(), ..description },
            id: public.key_id(),
            certificate: None,
            backend,
        })
    }

    /// With the SHA-256 of its OpenPGP certificate.
    pub(super) fn certified(self, certificate: Option<[u8; 32]>) -> Self {
        Self { certificate, ..self }
    }

    /// What is public about it, as it was when it was opened.
    #[must_use]
    pub const fn description(&self) -> &KeyDescription {
        &self.description
    }

    /// SHA-256 of its `SubjectPublicKeyInfo`: its id in the request log.
    #[must_use]
    pub const fn key_id(&self) -> &[u8; 32] {
        &self.id
    }

    /// The token that it is in, if it is in one.
    #[must_use]
    pub fn token(&self) -> Option<&Arc<Token>> {
        self.backend.token()
    }

    fn now(&self) -> KeyDescription {
        KeyDescription { state: self.backend.state(), ..self.description.clone() }
    }

    /// Signs, and checks the signature before it is given out.
    pub(super) fn sign_bytes(&self, tbs: &[u8]) -> Result<[u8; 64], SigningFault> {
        self.backend.sign(&self.description.public_key, tbs)
    }
}

/// The open key of the request log. It signs checkpoints and nothing else, and is no [`OpenKey`].
pub struct LogKey {
    key: VerifierKey,
    secret: Locked<SigningKey>,
}

impl LogKey {
    /// `None` when the seed is not that of the public key.
    pub(super) fn new(key: VerifierKey, seed: &Secret) -> Result<Option<Self>, KeyError> {
        let secret = signing_key(seed)?;
        let belongs = secret.verifying_key().as_bytes() == key.public();
        Ok(belongs.then_some(Self { key, secret }))
    }

    /// The key that verifies its checkpoints.
    #[must_use]
    pub const fn verifier_key(&self) -> &VerifierKey {
        &self.key
    }
}

impl NoteSigner for LogKey {
    fn name(&self) -> &str {
        self.key.name()
    }

    fn key_id(&self) -> [u8; 4] {
        self.key.id()
    }

    /// Signs twice and compares. A signature that fails is not given out: zeros are, which verify under no key.
    fn sign(&self, text: &[u8]) -> [u8; 64] {
        let sound = self.secret.verifying_key().as_bytes() == self.key.public();
        let signature = self.secret.sign(text).to_bytes();
        if sound && self.secret.sign(text).to_bytes() == signature {
            signature
        } else {
            tracing::error!("a checkpoint's signature failed its check and was not released; the hardware of the key host may be faulty");
            [0; 64]
        }
    }
}

/// The public key that belongs to a seed.
pub(super) fn public_of(seed: &Secret) -> [u8; 32] {
    SigningKey::from_bytes(seed).verifying_key().to_bytes()
}

pub(super) fn signing_key(seed: &Secret) -> Result<Locked<SigningKey>, KeyError> {
    Ok(Locked::new(|| SigningKey::from_bytes(seed)).map_err(SealError::from)?)
}

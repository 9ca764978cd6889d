//! Where a secret is, and how it signs there: in the locked memory of this process, or in a token.

use super::error::KeyError;
use super::locked::Locked;
use super::open::signing_key;
use super::seal::Secret;
use super::token::ObjectId;
use crate::token::{Token, TokenError};
use chancery_channel::KeyState;
use chancery_formats::ed25519::verify;
use ed25519_dalek::{Signer as _, SigningKey};
use std::sync::Arc;

/// Up to this many bytes it is quicker to sign twice and compare than to verify.
const SIGN_TWICE_MAX: usize = 64 * 1024;

/// A place in which a secret is.
pub(super) trait Backend: Send + Sync {
    /// Signs with Ed25519 (RFC 8032 section 5.1), and checks the signature under the public key before it gives it out.
    fn sign(&self, public: &[u8; 32], tbs: &[u8]) -> Result<[u8; 64], SigningFault>;
    /// Whether it can sign now.
    fn state(&self) -> KeyState;
    /// The token, if it is one.
    fn token(&self) -> Option<&Arc<Token>>;
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub(super) enum SigningFault {
    /// One was made, and failed its check.
    #[error("a signature failed its check")]
    SelfCheck,
    /// The token made none.
    #[error(transparent)]
    Token(TokenError),
}

/// A secret in the locked memory of this process.
pub(super) struct InMemory(Locked<SigningKey>);

impl InMemory {
    /// `None` when the seed is not that of the public key.
    pub(super) fn new(seed: &Secret, public: &[u8; 32]) -> Result<Option<Box<dyn Backend>>, KeyError> {
        let secret = signing_key(seed)?;
        let belongs = secret.verifying_key().as_bytes() == public;
        Ok(if belongs { Some(Box::new(Self(secret))) } else { None })
    }
}

impl Backend for InMemory {
    /// A signature that a fault of the hardware made wrong can give the key away.
    ///
    /// A fault in the public half that is kept beside the secret would make two wrong signatures alike, so that half is compared with the
    /// description, which is elsewhere in memory.
    fn sign(&self, public: &[u8; 32], tbs: &[u8]) -> Result<[u8; 64], SigningFault> {
        if self.0.verifying_key().as_bytes() != public {
            return Err(SigningFault::SelfCheck);
        }
        let signature = self.0.sign(tbs).to_bytes();
        let good =
            if tbs.len() <= SIGN_TWICE_MAX { self.0.sign(tbs).to_bytes() == signature } else { verify(public, tbs, &signature).is_ok() };
        if good { Ok(signature) } else { Err(SigningFault::SelfCheck) }
    }

    fn state(&self) -> KeyState {
        KeyState::Open
    }

    fn token(&self) -> Option<&Arc<Token>> {
        None
    }
}

/// A secret in a token.
pub(super) struct InToken {
    token: Arc<Token>,
    object: ObjectId,
    /// Whether the token had the key when it was opened.
    there: bool,
}

impl InToken {
    pub(super) const fn new(token: Arc<Token>, object: ObjectId, there: bool) -> Self {
        Self { token, object, there }
    }
}

impl Backend for InToken {
    /// A token is not believed: it may sign with another key, or by a scheme that is not the one that was asked for.
    fn sign(&self, public: &[u8; 32], tbs: &[u8]) -> Result<[u8; 64], SigningFault> {
        let signature = self.token.sign(self.object.as_bytes(), tbs).map_err(SigningFault::Token)?;
        if verify(public, tbs, &signature).is_ok() { Ok(signature) } else { Err(SigningFault::SelfCheck) }
    }

    fn state(&self) -> KeyState {
        if self.there && self.token.is_in_service() { KeyState::Open } else { KeyState::Unreachable }
    }

    fn token(&self) -> Option<&Arc<Token>> {
        Some(&self.token)
    }
}

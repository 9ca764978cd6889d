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
    pub(super) fn of_seed(seed: &Secret, public: &[u8; 32]) -> Result<Option<Box<dyn Backend>>, KeyError> {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const ID: [u8; 2] = [0xa1, 0xb2];
    const SEED: [u8; 32] = [7; 32];

    fn backend(sign: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> (InToken, [u8; 32]) {
        let token = Token::for_tests(Duration::from_millis(100), move |id, bytes| (id == ID).then(|| sign(bytes)).flatten());
        let public = SigningKey::from_bytes(&SEED).verifying_key().to_bytes();
        (InToken::new(Arc::new(token), ObjectId::new(ID.to_vec()).unwrap(), true), public)
    }

    fn signed(seed: [u8; 32], bytes: &[u8]) -> Option<Vec<u8>> {
        Some(SigningKey::from_bytes(&seed).sign(bytes).to_vec())
    }

    #[test]
    fn a_token_is_not_believed() {
        let (good, public) = backend(|bytes| signed(SEED, bytes));
        for len in [0, 1, 300_000] {
            verify(&public, &vec![1; len], &good.sign(&public, &vec![1; len]).unwrap()).unwrap();
        }
        let (other_key, _) = backend(|bytes| signed([8; 32], bytes));
        let (other_bytes, _) = backend(|_| signed(SEED, b"other"));
        let (garbage, _) = backend(|_| Some(vec![0; 64]));
        for bad in [&other_key, &other_bytes, &garbage] {
            assert!(matches!(bad.sign(&public, b"bytes"), Err(SigningFault::SelfCheck)));
            // It answers, so it stays: the next signature may be a good one.
            assert_eq!(bad.state(), KeyState::Open);
        }
        assert!(matches!(good.sign(&[9; 32], b"bytes"), Err(SigningFault::SelfCheck)), "not under another public key");
    }

    #[test]
    fn a_token_that_answers_no_signature_is_out_of_service_from_then_on() {
        for bad in [vec![], vec![0; 63], vec![0; 65]] {
            let (token, public) = backend(move |_| Some(bad.clone()));
            assert!(matches!(token.sign(&public, b"bytes"), Err(SigningFault::Token(TokenError::Lost { .. }))));
            assert_eq!(token.state(), KeyState::Unreachable);
        }
    }

    #[test]
    fn a_token_that_hangs_is_given_up_after_its_timeout_and_then_at_once() {
        let (token, public) = backend(|_| None);
        let start = Instant::now();
        let error = token.sign(&public, b"bytes").unwrap_err().to_string();
        assert!(error.contains("did not answer in time") && start.elapsed() >= Duration::from_millis(100), "{error}");
        let start = Instant::now();
        assert!(token.sign(&public, b"bytes").is_err() && start.elapsed() < Duration::from_millis(50));
        assert_eq!(token.state(), KeyState::Unreachable);
    }
}

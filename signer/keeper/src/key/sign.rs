//! The only way to a signature.

use super::OpenKeys;
use super::backend::SigningFault;
use crate::prepare::Prepared;
use crate::record::Recorded;
use crate::token::TokenError;
use chancery_channel::KeyName;

/// A signature that passed the check made before it leaves.
pub struct Made {
    /// Framed as the construction says.
    pub framed: Vec<u8>,
    /// Version of the key that signed.
    pub key_version: u32,
    /// SHA-256 of what was signed.
    pub tbs_sha256: [u8; 32],
}

/// Why a recorded request was not signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// The key that the permit names is not open.
    #[error("key {name} version {version} is not open; open it and send the same request again")]
    NotOpen {
        /// Name of the key.
        name: KeyName,
        /// Its version.
        version: u32,
    },
    /// The token that the key is in does not sign.
    #[error("key {name} cannot sign: {source}; sending this again is of no use before")]
    Token {
        /// Name of the key.
        name: KeyName,
        /// Why.
        source: TokenError,
    },
    /// Signing twice did not give one signature. A wrong signature can give the key away, so it is not released.
    #[error("the signature failed its check and was not released; the hardware of the key host may be faulty, check it before you go on")]
    SelfCheck,
}

/// Signs what is recorded. Taking it by value means that one record gives one signature, over the recorded bytes.
///
/// # Errors
/// [`SignError`]; the entry stands, and the same request may be sent again.
pub fn sign(keys: &OpenKeys, recorded: Recorded<Prepared>) -> Result<Made, SignError> {
    let prepared = recorded.prepared();
    let permit = prepared.permit();
    let not_open = || SignError::NotOpen { name: prepared.request().key.clone(), version: permit.key_version() };
    let key = keys.get(&prepared.request().key, permit.key_version()).ok_or_else(not_open)?;
    let fault = |fault| match fault {
        SigningFault::SelfCheck => SignError::SelfCheck,
        SigningFault::Token(source) => SignError::Token { name: prepared.request().key.clone(), source },
    };
    let signature = key.sign_bytes(prepared.tbs()).map_err(fault)?;
    let second = prepared.second(&signature).map(|bytes| key.sign_bytes(&bytes)).transpose().map_err(fault)?;
    Ok(Made { framed: prepared.frame(&signature, second.as_ref()), key_version: permit.key_version(), tbs_sha256: *prepared.tbs_sha256() })
}

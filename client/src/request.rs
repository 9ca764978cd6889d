//! What is to be signed: exactly what is sent, and what is sent again with a retry.

use bytes::Bytes;
use chancery_formats::ostree::{commit::Commit, summary::Summary};
use chancery_formats::sshsig::{self, HashAlgorithm, SshsigError};
use chancery_formats::{Construction, ContentError};
use chancery_proto::v1;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// One thing to be signed. Its id is chosen at random when it is made, and is the same for every try.
#[derive(Debug, Clone)]
pub struct Request {
    id: RequestId,
    key: String,
    construction: Construction,
    subject: String,
    payload: Payload,
    tbs_sha256: [u8; 32],
}

/// 16 random bytes that name a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub [u8; 16]);

#[derive(Debug, Clone)]
pub(crate) enum Payload {
    Content(Bytes),
    Sshsig { namespace: String, algorithm: HashAlgorithm, digest: Vec<u8> },
}

/// Why a request cannot be made. The same input gives the same answer, except for [`RequestError::Random`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The content is not what the construction signs.
    #[error("this cannot be signed as {construction}")]
    Content {
        /// The construction.
        construction: Construction,
        /// What is wrong, and where.
        #[source]
        source: ContentError,
    },
    /// Namespace or digest of an SSH signature.
    #[error("no SSH signature can be made of this")]
    Sshsig(#[source] SshsigError),
    /// This construction is made from a digest, not from content.
    #[error("{0} is made from a digest, not from content")]
    NeedsDigest(Construction),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a request id")]
    Random(#[source] getrandom::Error),
}

impl Request {
    /// Asks for an SSH signature of a file with this digest.
    ///
    /// # Errors
    /// [`RequestError`] when namespace or digest are not usable.
    pub fn sshsig(key: &str, subject: &str, namespace: &str, algorithm: HashAlgorithm, digest: &[u8]) -> Result<Self, RequestError> {
        let tbs = sshsig::tbs(namespace, algorithm, digest).map_err(RequestError::Sshsig)?;
        let payload = Payload::Sshsig { namespace: namespace.to_owned(), algorithm, digest: digest.to_vec() };
        Self::new(key, Construction::Sshsig, subject, payload, Sha256::digest(tbs).into())
    }

    /// Asks for a signature of content. The content is checked here as the key host checks it, so that nothing is sent in vain.
    ///
    /// # Errors
    /// [`RequestError`] when the content is not what the construction signs.
    pub fn content(key: &str, construction: Construction, subject: &str, content: Bytes) -> Result<Self, RequestError> {
        let checked = match construction {
            Construction::OstreeSummaryEd25519 => Summary::parse(&content).map(drop),
            Construction::OstreeCommitEd25519 => Commit::parse(&content).map(drop),
            other => return Err(RequestError::NeedsDigest(other)),
        };
        checked.map_err(|source| RequestError::Content { construction, source })?;
        let sha256 = Sha256::digest(&content).into();
        Self::new(key, construction, subject, Payload::Content(content), sha256)
    }

    fn new(key: &str, construction: Construction, subject: &str, payload: Payload, tbs_sha256: [u8; 32]) -> Result<Self, RequestError> {
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(RequestError::Random)?;
        Ok(Self { id: RequestId(id), key: key.to_owned(), construction, subject: subject.to_owned(), payload, tbs_sha256 })
    }

    /// The id.
    #[must_use]
    pub const fn id(&self) -> RequestId {
        self.id
    }

    /// Name of the key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// How the signature is made and framed.
    #[must_use]
    pub const fn construction(&self) -> Construction {
        self.construction
    }

    /// What is signed, in our own terms.
    #[must_use]
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// SHA-256 of the exact bytes that the signature must be over, computed here.
    #[must_use]
    pub const fn tbs_sha256(&self) -> &[u8; 32] {
        &self.tbs_sha256
    }

    pub(crate) const fn payload(&self) -> &Payload {
        &self.payload
    }

    pub(crate) fn header(&self) -> v1::SignHeader {
        use v1::sign_header::Payload as Wire;
        let payload = match &self.payload {
            Payload::Content(content) => Wire::Content(v1::DeclaredContent {
                length: u64::try_from(content.len()).unwrap_or(u64::MAX),
                sha256: Bytes::copy_from_slice(&self.tbs_sha256),
            }),
            Payload::Sshsig { namespace, algorithm, digest } => Wire::Sshsig(v1::SshsigDigest {
                namespace: namespace.clone(),
                hash_algorithm: algorithm.name().to_owned(),
                digest: Bytes::copy_from_slice(digest),
            }),
        };
        v1::SignHeader {
            request_id: Bytes::copy_from_slice(&self.id.0),
            key: self.key.clone(),
            construction: self.construction.name().to_owned(),
            subject: self.subject.clone(),
            payload: Some(payload),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

//! What is to be signed: exactly what is sent, and what is sent again with a retry.

use bytes::Bytes;
use chancery_formats::checksums::Checksums;
use chancery_formats::dsse::Statement;
use chancery_formats::openpgp::HashState;
use chancery_formats::ostree::{Index, commit::Commit, summary::Summary};
use chancery_formats::sshsig::{self, HashAlgorithm, SshsigError};
use chancery_formats::{Construction, ContentError, git, note, raw, signify, tuf};
use chancery_proto::v1;
use sha2::{Digest as _, Sha256};
use std::fmt;

/// In bytes.
const SUBJECT_MAX: usize = 255;

/// One thing to be signed. Its id is chosen at random when it is made, and is the same for every try.
#[derive(Debug, Clone)]
pub struct Request {
    id: RequestId,
    key: String,
    construction: Construction,
    subject: String,
    material: Material,
}

/// 16 random bytes that name a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId(pub [u8; 16]);

/// What is sent to be signed, or to be compared with a signature.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Material {
    /// The content itself, and its SHA-256.
    Content {
        /// The bytes.
        bytes: Bytes,
        /// Their SHA-256.
        sha256: [u8; 32],
    },
    /// A digest, for `sshsig`.
    Sshsig {
        /// What the signature is for.
        namespace: String,
        /// How the file was hashed.
        algorithm: HashAlgorithm,
        /// Digest of the file.
        digest: Vec<u8>,
    },
    /// BLAKE2b-512 of the file, for `minisign`.
    Blake2b([u8; 64]),
    /// The state of the hash of the file, for `openpgp-detached`.
    HashState(HashState),
    /// Names and digests, for `dsse`; the key host writes the statement.
    Statement(Statement),
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
    /// This construction is made from content, not from a digest.
    #[error("{0} is made from the content itself, not from a digest")]
    NeedsContent(Construction),
    /// The policy's names for what is signed have a closed alphabet.
    #[error(
        "{0:?} cannot be a subject: that is 1 to {SUBJECT_MAX} bytes of printable ASCII without space, quotes and backslash; name another one with --subject"
    )]
    Subject(String),
    /// The system gives no random numbers.
    #[error("the system gives no random numbers for a request id")]
    Random(#[source] getrandom::Error),
}

impl Request {
    /// Asks for a signature of this. What can be checked here is checked as the key host checks it, so that nothing is sent in vain.
    ///
    /// # Errors
    /// [`RequestError`] when the construction does not sign this.
    pub fn new(key: &str, construction: Construction, subject: &str, material: Material) -> Result<Self, RequestError> {
        check_subject(subject)?;
        check(construction, &material)?;
        let mut id = [0; 16];
        getrandom::fill(&mut id).map_err(RequestError::Random)?;
        Ok(Self { id: RequestId(id), key: key.to_owned(), construction, subject: subject.to_owned(), material })
    }

    /// Asks for an SSH signature of a file with this digest.
    ///
    /// # Errors
    /// [`RequestError`] when namespace or digest are not usable.
    pub fn sshsig(key: &str, subject: &str, namespace: &str, algorithm: HashAlgorithm, digest: &[u8]) -> Result<Self, RequestError> {
        let material = Material::Sshsig { namespace: namespace.to_owned(), algorithm, digest: digest.to_vec() };
        Self::new(key, Construction::Sshsig, subject, material)
    }

    /// Asks for a signature of content.
    ///
    /// # Errors
    /// [`RequestError`] when the content is not what the construction signs.
    pub fn content(key: &str, construction: Construction, subject: &str, content: Bytes) -> Result<Self, RequestError> {
        Self::new(key, construction, subject, Material::content(content))
    }

    /// The same request, made before under another id.
    pub(crate) fn under(self, id: RequestId) -> Self {
        Self { id, ..self }
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

    /// What is to be signed.
    #[must_use]
    pub const fn material(&self) -> &Material {
        &self.material
    }

    pub(crate) fn header(&self) -> v1::SignHeader {
        use v1::sign_header::Payload as Wire;
        let payload = match &self.material {
            Material::Content { bytes, sha256 } => Wire::Content(v1::DeclaredContent {
                length: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
                sha256: Bytes::copy_from_slice(sha256),
            }),
            Material::Sshsig { namespace, algorithm, digest } => Wire::Sshsig(v1::SshsigDigest {
                namespace: namespace.clone(),
                hash_algorithm: algorithm.name().to_owned(),
                digest: Bytes::copy_from_slice(digest),
            }),
            Material::Blake2b(digest) => Wire::Blake2b(Bytes::copy_from_slice(digest)),
            Material::HashState(state) => Wire::HashState(v1::HashState {
                hash_algorithm: state.hash.name().to_owned(),
                words: Bytes::copy_from_slice(&state.words),
                length: state.length,
                tail: Bytes::copy_from_slice(&state.tail),
            }),
            Material::Statement(statement) => Wire::Statement(v1::Statement {
                subjects: statement
                    .subjects()
                    .iter()
                    .map(|s| v1::StatementSubject { name: s.name.clone(), sha256: Bytes::copy_from_slice(&s.sha256) })
                    .collect(),
                predicate_type: statement.predicate_type().to_owned(),
                predicate: statement.predicate().clone().into_iter().collect(),
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

impl Material {
    /// The content itself.
    #[must_use]
    pub fn content(bytes: Bytes) -> Self {
        let sha256 = Sha256::digest(&bytes).into();
        Self::Content { bytes, sha256 }
    }

    /// What is sent after the header; nothing when a digest stands for it.
    pub(crate) fn body(&self) -> Bytes {
        match self {
            Self::Content { bytes, .. } => bytes.clone(),
            _ => Bytes::new(),
        }
    }
}

/// As the key host reads it.
fn check_subject(subject: &str) -> Result<(), RequestError> {
    let fits = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'\'' | b'\\' | b'`');
    if (1..=SUBJECT_MAX).contains(&subject.len()) && subject.bytes().all(fits) {
        return Ok(());
    }
    Err(RequestError::Subject(subject.chars().take(80).collect()))
}

fn check(construction: Construction, material: &Material) -> Result<(), RequestError> {
    use Construction::{ChecksumsMinisign, ChecksumsOpenpgp, ChecksumsSignify, ChecksumsSshsig, OpenpgpDetached};
    use Construction::{GitCommitOpenpgp, GitCommitSshsig, GitTagOpenpgp, GitTagSshsig, SignedNote};
    use Construction::{OstreeCommitEd25519, OstreeCommitOpenpgp, OstreeSummaryEd25519, OstreeSummaryOpenpgp};
    let content = match (construction, material) {
        (Construction::Sshsig, Material::Sshsig { namespace, algorithm, digest }) => {
            return sshsig::tbs(namespace, *algorithm, digest).map(drop).map_err(RequestError::Sshsig);
        }
        (Construction::Minisign, Material::Blake2b(_))
        | (OpenpgpDetached, Material::HashState(_))
        | (Construction::Dsse, Material::Statement(_)) => return Ok(()),
        (Construction::Sshsig | Construction::Minisign | Construction::Dsse | OpenpgpDetached, _) => {
            return Err(RequestError::NeedsDigest(construction));
        }
        (_, Material::Content { bytes, .. }) => bytes,
        _ => return Err(RequestError::NeedsContent(construction)),
    };
    let checked = match construction {
        OstreeSummaryEd25519 | OstreeSummaryOpenpgp => Summary::parse(content).map(drop),
        Construction::FlatpakIndexEd25519 | Construction::FlatpakIndexOpenpgp => Index::parse(content).map(drop),
        OstreeCommitEd25519 | OstreeCommitOpenpgp => Commit::parse(content).map(drop),
        ChecksumsSshsig | ChecksumsOpenpgp | ChecksumsMinisign | ChecksumsSignify => Checksums::parse(content).map(drop),
        GitTagSshsig | GitTagOpenpgp => git::Tag::parse(content).map(drop),
        GitCommitSshsig | GitCommitOpenpgp => git::Commit::parse(content).map(drop),
        SignedNote => note::NoteText::parse(content).map(drop),
        Construction::Tuf => tuf::Metadata::parse(content).map(drop),
        Construction::Signify => signify::check(content),
        Construction::RawEd25519 => raw::check(content),
        _ => Ok(()),
    };
    checked.map_err(|source| RequestError::Content { construction, source })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_that_the_key_host_would_not_take_is_refused_here_with_what_to_do() {
        let ask = |subject: &str| Request::sshsig("tarballs", subject, "file", HashAlgorithm::Sha512, &[0; 64]);
        for good in ["tool-1.0.tar.gz", "a/b:c", &"x".repeat(255)] {
            assert!(ask(good).is_ok(), "{good}");
        }
        for bad in ["", "a b", "a\nb", "caf\u{e9}", "it's", "a\\b", &"x".repeat(256)] {
            let error = ask(bad).unwrap_err().to_string();
            assert!(error.contains("cannot be a subject") && error.contains("--subject") && !error.contains('\n'), "{error}");
        }
    }
}

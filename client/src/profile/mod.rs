//! What a publisher knows of its key host: where it is, who we are there, and which keys to believe.
//!
//! A profile is a TOML file that `chanceryd enroll` writes. It holds nothing secret; the private key stays in a file of its own.

mod key_file;
mod read;

use chancery_formats::ed25519::PublicKey;
use chancery_formats::{Construction, openpgp};
use chancery_tlog::VerifierKey;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

pub use key_file::KeyFileError;
pub(crate) use key_file::read_private_key;

/// A key host, the identity that we have there, and the keys that its signatures and its log must be made with.
#[derive(Debug, Clone)]
pub struct Profile {
    path: PathBuf,
    principal: String,
    endpoints: Vec<Endpoint>,
    server_name: Option<String>,
    ca: String,
    certificate: String,
    key_file: PathBuf,
    log: VerifierKey,
    witnesses: Vec<VerifierKey>,
    keys: Vec<PinnedKey>,
}

/// A signing key of the key host, as it was when the profile was written. Only signatures by pinned keys are believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PinnedKey {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// The public key.
    pub public: PublicKey,
    /// When it was made, in seconds since 1970; OpenPGP's fingerprint of the key depends on it.
    pub created: u64,
    /// What the key was made for.
    pub constructions: Vec<Construction>,
}

/// Where a key host listens: `https://HOST:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

/// A text is not an [`Endpoint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an endpoint has the form https://HOST:PORT, without a path")]
pub struct EndpointError;

/// Why a profile cannot be used. Another try gives the same answer until the file is mended.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProfileError {
    /// There is no profile file.
    #[error("there is no profile at {}; `chanceryd enroll` on the key host writes one, name it with --profile or CHANCERY_PROFILE", path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the profile {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
    /// Everybody on this machine can write to the file, so what it pins proves nothing.
    #[error("every user can write to the profile {}, so the keys pinned in it prove nothing; run chmod o-w on it and check its content", path.display())]
    Writable {
        /// The file.
        path: PathBuf,
    },
    /// Something in the file is not what a profile has there.
    #[error("{}:{line}: {message}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
        /// What is wrong.
        message: String,
    },
}

impl Profile {
    /// Reads a profile. The private key is read later, when a connection is made: verifying needs none.
    ///
    /// # Errors
    /// [`ProfileError`].
    pub fn load(path: &Path) -> Result<Self, ProfileError> {
        read::load(path)
    }

    /// Who we are on the key host.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// Until when our certificate is valid, in seconds since 1970.
    #[must_use]
    pub fn certificate_expires(&self) -> Option<i64> {
        let pem = x509_parser::pem::Pem::iter_from_buffer(self.certificate.as_bytes()).next()?.ok()?;
        Some(pem.parse_x509().ok()?.validity().not_after.timestamp())
    }

    /// Where the key host listens; tried in this order.
    #[must_use]
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.endpoints
    }

    /// The key of the request log.
    #[must_use]
    pub const fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// The pinned keys of witnesses that cosign the request log, all of the type cosignature/v1.
    #[must_use]
    pub fn witnesses(&self) -> &[VerifierKey] {
        &self.witnesses
    }

    /// The pinned signing keys.
    #[must_use]
    pub fn keys(&self) -> &[PinnedKey] {
        &self.keys
    }

    /// All pinned versions of a key.
    pub fn versions_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a PinnedKey> {
        self.keys.iter().filter(move |k| k.name == name)
    }

    /// The file that this profile was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    pub(crate) fn ca(&self) -> &str {
        &self.ca
    }

    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    pub(crate) fn key_file(&self) -> &Path {
        &self.key_file
    }
}

impl PinnedKey {
    /// The key as OpenPGP has it.
    #[must_use]
    pub fn openpgp(&self) -> openpgp::PublicKey {
        openpgp::PublicKey { created: u32::try_from(self.created).unwrap_or(u32::MAX), point: *self.public.as_bytes() }
    }

    /// The construction of a family (`ostree-summary`, `git-tag`) that the key was made for.
    #[must_use]
    pub fn construction_of(&self, family: &str) -> Option<Construction> {
        self.constructions.iter().copied().find(|c| c.family() == family)
    }
}

impl Endpoint {
    /// The URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;
    fn from_str(s: &str) -> Result<Self, EndpointError> {
        let uri: tonic::transport::Uri = s.parse().map_err(|_| EndpointError)?;
        let bare = matches!(uri.path(), "" | "/") && uri.query().is_none();
        let authority = uri.authority().is_some_and(|a| !a.as_str().contains('@') && !a.host().is_empty());
        if uri.scheme_str() == Some("https") && authority && bare && !s.contains('#') {
            Ok(Self(s.trim_end_matches('/').to_owned()))
        } else {
            Err(EndpointError)
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests;

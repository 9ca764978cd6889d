//! What an operator does on the key host: `init`, `enroll` and `revoke`.

mod enroll;
mod files;
mod init;
mod numbers;
mod pki;
mod revoke;

pub use enroll::{Enrolment, Request, Role, enroll};
pub use init::{Made, NewHost, init};
pub use numbers::{numbers, write_numbers};
pub use revoke::{Revocation, Revoked, revoke};

use crate::config::ConfigError;
use crate::keeper::KeeperError;
use chancery_exporter::MetricsAt;
use std::io;
use std::path::{Path, PathBuf};

/// Why an administrative command failed. Nothing that existed before was changed.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// It would overwrite something.
    #[error("{} exists already; nothing is ever overwritten, choose another place", path.display())]
    Exists {
        /// What exists.
        path: PathBuf,
    },
    /// A file or directory.
    #[error("{} cannot be {done}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Read or written.
        done: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The key host counts, and says it nowhere.
    #[error("{} has no table [metrics]; write one with a place for the numbers, such as listen = \"unix:/run/chancery/metrics.sock\", and start the key host anew", file.display())]
    NoNumbers {
        /// The configuration.
        file: PathBuf,
    },
    /// Nobody gives numbers.
    #[error("nobody answers at {place} with numbers; does the key host serve?")]
    Unanswered {
        /// Where.
        place: MetricsAt,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A certificate could not be made.
    #[error("the certificate could not be made")]
    Certificate(#[source] rcgen::Error),
    /// No serial number for a certificate.
    #[error("the system gives no random numbers for a certificate")]
    Random(#[source] getrandom::Error),
    /// A request for a certificate that cannot be used, such as one whose signature does not fit its key.
    #[error("{} is not a certificate request that can be used; make one with `chancery enroll-request NAME`", path.display())]
    Request {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: rcgen::Error,
    },
    /// A name outside its alphabet.
    #[error("{what} {given:?} is not allowed: {allowed}")]
    Name {
        /// Which name.
        what: &'static str,
        /// What was given.
        given: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// No certificate in a file.
    #[error("{} holds no certificate; name the client's profile, or the PEM file of its certificate", path.display())]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// A certificate that was just made cannot be read.
    #[error("the certificate that was made cannot be read; this is a fault, please report it")]
    Unreadable,
    /// There are no copies of certificates of a principal.
    #[error("{} has no certificate of {name}; name the file with --certificate", directory.display())]
    NotIssued {
        /// Role and short name.
        name: String,
        /// Where copies stand.
        directory: PathBuf,
    },
    /// The configuration names no list.
    #[error("signer.toml names no list of revoked certificates; write client_crl = \"pki/clients.crl\" into its table [gateway]")]
    NoList,
    /// The list cannot be read.
    #[error("{} is not a list of revoked certificates; restore it from a backup", path.display())]
    List {
        /// The file.
        path: PathBuf,
    },
    /// The configuration was refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The keeper's part failed.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// The keeper's command printed something else than expected.
    #[error("chancery-keeper and this chanceryd do not understand each other; both must be of one version")]
    Keys(#[source] serde_json::Error),
    /// The profile could not be written as TOML.
    #[error("the profile could not be written")]
    Profile(#[source] toml::ser::Error),
}

/// Writes a file of answers, as a whole.
///
/// # Errors
/// The answer of the file system.
pub fn write_answer(path: &Path, bytes: &[u8]) -> io::Result<()> {
    files::replace(path, bytes, 0o644).map_err(io::Error::other)
}

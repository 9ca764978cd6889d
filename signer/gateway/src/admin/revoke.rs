//! `chanceryd revoke`: client certificates that do not count any more.

use super::enroll::{Role, authority, check_name};
use super::{AdminError, files, pki};
use crate::config::Gateway;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Which certificates are revoked.
#[derive(Debug, Clone)]
pub enum Revoked {
    /// All that this key host made for a principal.
    Principal {
        /// Its short name.
        name: String,
        /// What it does.
        role: Role,
    },
    /// One, in a PEM file or a profile.
    File(PathBuf),
}

/// What was revoked.
#[derive(Debug, Serialize)]
pub struct Revocation {
    /// The serial numbers, in hex, that were added to the list.
    pub added: Vec<String>,
    /// How many certificates the list has now.
    pub revoked: usize,
    /// The list.
    pub list: PathBuf,
}

/// Adds certificates to the list of those that were revoked. It is in force from the next start or reload on.
///
/// # Errors
/// [`AdminError`]; the list is as before.
pub fn revoke(dir: &Path, which: &Revoked) -> Result<Revocation, AdminError> {
    let config = Gateway::read(dir)?;
    let list = config.client_crl.clone().ok_or(AdminError::NoList)?;
    let authority = authority(dir, &config)?;
    let named = match which {
        Revoked::File(path) => vec![serial_of(path)?],
        Revoked::Principal { name, role } => issued(dir, name, *role)?,
    };
    let mut revoked = pki::Revocations::read(&files::read(&list)?).map_err(|()| AdminError::List { path: list.clone() })?;
    let added: Vec<_> = named.into_iter().filter(|serial| revoked.add(serial)).collect();
    files::replace(&list, revoked.signed(&authority)?.as_bytes(), 0o644)?;
    let added = added.iter().map(|serial| hex(serial)).collect();
    Ok(Revocation { added, revoked: revoked.len(), list })
}

/// Where the certificates stand that this key host made.
pub(super) fn issued_dir(dir: &Path) -> PathBuf {
    dir.join("ca").join("issued")
}

/// The name of a certificate's copy; none of its parts can hold what follows it.
pub(super) fn issued_name(role: Role, name: &str, certificate: &str) -> Result<String, AdminError> {
    let serial = pki::serial(certificate).ok_or(AdminError::Unreadable)?;
    Ok(format!("{}.{name}.{}.crt", role.word(), hex(&serial)))
}

fn issued(dir: &Path, name: &str, role: Role) -> Result<Vec<Vec<u8>>, AdminError> {
    check_name(name)?;
    let directory = issued_dir(dir);
    let prefix = format!("{}.{name}.", role.word());
    let mut serials = Vec::new();
    for path in files::list(&directory)? {
        if path.file_name().and_then(|n| n.to_str()).is_some_and(|n| n.starts_with(&prefix)) {
            serials.push(serial_of(&path)?);
        }
    }
    if serials.is_empty() {
        return Err(AdminError::NotIssued { name: format!("{}/{name}", role.word()), directory });
    }
    Ok(serials)
}

fn serial_of(path: &Path) -> Result<Vec<u8>, AdminError> {
    let text = files::read(path)?;
    let certificate = match text.parse::<toml::Table>() {
        Ok(profile) => profile.get("certificate").and_then(|c| c.as_str()).unwrap_or_default().to_owned(),
        Err(_) => text,
    };
    pki::serial(&certificate).ok_or_else(|| AdminError::NoCertificate { path: path.to_owned() })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

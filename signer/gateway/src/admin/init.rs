//! `chanceryd init`: a new key host.

use super::files::{self, NewFiles};
use super::{AdminError, pki};
use crate::cli::Unlock;
use crate::config::FILE;
use crate::keeper;
use chancery_channel::Principal;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

/// What a new key host is to be.
#[derive(Debug)]
pub struct NewHost {
    /// Host names and addresses under which clients reach it; the first one names it.
    pub names: Vec<String>,
    /// Where it listens.
    pub listen: std::net::SocketAddr,
    /// Name of the request log.
    pub origin: Option<String>,
}

/// What was made.
#[derive(Debug, Serialize)]
pub struct Made {
    /// The key host's directory.
    pub dir: PathBuf,
    /// The first part of principals' names.
    pub trust_domain: String,
    /// The verification key of the request log.
    pub log_vkey: String,
}

/// What the keeper prints.
#[derive(Deserialize)]
struct Keyring {
    log_vkey: String,
}

/// Makes the directory of a key host: CA, server certificate, configuration, policy, keyring and log key.
///
/// # Errors
/// [`AdminError`]; an existing key host is not touched, and what was begun is taken back.
pub fn init(dir: &Path, host: &NewHost, program: &Path, unlock: &Unlock) -> Result<Made, AdminError> {
    check(host)?;
    let first = host.names.first().map_or("localhost", String::as_str);
    let trust_domain = if first.parse::<IpAddr>().is_ok() { "chancery.local" } else { first };
    for existing in [FILE, "policy.toml", "pki", "ca", "keys", "log"].map(|name| dir.join(name)) {
        if existing.exists() {
            return Err(AdminError::Exists { path: existing });
        }
    }
    let is_new = !dir.exists();
    let directories = ["pki", "ca"].map(|name| dir.join(name));
    directories.iter().try_for_each(|directory| files::directory(directory))?;
    let authority = pki::authority(first)?;
    let server = pki::server(&authority, &host.names)?;
    let revoked = pki::Revocations::default().signed(&authority)?;
    let mut new = NewFiles::default();
    for (name, text, mode) in [
        ("pki/ca.crt", &authority.certificate, 0o644),
        ("ca/ca.key", &authority.key, 0o600),
        ("pki/clients.crl", &revoked, 0o644),
        ("pki/server.crt", &server.certificate, 0o644),
        ("pki/server.key", &server.key, 0o600),
    ] {
        new.create(dir.join(name), text.as_bytes(), mode)?;
    }
    new.create(dir.join("policy.toml"), include_bytes!("policy.toml"), 0o600)?;
    new.create(dir.join(FILE), configuration(host, first, trust_domain).as_bytes(), 0o600)?;
    keeper::outlive_interrupts();
    let made = keyring(dir, program, unlock).map(|log_vkey| Made { dir: dir.to_owned(), trust_domain: trust_domain.to_owned(), log_vkey });
    if made.is_ok() {
        new.keep();
    } else {
        drop(new);
        // Empty now, and in the way of another try.
        let dir = is_new.then_some(dir);
        directories.iter().map(PathBuf::as_path).chain(dir).for_each(|directory| drop(std::fs::remove_dir(directory)));
    }
    made
}

/// The keeper makes what is its own.
fn keyring(dir: &Path, program: &Path, unlock: &Unlock) -> Result<String, AdminError> {
    let mut arguments: Vec<OsString> = ["init".into(), "--json".into(), "--dir".into(), dir.into()].into();
    arguments.extend(unlock.arguments());
    let made: Keyring = serde_json::from_slice(&keeper::output(program, arguments)?).map_err(AdminError::Keys)?;
    Ok(made.log_vkey)
}

fn check(host: &NewHost) -> Result<(), AdminError> {
    let is_name = |name: &str| name.parse::<IpAddr>().is_ok() || (!name.contains([':', '/']) && Principal::new(name).is_ok());
    if let Some(bad) = host.names.iter().find(|name| !is_name(name)) {
        return Err(AdminError::Name { what: "the host name", given: bad.clone(), allowed: "an IP address, or a lower-case DNS name" });
    }
    let is_origin = |o: &str| (1..=255).contains(&o.len()) && o.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~/:".contains(&b));
    match &host.origin {
        Some(origin) if !is_origin(origin) => {
            let allowed = "a name like a URL without scheme, such as signer.example.org/requests";
            Err(AdminError::Name { what: "the log's name", given: origin.clone(), allowed })
        }
        _ => Ok(()),
    }
}

fn configuration(host: &NewHost, first: &str, trust_domain: &str) -> String {
    let port = host.listen.port();
    let endpoint = if first.contains(':') { format!("https://[{first}]:{port}") } else { format!("https://{first}:{port}") };
    let origin = host.origin.clone().unwrap_or_else(|| format!("{trust_domain}/requests"));
    include_str!("signer.toml")
        .replace("@LISTEN@", &host.listen.to_string())
        .replace("@ENDPOINT@", &endpoint)
        .replace("@TRUST_DOMAIN@", trust_domain)
        .replace("@ORIGIN@", &origin)
}

//! `chanceryd init`: a new key host.

use super::{AdminError, files, pki};
use crate::cli::Unlock;
use crate::config::FILE;
use crate::keeper::KeeperError;
use chancery_channel::Principal;
use std::path::Path;
use std::process::Command;

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

/// Makes the directory of a key host: CA, server certificate, configuration, policy, keyring and log key.
///
/// # Errors
/// [`AdminError`]; an existing key host is not touched.
pub fn init(dir: &Path, host: &NewHost, program: &Path, unlock: &Unlock) -> Result<(), AdminError> {
    let first = host.names.first().map_or("localhost", String::as_str);
    for name in &host.names {
        if name.parse::<std::net::IpAddr>().is_err() && (name.contains(':') || Principal::new(name.as_str()).is_err()) {
            return Err(AdminError::Name {
                what: "the host name",
                given: name.clone(),
                allowed: "an IP address, or a lower-case DNS name",
            });
        }
    }
    if dir.join(FILE).exists() {
        return Err(AdminError::Exists { path: dir.join(FILE) });
    }
    let pki_dir = dir.join("pki");
    files::directory(dir)?;
    files::directory(&pki_dir)?;
    let authority = pki::authority(first)?;
    let server = pki::server(&authority, &host.names)?;
    for (name, text, mode) in [
        ("ca.crt", &authority.certificate, 0o644),
        ("ca.key", &authority.key, 0o600),
        ("server.crt", &server.certificate, 0o644),
        ("server.key", &server.key, 0o600),
    ] {
        files::create(&pki_dir.join(name), text.as_bytes(), mode)?;
    }
    files::create(&dir.join("policy.toml"), include_bytes!("policy.toml"), 0o600)?;
    files::create(&dir.join(FILE), configuration(host, first).as_bytes(), 0o600)?;
    keyring(dir, program, unlock)
}

/// The keeper makes what is its own.
fn keyring(dir: &Path, program: &Path, unlock: &Unlock) -> Result<(), AdminError> {
    let mut command = Command::new(program);
    command.arg("init").arg("--dir").arg(dir).args(unlock.arguments());
    let status = command.status().map_err(|source| KeeperError::Start { program: program.to_owned(), source })?;
    if status.success() { Ok(()) } else { Err(KeeperError::Failed { program: program.to_owned() }.into()) }
}

fn configuration(host: &NewHost, first: &str) -> String {
    let endpoint = if first.contains(':') {
        format!("https://[{first}]:{}", host.listen.port())
    } else {
        format!("https://{first}:{}", host.listen.port())
    };
    let trust_domain = if first.parse::<std::net::IpAddr>().is_ok() { "chancery.local" } else { first };
    let origin = host.origin.clone().unwrap_or_else(|| format!("{trust_domain}/requests"));
    include_str!("signer.toml")
        .replace("@LISTEN@", &host.listen.to_string())
        .replace("@ENDPOINT@", &endpoint)
        .replace("@TRUST_DOMAIN@", trust_domain)
        .replace("@ORIGIN@", &origin)
}

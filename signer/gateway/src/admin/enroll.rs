//! `chanceryd enroll`: a certificate and a profile for a principal.

use super::files::{self, NewFiles};
use super::revoke::{issued_dir, issued_name};
use super::{AdminError, pki};
use crate::config::Gateway;
use crate::keeper;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What a principal does. Part of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Has things signed.
    Publisher,
    /// Reads the log.
    Auditor,
    /// Has tests signed, to see that it works.
    Monitor,
    /// Approves requests of others.
    Approver,
    /// Runs the key host.
    Operator,
    /// Carries clients to a key host that has no port: no client itself.
    Relay,
}

/// Where the client's key comes from.
#[derive(Debug, Clone)]
pub enum Request {
    /// The client has it; this is its certificate request.
    Csr(PathBuf),
    /// It is made here, for a trial.
    Generate,
}

/// What was made.
#[derive(Debug, Serialize)]
pub struct Enrolment {
    /// The principal's name, for the policy.
    pub principal: String,
    /// The profile to take to the client.
    pub profile: PathBuf,
    /// The private key beside it, when it was made here.
    pub key: Option<PathBuf>,
}

/// What `chancery` reads: where to connect, as whom, and what to check answers by.
#[derive(Serialize)]
struct Profile<'a> {
    format: u32,
    principal: &'a str,
    endpoints: &'a [String],
    key_file: String,
    log_vkey: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    witness_vkeys: Vec<&'a str>,
    ca: &'a str,
    certificate: &'a str,
    keys: Vec<PinnedKey>,
}

#[derive(Serialize, Deserialize)]
struct PinnedKey {
    name: String,
    version: u32,
    public_key: String,
    #[serde(rename(deserialize = "created_seconds"))]
    created: u64,
    constructions: Vec<String>,
}

/// Enrols a principal.
///
/// # Errors
/// [`AdminError`]; an existing profile is not overwritten.
pub fn enroll(
    dir: &Path,
    program: &Path,
    name: &str,
    role: Role,
    request: &Request,
    out: Option<&Path>,
    days: u32,
) -> Result<Enrolment, AdminError> {
    check_name(name)?;
    let config = Gateway::read(dir)?;
    let principal = format!("spiffe://{}/{}/{name}", config.trust_domain, role.word());
    let profile_path = out.map_or_else(|| PathBuf::from(format!("{name}.toml")), Path::to_owned);
    let key_file = format!("{name}.key");
    let key_path = profile_path.with_file_name(&key_file);
    let makes_key = matches!(request, Request::Generate);
    for (path, makes) in [(&profile_path, true), (&key_path, makes_key)] {
        if makes && path.exists() {
            return Err(AdminError::Exists { path: path.clone() });
        }
    }
    let authority = authority(dir, &config)?;
    let relay_name = (role == Role::Relay).then(|| chancery_dial::relay_name(&config.trust_domain));
    let holder = pki::Holder { principal: &principal, relay_name: relay_name.as_deref(), days };
    let (certificate, key) = match request {
        Request::Csr(path) => (pki::client_of_request(&authority, &holder, &files::read(path)?, path)?, None),
        Request::Generate => {
            let pair = pki::client(&authority, &holder)?;
            (pair.certificate, Some(pair.key))
        }
    };
    let (keys, vkey) = ask_keeper(dir, program)?;
    let profile = Profile {
        format: 1,
        principal: &principal,
        endpoints: &config.endpoints,
        key_file,
        log_vkey: &vkey,
        witness_vkeys: config.witness.iter().flat_map(|w| &w.servers).map(|server| server.vkey.as_str()).collect(),
        ca: &authority.certificate,
        certificate: &certificate,
        keys,
    };
    let text = toml::to_string(&profile).map_err(AdminError::Profile)?;
    let mut new = NewFiles::default();
    // So that it can be revoked by the principal's name.
    let copies = issued_dir(dir);
    files::directory(&copies)?;
    new.create(copies.join(issued_name(role, name, &certificate)?), certificate.as_bytes(), 0o644)?;
    let key = match key {
        Some(key) => {
            new.create(key_path.clone(), key.as_bytes(), 0o600)?;
            Some(key_path)
        }
        None => None,
    };
    new.create(profile_path.clone(), text.as_bytes(), 0o644)?;
    new.keep();
    Ok(Enrolment { principal, profile: profile_path, key })
}

/// The authority of this key host. Its key has a directory of its own, which the gateway cannot read while it serves.
pub(super) fn authority(dir: &Path, config: &Gateway) -> Result<pki::Pair, AdminError> {
    Ok(pki::Pair { certificate: files::read(&config.client_ca)?, key: files::read(&dir.join("ca").join("ca.key"))? })
}

/// What a profile pins: the signing keys, and the log's key.
fn ask_keeper(dir: &Path, program: &Path) -> Result<(Vec<PinnedKey>, String), AdminError> {
    let ask = |question: &[&str]| {
        let question = question.iter().map(OsStr::new);
        keeper::output(program, question.chain([OsStr::new("--dir"), dir.as_os_str()]))
    };
    let keys = serde_json::from_slice(&ask(&["key", "list", "--json"])?).map_err(AdminError::Keys)?;
    let vkey = String::from_utf8_lossy(&ask(&["log", "vkey"])?).trim().to_owned();
    Ok((keys, vkey))
}

pub(super) fn check_name(name: &str) -> Result<(), AdminError> {
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if !name.is_empty() && name.len() <= 64 && name.bytes().all(fits) && !name.starts_with('-') && !name.ends_with('-') {
        return Ok(());
    }
    Err(AdminError::Name {
        what: "the name",
        given: name.chars().take(80).collect(),
        allowed: "1 to 64 of a-z, 0-9 and -, not beginning or ending with -",
    })
}

impl Role {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Auditor => "auditor",
            Self::Monitor => "monitor",
            Self::Approver => "approver",
            Self::Operator => "operator",
            Self::Relay => "relay",
        }
    }
}

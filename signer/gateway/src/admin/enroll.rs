//! `chanceryd enroll`: a certificate and a profile for a principal.

use super::{AdminError, files, pki};
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
    /// Approves requests of others.
    Approver,
    /// Runs the key host.
    Operator,
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
    ca: &'a str,
    certificate: &'a str,
    keys: Vec<PinnedKey>,
}

#[derive(Serialize, Deserialize)]
struct PinnedKey {
    name: String,
    version: u32,
    public_key: String,
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
    if profile_path.exists() {
        return Err(AdminError::Exists { path: profile_path });
    }
    let authority = pki::Pair { certificate: files::read(&config.client_ca)?, key: files::read(&config.client_ca.with_extension("key"))? };
    let key_path = profile_path.with_extension("key");
    let (certificate, key) = match request {
        Request::Csr(path) => (pki::client_of_request(&authority, &principal, &files::read(path)?, path, days)?, None),
        Request::Generate => {
            let pair = pki::client(&authority, &principal, days)?;
            (pair.certificate, Some(pair.key))
        }
    };
    let ask = |arguments: [&str; 2], json: bool| {
        let mut all: Vec<&OsStr> = arguments.iter().map(OsStr::new).collect();
        all.extend([OsStr::new("--dir"), dir.as_os_str()]);
        all.extend(json.then_some(OsStr::new("--json")));
        keeper::output(program, &all)
    };
    let keys: Vec<PinnedKey> = serde_json::from_slice(&ask(["key", "list"], true)?).map_err(AdminError::Keys)?;
    let vkey = String::from_utf8_lossy(&ask(["log", "vkey"], false)?).trim().to_owned();
    let profile = Profile {
        format: 1,
        principal: &principal,
        endpoints: &config.endpoints,
        key_file: format!("{name}.key"),
        log_vkey: &vkey,
        ca: &authority.certificate,
        certificate: &certificate,
        keys,
    };
    let text = toml::to_string(&profile).map_err(AdminError::Profile)?;
    let key = key.map(|key| files::create(&key_path, key.as_bytes(), 0o600).map(|()| key_path)).transpose()?;
    files::create(&profile_path, text.as_bytes(), 0o644)?;
    Ok(Enrolment { principal, profile: profile_path, key })
}

fn check_name(name: &str) -> Result<(), AdminError> {
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
    const fn word(self) -> &'static str {
        match self {
            Self::Publisher => "publisher",
            Self::Auditor => "auditor",
            Self::Approver => "approver",
            Self::Operator => "operator",
        }
    }
}

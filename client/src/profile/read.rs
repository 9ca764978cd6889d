//! From the text of a profile to a [`Profile`]: every fault is reported with its line.

use super::{PinnedKey, Profile, ProfileError};
use chancery_formats::Construction;
use chancery_formats::ed25519::PublicKey;
use chancery_tlog::{KeyType, VerifierKey};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeSet;
use std::fmt;
use std::io::{ErrorKind, Read as _};
use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::str::FromStr;
use toml::Spanned;

/// The only form of profiles so far.
const FORMAT: u32 = 1;

/// A profile is small; something much larger is another file.
const MAX_BYTES: u64 = 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    format: Spanned<u32>,
    principal: String,
    endpoints: Spanned<Vec<Text<super::Endpoint>>>,
    server_name: Option<String>,
    ca: Text<Pem>,
    certificate: Text<Pem>,
    key_file: String,
    log_vkey: Text<VerifierKey>,
    /// Profiles of before witnesses were pinned do not say it.
    #[serde(default)]
    witness_vkeys: Vec<Text<WitnessKey>>,
    #[serde(default)]
    keys: Vec<Spanned<WireKey>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WireKey {
    name: String,
    version: u32,
    /// Profiles of before OpenPGP do not say it.
    #[serde(default)]
    created: u64,
    public_key: Text<OstreeKey>,
    constructions: Vec<Construction>,
}

/// A value that is written as text, so that a fault in it is reported where it stands.
struct Text<T>(T);

impl<'de, T: FromStr<Err: fmt::Display>> Deserialize<'de> for Text<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(Self).map_err(D::Error::custom)
    }
}

struct OstreeKey(PublicKey);

impl FromStr for OstreeKey {
    type Err = chancery_formats::ed25519::KeyError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        PublicKey::from_ostree(s).map(Self)
    }
}

/// The key of a witness.
struct WitnessKey(VerifierKey);

impl FromStr for WitnessKey {
    type Err = String;
    fn from_str(s: &str) -> Result<Self, String> {
        let key: VerifierKey = s.parse().map_err(|e: chancery_tlog::KeyError| e.to_string())?;
        match key.key_type() {
            KeyType::CosignatureV1 => Ok(Self(key)),
            _ => Err(format!("the key of {} is not one for cosignatures (type 0x04); ask the witness for that", key.name())),
        }
    }
}

/// One or more certificates.
struct Pem(String);

impl FromStr for Pem {
    type Err = &'static str;
    fn from_str(s: &str) -> Result<Self, &'static str> {
        let mut certificates = x509_parser::pem::Pem::iter_from_buffer(s.as_bytes()).peekable();
        let good = |p: &x509_parser::pem::Pem| p.label == "CERTIFICATE" && p.parse_x509().is_ok();
        if certificates.peek().is_some() && certificates.all(|p| p.is_ok_and(|p| good(&p))) {
            Ok(Self(s.to_owned()))
        } else {
            Err("expected certificates in PEM: -----BEGIN CERTIFICATE----- …")
        }
    }
}

pub(super) fn load(path: &Path) -> Result<Profile, ProfileError> {
    let unreadable = |source: std::io::Error| match source.kind() {
        ErrorKind::NotFound => ProfileError::Missing { path: path.to_owned() },
        _ => ProfileError::Read { path: path.to_owned(), source },
    };
    let mut file = std::fs::File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.permissions().mode() & 0o002 != 0 {
        return Err(ProfileError::Writable { path: path.to_owned() });
    }
    let mut text = String::new();
    file.by_ref().take(MAX_BYTES).read_to_string(&mut text).map_err(unreadable)?;
    parse(path, &text)
}

pub(super) fn parse(path: &Path, text: &str) -> Result<Profile, ProfileError> {
    let at = |span: Option<Range<usize>>, message: String| {
        let before = text.get(..span.map_or(0, |s| s.start)).unwrap_or_default();
        let line = before.matches('\n').count().saturating_add(1);
        ProfileError::Content { path: path.to_owned(), line, message }
    };
    let wire: Wire = toml::from_str(text).map_err(|e| at(e.span(), e.message().to_owned()))?;
    if *wire.format.get_ref() != FORMAT {
        let message = format!("this program reads profiles of format {FORMAT} only; a newer one is needed");
        return Err(at(Some(wire.format.span()), message));
    }
    if wire.endpoints.get_ref().is_empty() {
        return Err(at(Some(wire.endpoints.span()), "at least one endpoint is needed".to_owned()));
    }
    let mut seen = BTreeSet::new();
    let mut keys = Vec::new();
    for key in wire.keys {
        let span = key.span();
        let WireKey { name, version, public_key, created, constructions } = key.into_inner();
        if !seen.insert((name.clone(), version)) {
            return Err(at(Some(span), format!("key {name} version {version} is pinned twice")));
        }
        keys.push(PinnedKey { name, version, public: public_key.0.0, created, constructions });
    }
    Ok(Profile {
        path: path.to_owned(),
        principal: wire.principal,
        endpoints: wire.endpoints.into_inner().into_iter().map(|e| e.0).collect(),
        server_name: wire.server_name,
        ca: wire.ca.0.0,
        certificate: wire.certificate.0.0,
        key_file: path.parent().unwrap_or(Path::new("")).join(wire.key_file),
        log: wire.log_vkey.0,
        witnesses: wire.witness_vkeys.into_iter().map(|key| key.0.0).collect(),
        keys,
    })
}

//! What the metadata of a role says.

use super::canonical::{Value, error, parse};
use super::error::Fault;
use super::fields::Fields;
use super::time::Expiry;
use super::{MAX_METADATA, key_id_of};
use crate::content::ContentError;
use std::borrow::Cow;
use std::collections::BTreeSet;

const MAX_NAME: usize = 4096;
const MAX_KEY_ID: usize = 255;
const ROLES: [&str; 4] = ["root", "snapshot", "targets", "timestamp"];

/// The `signed` part of a role's metadata, read strictly. Unknown fields are allowed, as TUF asks (section 4.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// What the role says.
    pub role: Role<'a>,
    /// The version of the TUF specification, such as `1.0.31`.
    pub spec_version: Cow<'a, str>,
    /// The version of this metadata, at least 1.
    pub version: u64,
    /// When clients stop believing it.
    pub expires: Expiry,
}

/// A role of TUF and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role<'a> {
    /// Which keys speak for which roles.
    Root(Root<'a>),
    /// The current `snapshot.json`.
    Timestamp(File<'a>),
    /// The current metadata of targets, by name.
    Snapshot(Vec<File<'a>>),
    /// The files that clients may have, and who else may say so.
    Targets(Targets<'a>),
}

/// Root metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Root<'a> {
    /// Whether names of files in the repository carry versions and digests; `None` when the metadata does not say.
    pub consistent_snapshot: Option<bool>,
    /// All keys.
    pub keys: Vec<Key<'a>>,
    /// The keys of each role, in the order of their names.
    pub roles: Vec<RoleKeys<'a>>,
}

/// A key that metadata names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key<'a> {
    /// The id under which roles name it.
    pub id: Cow<'a, str>,
    /// Whether the id is the SHA-256 of the key object, as the specification (section 4.2) has it. Some repositories keep old ids.
    pub id_is_digest: bool,
    /// The kind of key, such as `ed25519`.
    pub key_type: Cow<'a, str>,
    /// How it signs, such as `ed25519`.
    pub scheme: Cow<'a, str>,
}

/// The keys of a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleKeys<'a> {
    /// The role.
    pub name: Cow<'a, str>,
    /// Ids of its keys, without repetition.
    pub key_ids: Vec<Cow<'a, str>>,
    /// How many of them must sign. At least 1, at most all.
    pub threshold: u64,
}

/// A file and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File<'a> {
    /// Its name: of a metadata file, or the path of a target.
    pub name: Cow<'a, str>,
    /// Its version, for metadata.
    pub version: Option<u64>,
    /// Its length in bytes; always there for targets.
    pub length: Option<u64>,
    /// Its digests; at least one for targets.
    pub digests: Vec<Digest<'a>>,
}

/// A digest of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest<'a> {
    /// The algorithm, such as `sha256`.
    pub algorithm: Cow<'a, str>,
    /// The digest in lower-case hex.
    pub hex: Cow<'a, str>,
}

/// Targets metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Targets<'a> {
    /// The files, in the order of their paths.
    pub files: Vec<File<'a>>,
    /// The keys of other roles that are trusted from here on.
    pub keys: Vec<Key<'a>>,
    /// Other roles that are trusted from here on, in the order in which clients ask them.
    pub delegations: Vec<Delegation<'a>>,
}

/// Another role that may speak for some targets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation<'a> {
    /// Its name and keys. For succinct delegations (TAP 15) the name is the prefix of all their names.
    pub role: RoleKeys<'a>,
    /// Patterns of the paths, or prefixes of the digests of paths, that it may speak for. Empty for succinct delegations.
    pub paths: Vec<Cow<'a, str>>,
}

impl<'a> Metadata<'a> {
    /// Reads the canonical JSON of a role.
    ///
    /// # Errors
    /// When the bytes are not the canonical form, do not begin with the type of a role, or lack what the TUF specification asks of it.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ContentError> {
        if bytes.len() > MAX_METADATA {
            return Err(error(Fault::Size, MAX_METADATA));
        }
        // An unknown field before it could make the bytes begin like something else.
        if !bytes.starts_with(br#"{"_type":""#) {
            return Err(error(Fault::Role, 0));
        }
        let mut fields = Fields::of(parse(bytes)?, "signed")?;
        let kind = fields.text("_type")?;
        let spec_version = read_spec_version(fields.required("spec_version")?)?;
        let version = fields.positive("version")?;
        let expires = fields.required("expires")?;
        let at = expires.offset;
        let expires = Expiry::parse(&expires.into_text("expires")?).ok_or_else(|| error(Fault::Expires, at))?;
        let role = match kind.as_ref() {
            "root" => Role::Root(read_root(&mut fields)?),
            "timestamp" => Role::Timestamp(read_timestamp(&mut fields)?),
            "snapshot" => Role::Snapshot(read_snapshot(&mut fields)?),
            "targets" => Role::Targets(read_targets(&mut fields)?),
            _ => return Err(error(Fault::Role, 0)),
        };
        Ok(Self { role, spec_version, version, expires })
    }
}

impl Role<'_> {
    /// The word in the metadata: `root`, `timestamp`, `snapshot` or `targets`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Root(_) => "root",
            Self::Timestamp(_) => "timestamp",
            Self::Snapshot(_) => "snapshot",
            Self::Targets(_) => "targets",
        }
    }
}

fn read_spec_version(value: Value<'_>) -> Result<Cow<'_, str>, ContentError> {
    let at = value.offset;
    let text = value.into_text("spec_version")?;
    let parts: Vec<&str> = text.split('.').take(4).collect();
    let number = |part: &&str| (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let usable = matches!(parts.len(), 2 | 3) && parts.first() == Some(&"1") && parts.iter().all(number);
    if usable { Ok(text) } else { Err(error(Fault::SpecVersion, at)) }
}

fn read_root<'a>(fields: &mut Fields<'a>) -> Result<Root<'a>, ContentError> {
    let consistent = fields.optional("consistent_snapshot").map(|value| value.into_bool("consistent_snapshot")).transpose()?;
    let keys = read_keys(fields.required("keys")?)?;
    let members = fields.required("roles")?;
    let at = members.offset;
    let mut roles = Vec::new();
    for (name, value) in members.into_object("roles")? {
        let offset = value.offset;
        // `mirrors` is what is left of an old version of the specification.
        if !ROLES.contains(&name.as_ref()) && name != "mirrors" {
            return Err(error(Fault::Roles, offset));
        }
        roles.push(read_role_keys(name, &mut Fields::of(value, "roles")?, &keys, offset)?);
    }
    if ROLES.iter().all(|role| roles.iter().any(|r| r.name == *role)) {
        Ok(Root { consistent_snapshot: consistent, keys, roles })
    } else {
        Err(error(Fault::Roles, at))
    }
}

fn read_keys(value: Value<'_>) -> Result<Vec<Key<'_>>, ContentError> {
    let mut keys = Vec::new();
    for (id, value) in value.into_object("keys")? {
        if !(1..=MAX_KEY_ID).contains(&id.len()) || !id.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(error(Fault::KeyId, value.offset));
        }
        let id_is_digest = key_id_of(value.bytes) == id;
        let mut fields = Fields::of(value, "keys")?;
        fields.object("keyval")?;
        keys.push(Key { id, id_is_digest, key_type: fields.text("keytype")?, scheme: fields.text("scheme")? });
    }
    Ok(keys)
}

fn read_role_keys<'a>(name: Cow<'a, str>, fields: &mut Fields<'a>, keys: &[Key<'a>], offset: usize) -> Result<RoleKeys<'a>, ContentError> {
    // Keys are in the order of their ids, as members of an object.
    let known = |id: &str| keys.binary_search_by(|key| key.id.as_ref().cmp(id)).is_ok();
    let mut seen = BTreeSet::new();
    let mut key_ids = Vec::new();
    for value in fields.required("keyids")?.into_array("keyids")? {
        let at = value.offset;
        let id = value.into_text("keyids")?;
        if !known(&id) || !seen.insert(id.clone()) {
            return Err(error(Fault::KeyId, at));
        }
        key_ids.push(id);
    }
    let threshold = fields.positive("threshold")?;
    let enough = usize::try_from(threshold).is_ok_and(|threshold| threshold <= key_ids.len());
    if enough { Ok(RoleKeys { name, key_ids, threshold }) } else { Err(error(Fault::Roles, offset)) }
}

fn read_timestamp<'a>(fields: &mut Fields<'a>) -> Result<File<'a>, ContentError> {
    let meta = fields.required("meta")?;
    let at = meta.offset;
    let mut files = read_meta(meta)?;
    let file = files.pop().filter(|file| files.is_empty() && file.name == "snapshot.json");
    file.ok_or_else(|| error(Fault::MetaFiles, at))
}

fn read_snapshot<'a>(fields: &mut Fields<'a>) -> Result<Vec<File<'a>>, ContentError> {
    let meta = fields.required("meta")?;
    let at = meta.offset;
    let files = read_meta(meta)?;
    if files.iter().any(|file| file.name == "targets.json") { Ok(files) } else { Err(error(Fault::MetaFiles, at)) }
}

fn read_meta(value: Value<'_>) -> Result<Vec<File<'_>>, ContentError> {
    let mut files = Vec::new();
    for (name, value) in value.into_object("meta")? {
        if !name.ends_with(".json") {
            return Err(error(Fault::MetaFiles, value.offset));
        }
        check_name(&name, value.offset)?;
        let mut fields = Fields::of(value, "meta")?;
        let version = Some(fields.positive("version")?);
        let length = fields.optional("length").map(|value| value.at_least(0, "length")).transpose()?;
        let digests = fields.optional("hashes").map(read_digests).transpose()?.unwrap_or_default();
        files.push(File { name, version, length, digests });
    }
    Ok(files)
}

fn read_targets<'a>(fields: &mut Fields<'a>) -> Result<Targets<'a>, ContentError> {
    let mut files = Vec::new();
    for (name, value) in fields.object("targets")? {
        check_name(&name, value.offset)?;
        let mut fields = Fields::of(value, "targets")?;
        let length = Some(fields.required("length")?.at_least(0, "length")?);
        let hashes = fields.required("hashes")?;
        let at = hashes.offset;
        let digests = read_digests(hashes)?;
        if digests.is_empty() {
            return Err(error(Fault::Digest, at));
        }
        files.push(File { name, version: None, length, digests });
    }
    let (keys, delegations) = match fields.optional("delegations") {
        Some(value) => read_delegations(value)?,
        None => (Vec::new(), Vec::new()),
    };
    Ok(Targets { files, keys, delegations })
}

fn read_digests(value: Value<'_>) -> Result<Vec<Digest<'_>>, ContentError> {
    let mut digests = Vec::new();
    for (algorithm, value) in value.into_object("hashes")? {
        let at = value.offset;
        let hex = value.into_text("hashes")?;
        let length = match algorithm.as_ref() {
            "sha256" => hex.len() == 64,
            "sha512" => hex.len() == 128,
            _ => !hex.is_empty() && hex.len().is_multiple_of(2),
        };
        if !length || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(error(Fault::Digest, at));
        }
        digests.push(Digest { algorithm, hex });
    }
    Ok(digests)
}

type Delegations<'a> = (Vec<Key<'a>>, Vec<Delegation<'a>>);

fn read_delegations(value: Value<'_>) -> Result<Delegations<'_>, ContentError> {
    let mut fields = Fields::of(value, "delegations")?;
    let keys = read_keys(fields.required("keys")?)?;
    if let Some(value) = fields.optional("succinct_roles") {
        let offset = value.offset;
        let mut fields = Fields::of(value, "succinct_roles")?;
        let name = fields.text("name_prefix")?;
        check_name(&name, offset)?;
        let role = read_role_keys(name, &mut fields, &keys, offset)?;
        return Ok((keys, vec![Delegation { role, paths: Vec::new() }]));
    }
    let mut delegations = Vec::new();
    let mut seen = BTreeSet::new();
    for value in fields.required("roles")?.into_array("roles")? {
        let offset = value.offset;
        let mut fields = Fields::of(value, "roles")?;
        let name = fields.text("name")?;
        check_name(&name, offset)?;
        if ROLES.contains(&name.as_ref()) || !seen.insert(name.clone()) {
            return Err(error(Fault::Roles, offset));
        }
        let paths = match fields.optional("path_hash_prefixes") {
            Some(prefixes) => prefixes,
            None => fields.required("paths")?,
        };
        let paths = paths.into_array("paths")?.into_iter().map(|path| path.into_text("paths")).collect::<Result<_, _>>()?;
        delegations.push(Delegation { role: read_role_keys(name, &mut fields, &keys, offset)?, paths });
    }
    Ok((keys, delegations))
}

fn check_name(name: &str, offset: usize) -> Result<(), ContentError> {
    let usable = (1..=MAX_NAME).contains(&name.len()) && !name.contains(char::is_control);
    if usable { Ok(()) } else { Err(error(Fault::Name, offset)) }
}

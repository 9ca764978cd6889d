//! `chancery-keeper key …`.

use super::rotate::{Retire, Rotate};
use super::{CliError, Options, now, remark, token};
use crate::config::Config;
use crate::door;
use crate::key::{self, ImportedSeed, InToken, KeyError, Keyring, ObjectId, PublicPart, purpose};
use crate::passphrase::Passphrase;
use crate::text::{hex, quote};
use chancery_channel::KeyName;
use chancery_formats::Construction;
use chancery_formats::ed25519::PublicKey;
use chancery_formats::openpgp::UserId;
use chancery_formats::{minisign, note, openpgp, signify};
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum Key {
    /// Make a key.
    #[command(
        after_help = "Example:\n  chanceryd key new release --for ostree-summary,ostree-commit\n  chanceryd key new tarballs --for sshsig\n\nA key is made for its constructions for good. The key host uses it after its next start."
    )]
    New(New),
    /// List keys; needs no passphrase.
    #[command(after_help = "Example:\n  chanceryd key list --json")]
    List,
    /// Print the public half of a key; needs no passphrase. Private halves are never exported.
    #[command(after_help = "Example:\n  chanceryd key export release --format ostree > release.pub")]
    Export(Export),
    /// Take in a key that was made elsewhere.
    #[command(
        after_help = "Example:\n  chanceryd key import old-release --for ostree-summary,ostree-commit --from /dev/shm/secret\n  gpg --export-secret-subkeys 0123…CDEF! > /dev/shm/secret && gpg --export 0123…CDEF > release.pgp\n  chanceryd key import release-pgp --for openpgp-detached --from /dev/shm/secret \\\n      --certificate release.pgp\n\nReads 32 bytes in hexadecimal or base64, an OSTree secret key, PKCS#8 in PEM, an OpenSSH private key, or what gpg exports, from a file that nobody else can read and that no passphrase protects. Of an OpenPGP key with subkeys the signing subkey is taken; its primary key stays where it is."
    )]
    Import(Import),
    /// Make the OpenPGP certificate of a key, or give it another end.
    #[command(
        after_help = "Example:\n  chanceryd key certify release-pgp --user-id \"Example Releases <release@example.org>\" --days 730\n  chanceryd key export release-pgp --format openpgp > release.asc\n\nThe newest certificate of a key counts: those who verify import it again. The running key host records it at its next start."
    )]
    Certify(Certify),
    /// Make the next version of a key, which signs once the version before it is retired.
    #[command(
        after_help = "Example:\n  chanceryd key rotate release --retire 2027-01-01\n  chanceryd key export release --version 2 --format pem\n\nUntil the date the old version signs. Before it, give new profiles to all who verify (`chanceryd enroll`): they pin both. The key host uses it after its next start."
    )]
    Rotate(Rotate),
    /// Set from when on a version of a key signs nothing.
    #[command(after_help = "Example:\n  chanceryd key retire release --version 1 --on 2027-01-01\n  chanceryd key retire release --on now")]
    Retire(Retire),
    /// Bring the passphrase to a key host that was started with `serve --locked`.
    #[command(
        after_help = "Example:\n  chanceryd serve --locked --dir /etc/chancery      # from the service manager\n  chanceryd key unlock --dir /etc/chancery          # from an operator's terminal on the key host\n\nAsks for the passphrase, or takes it as other commands do. It goes to the keeper straight; no disk and no gateway sees it."
    )]
    Unlock(UnlockAt),
    /// Print the packet that tells OpenPGP programs to believe a key no more.
    #[command(
        after_help = "Example:\n  chanceryd key revocation release-pgp --reason \"the key was replaced\" > revocation.asc\n\nPrint it when the key is made, and keep it offline: whoever publishes it ends the key's life."
    )]
    Revocation(Revocation),
}

#[derive(Debug, Args)]
pub(super) struct New {
    /// Its name: a-z, 0-9 and -, beginning with a letter.
    name: String,
    /// What it is for, such as ostree-summary,ostree-commit or openpgp-detached; git-tag means git-tag/sshsig.
    #[arg(long = "for", value_name = "CONSTRUCTION,…", value_delimiter = ',', required = true)]
    constructions: Vec<String>,
    /// Keep it in this token, which its private half never leaves; `chanceryd token add` adds tokens.
    #[arg(long, value_name = "TOKEN")]
    token: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Export {
    /// Its name.
    name: String,
    /// Which version; without this the newest.
    #[arg(long, value_name = "N")]
    version: Option<u32>,
    /// In which form.
    #[arg(long, value_enum, default_value = "ostree")]
    format: Format,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(flatten)]
    new: New,
    /// The file with the private key.
    #[arg(long, value_name = "FILE", required_unless_present = "object", conflicts_with_all = ["object", "token"])]
    from: Option<PathBuf>,
    /// The OpenPGP certificate that has the key, made elsewhere: by an offline primary key.
    #[arg(long, value_name = "FILE", conflicts_with = "object")]
    certificate: Option<PathBuf>,
    /// The key of the token with this id, as `chanceryd token check` lists them.
    #[arg(long, value_name = "HEXID", requires = "token")]
    object: Option<ObjectId>,
}

#[derive(Debug, Args)]
pub(super) struct Certify {
    /// Name of the key.
    name: String,
    /// Who the key belongs to, as people read it.
    #[arg(long, value_name = "NAME <ADDRESS>")]
    user_id: String,
    /// Days from now on until it is believed no more; without this, there is no end.
    #[arg(long)]
    days: Option<u32>,
}

#[derive(Debug, Args)]
pub(super) struct UnlockAt {
    /// Where the keeper waits; without this unlock.sock in the directory.
    #[arg(long, value_name = "FILE")]
    socket: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Revocation {
    /// Name of the key.
    name: String,
    /// Why, for people: at most 32 characters.
    #[arg(long, default_value = "")]
    reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Base64, for `verification-ed25519-key` of an OSTree remote.
    Ostree,
    /// A line for `authorized_keys` and `allowed_signers`.
    Ssh,
    /// `PUBLIC KEY`, as OpenSSL reads it.
    Pem,
    /// The 32 bytes in hexadecimal.
    Hex,
    /// The public key file of minisign.
    Minisign,
    /// The public key file of signify; the file must be called NAME.pub.
    Signify,
    /// The verification key of C2SP signed notes.
    Vkey,
    /// The OpenPGP certificate, armored; `key certify` makes it.
    Openpgp,
}

/// What is printed about a key.
#[derive(Serialize)]
pub(super) struct Facts {
    name: String,
    pub(super) version: u32,
    algorithm: &'static str,
    constructions: Vec<&'static str>,
    created: String,
    created_seconds: u64,
    retires: Option<String>,
    origin: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    object: Option<String>,
    pub(super) public_key: String,
    key_id: String,
}

/// All forms of a public key.
#[derive(Serialize)]
struct Forms {
    #[serde(flatten)]
    facts: Facts,
    ostree: String,
    ssh: String,
    pem: String,
    hex: String,
    minisign: String,
    signify: String,
    vkey: String,
    openpgp: Option<String>,
    openpgp_fingerprint: String,
}

impl Key {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let config = options.config()?;
        match self {
            Self::New(new) => new.run(options, &config),
            Self::Certify(Certify { name, user_id, days }) => {
                let name = key_name(&name)?;
                let user = UserId::new(&user_id).map_err(|e| CliError::Usage { what: e.to_string(), instead: String::new() })?;
                let keyring = token::keyring_for(options, &config, &name, false)?;
                let expires = days.map(|days| now().saturating_add(u64::from(days).saturating_mul(86_400)));
                keyring.certify(&name, &user, expires, now())?;
                let text = format!("made the OpenPGP certificate of key {name}\nnext: chanceryd key export {name} --format openpgp\n");
                options.print(&forms(&config.keys, &key::find(&config.keys, &name)?)?, &text)
            }
            Self::Rotate(rotate) => rotate.run(options, &config),
            Self::Retire(retire) => retire.run(options, &config),
            Self::Revocation(Revocation { name, reason }) => {
                let name = key_name(&name)?;
                let keyring = token::keyring_for(options, &config, &name, false)?;
                let text = openpgp::armor(openpgp::Block::PublicKey, &keyring.revocation(&name, &reason, now())?);
                options.print(&serde_json::json!({ "revocation": text }), &text)
            }
            Self::Import(import) => import.run(options, &config),
            Self::Unlock(at) => at.unlock(options),
            Self::List => {
                let keys: Vec<Facts> = key::list(&config.keys)?.iter().map(facts).collect();
                options.print(&keys, &table(&keys))
            }
            Self::Export(Export { name, version, format }) => {
                let forms = forms(&config.keys, &key::find_version(&config.keys, &key_name(&name)?, version)?)?;
                let text = match format {
                    Format::Ostree => format!("{}\n", forms.ostree),
                    Format::Ssh => format!("{}\n", forms.ssh),
                    Format::Pem => forms.pem.clone(),
                    Format::Hex => format!("{}\n", forms.hex),
                    Format::Minisign => forms.minisign.clone(),
                    Format::Signify => forms.signify.clone(),
                    Format::Vkey => format!("{}\n", forms.vkey),
                    Format::Openpgp => forms.openpgp.clone().ok_or_else(|| CliError::Usage {
                        what: format!("key {} has no OpenPGP certificate", forms.facts.name),
                        instead: "make it with `chanceryd key certify`".to_owned(),
                    })?,
                };
                options.print(&forms, &text)
            }
        }
    }
}

impl Import {
    fn run(self, options: &Options, config: &Config) -> Result<(), CliError> {
        let (name, constructions) = self.new.parse()?;
        if let (Some(token), Some(object)) = (&self.new.token, self.object) {
            let token = key_name(token)?;
            let keyring = token::keyring_with(options, config, &token, false)?;
            let part = keyring.adopt(InToken { token, object }, name, &constructions, now())?;
            remark(
                "warning: whoever has the PIN of the token can sign with this key without being recorded, and so can others if it was ever \n  \
                 outside of the token. Replace it by a new key where clients can be told of one.\n",
            );
            return made(options, &part);
        }
        let seed = ImportedSeed::read(&self.from.unwrap_or_default()).map_err(KeyError::from)?;
        let keyring = Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?;
        let certificate = self.certificate.map(|path| read_certificate(&path)).transpose()?;
        let part = keyring.import(name, &constructions, &seed, certificate.as_deref(), now())?;
        remark(
            "warning: this key existed outside of the keyring; whoever had it there can still sign without being recorded.\n  \
             Destroy the other copies, and replace it by a new key where clients can be told of one.\n",
        );
        made(options, &part)
    }
}

impl UnlockAt {
    fn unlock(self, options: &Options) -> Result<(), CliError> {
        let socket = self.socket.unwrap_or_else(|| door::place(&options.dir));
        door::bring(&socket, &Passphrase::existing(&options.source())?)?;
        options.print(&serde_json::json!({ "open": true }), "the keys are open\n")
    }
}

impl New {
    fn run(self, options: &Options, config: &Config) -> Result<(), CliError> {
        let (name, constructions) = self.parse()?;
        let Some(token) = &self.token else {
            let keyring = Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?;
            return made(options, &keyring.new_key(name, &constructions, now())?);
        };
        let token = key_name(token)?;
        let keyring = token::keyring_with(options, config, &token, true)?;
        made(options, &keyring.new_key_in(&token, name, &constructions, now())?)
    }

    fn parse(&self) -> Result<(KeyName, Vec<Construction>), CliError> {
        let mut constructions = Vec::new();
        for name in &self.constructions {
            let unknown = || CliError::Usage { what: format!("there is no construction {}", quote(name)), instead: purpose::advice(name) };
            constructions.push(purpose::for_key(name).ok_or_else(unknown)?);
        }
        purpose::check(&constructions).map_err(|e| CliError::Usage { what: e.to_string(), instead: "make one key for each".to_owned() })?;
        Ok((key_name(&self.name)?, constructions))
    }
}

pub(super) fn key_name(text: &str) -> Result<KeyName, CliError> {
    KeyName::new(text).map_err(|e| CliError::Usage { what: format!("{}: {e}", quote(text)), instead: String::new() })
}

fn made(options: &Options, part: &PublicPart) -> Result<(), CliError> {
    let facts = facts(part);
    let text = format!(
        "made key {} for {}\npublic key: {}\nnext: name it in a grant of policy.toml, and start the key host anew\n",
        facts.name,
        facts.constructions.join(", "),
        facts.public_key
    );
    options.print(&facts, &text)
}

pub(super) fn facts(part: &PublicPart) -> Facts {
    let key = &part.description;
    let public = PublicKey::from_bytes(&key.public_key).ok();
    Facts {
        name: key.name.to_string(),
        version: key.version,
        algorithm: "ed25519",
        constructions: key.constructions.iter().map(|c| c.name()).collect(),
        created: key::time_text(key.created),
        created_seconds: key.created,
        retires: key.retires.map(key::time_text),
        origin: part.origin.name(),
        token: part.token.as_ref().map(|place| place.token.to_string()),
        object: part.token.as_ref().map(|place| place.object.to_string()),
        public_key: public.map(|k| k.to_ostree()).unwrap_or_default(),
        key_id: public.map(|k| hex(&k.key_id())).unwrap_or_default(),
    }
}

fn read_certificate(path: &Path) -> Result<Vec<u8>, CliError> {
    let bytes = std::fs::read(path)
        .map_err(|e| CliError::Usage { what: format!("cannot read {}: {e}", path.display()), instead: String::new() })?;
    let Some(text) = std::str::from_utf8(&bytes).ok().filter(|t| t.trim_ascii_start().starts_with("-----BEGIN")) else { return Ok(bytes) };
    openpgp::dearmor(openpgp::Block::PublicKey, text).map_err(|e| CliError::Usage { what: e.to_string(), instead: String::new() })
}

fn forms(keys: &Path, part: &PublicPart) -> Result<Forms, CliError> {
    let unusable = |e: chancery_formats::ed25519::KeyError| CliError::Usage { what: e.to_string(), instead: String::new() };
    let key = PublicKey::from_bytes(&part.description.public_key).map_err(unusable)?;
    let name = part.description.name.as_str();
    let created = u32::try_from(part.description.created).unwrap_or(u32::MAX);
    let fingerprint = openpgp::PublicKey { created, point: part.description.public_key }.fingerprint();
    Ok(Forms {
        facts: facts(part),
        ostree: key.to_ostree(),
        ssh: key.to_openssh(part.description.name.as_str()),
        pem: key.to_spki_pem(),
        hex: hex(key.as_bytes()),
        minisign: minisign::public_key_file(&key),
        signify: signify::KeyName::new(name).map(|name| signify::public_key_file(&name, &key)).unwrap_or_default(),
        vkey: note::KeyName::new(name).map(|name| note::NoteKey { name, key }.to_string()).unwrap_or_default(),
        openpgp: key::certificate_of(keys, &part.description.name, part.description.version)?
            .map(|bytes| openpgp::armor(openpgp::Block::PublicKey, &bytes)),
        openpgp_fingerprint: hex(&fingerprint),
    })
}

fn table(keys: &[Facts]) -> String {
    if keys.is_empty() {
        return "there are no keys; make one with `chanceryd key new NAME --for CONSTRUCTION,…`\n".to_owned();
    }
    let mut out = String::new();
    for key in keys {
        let Facts { name, version, constructions, created, retires, origin, public_key, token, .. } = key;
        let day = created.split('T').next().unwrap_or(created);
        let end = retires.as_ref().map_or_else(String::new, |end| format!(", retired from {end} on"));
        let place = token.as_ref().map_or_else(String::new, |token| format!(", in token {token}"));
        let what = constructions.join(", ");
        out.push_str(&format!("{name}  version {version}, {origin} {day}{end}{place}, for {what}\n  {public_key}\n"));
    }
    out
}

//! `chancery-keeper token …`, and tokens for the commands that make keys.

use super::key::key_name;
use super::{CliError, Options, now};
use crate::config::Config;
use crate::key::{self, KeyError, Keyring, Pin, TokenPart};
use crate::passphrase::{Passphrase, Source};
use crate::text::{duration, hex, quote};
use crate::token::{Object, Process, Settings};
use chancery_channel::KeyName;
use clap::{Args, Subcommand};
use serde::Serialize;
use std::os::fd::RawFd;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Token {
    /// Name a token, log in to it, and seal its PIN under the keyring's passphrase.
    #[command(
        after_help = "Example:\n  chanceryd token add hsm --module /usr/lib/softhsm/libsofthsm2.so --label releases \\\n      --read /etc/softhsm --write /var/lib/softhsm/tokens\n  chanceryd key new release --for sshsig --token hsm\n\nThe module runs in a process of its own, which reads system libraries and what --read names, writes what --write names, and is on no network without --network. The key host uses the token after its next start."
    )]
    Add(Add),
    /// List tokens; needs no passphrase.
    #[command(after_help = "Example:\n  chanceryd token list --json")]
    List,
    /// Log in to a token as the key host does, and list its Ed25519 keys.
    #[command(after_help = "Example:\n  chanceryd token check hsm")]
    Check {
        /// Its name.
        name: String,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// What the keeper is to call it: a-z, 0-9 and -, beginning with a letter.
    name: String,
    /// The PKCS#11 library of its vendor.
    #[arg(long, value_name = "PATH")]
    module: PathBuf,
    /// The token's label, as the module says it.
    #[arg(long)]
    label: String,
    /// A file or directory that the module reads, such as its configuration.
    #[arg(long, value_name = "PATH")]
    read: Vec<PathBuf>,
    /// A directory below which the module writes.
    #[arg(long, value_name = "DIR")]
    write: Vec<PathBuf>,
    /// The module connects to others: an HSM on the network, or a daemon such as pcscd.
    #[arg(long)]
    network: bool,
    /// A signature that takes longer takes the token out of service.
    #[arg(long, value_name = "TIME", default_value = "5 s")]
    timeout: String,
    /// Read the PIN from a file that nobody else can read; without this the terminal is asked.
    #[arg(long, value_name = "FILE", conflicts_with = "pin_fd")]
    pin_file: Option<PathBuf>,
    /// Read the PIN from an open file descriptor.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(RawFd).range(0..))]
    pin_fd: Option<RawFd>,
}

/// What is printed about a token.
#[derive(Serialize)]
struct Facts {
    name: String,
    module: String,
    label: String,
    read: Vec<String>,
    write: Vec<String>,
    network: bool,
    timeout_ms: u128,
    created: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    objects: Option<Vec<ObjectFacts>>,
}

/// What is printed about a key in a token.
#[derive(Serialize)]
struct ObjectFacts {
    object: String,
    label: String,
    public_key: Option<String>,
    stays_inside: bool,
}

impl Token {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let config = options.config()?;
        match self {
            Self::Add(add) => add.run(options, &config),
            Self::List => {
                let tokens = key::tokens(&config.keys)?;
                let facts: Vec<Facts> = tokens.iter().map(|part| facts(part, None)).collect();
                options.print(&facts, &table(&facts))
            }
            Self::Check { name } => {
                let name = key_name(&name)?;
                let keyring = keyring_with(options, &config, &name, false)?;
                let (part, _) = keyring.token(&name)?;
                let objects = keyring.token_at_hand(&name).map(|token| token.objects().to_vec()).unwrap_or_default();
                let facts = facts(&part, Some(&objects));
                let text = format!("token {name} answers\n{}", objects_table(facts.objects.as_deref().unwrap_or_default()));
                options.print(&facts, &text)
            }
        }
    }
}

impl Add {
    fn run(self, options: &Options, config: &Config) -> Result<(), CliError> {
        let name = key_name(&self.name)?;
        let settings = self.settings()?;
        let pin = match (&self.pin_file, self.pin_fd) {
            (Some(path), _) => Source::File(path.clone()),
            (None, Some(number)) => Source::Descriptor(number),
            (None, None) => Source::Terminal,
        };
        let keyring = Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?;
        let pin = Pin::new(&Passphrase::pin(&pin).map_err(CliError::Pin)?)?;
        // A PIN that does not open it is not kept: a key host that tried it at each start would lock the token.
        let process = Process::start(&name).map_err(KeyError::from)?;
        let token = process.open(&settings, &config.sandbox.names(), pin.as_bytes(), false).map_err(KeyError::from)?;
        let part = keyring.add_token(&name, &settings, &self.timeout, &pin, now())?;
        let facts = facts(&part, Some(token.objects()));
        let text = format!(
            "added token {name}; its PIN is sealed under the keyring's passphrase\n{}\
             next: chanceryd key new NAME --for CONSTRUCTION,… --token {name}\n",
            objects_table(facts.objects.as_deref().unwrap_or_default())
        );
        options.print(&facts, &text)
    }

    fn settings(&self) -> Result<Settings, CliError> {
        let usage = |what: String, instead: &str| CliError::Usage { what, instead: instead.to_owned() };
        let path = |path: &PathBuf| match path.to_str() {
            Some(text) if path.is_absolute() => Ok(text.to_owned()),
            _ => Err(usage(format!("{} is not an absolute path", quote(&path.to_string_lossy())), "write it from / on")),
        };
        let timeout = duration(&self.timeout).filter(|time| key::TOKEN_TIMEOUT.contains(time));
        let bad_time = || usage(format!("the timeout cannot be {}", quote(&self.timeout)), "write a time up to 5 min, such as \"5 s\"");
        Ok(Settings {
            module: path(&self.module)?,
            label: self.label.clone(),
            read: self.read.iter().map(path).collect::<Result<_, _>>()?,
            write: self.write.iter().map(path).collect::<Result<_, _>>()?,
            network: self.network,
            timeout: timeout.ok_or_else(bad_time)?,
        })
    }
}

/// The keyring, open, with this token at hand.
pub(super) fn keyring_with(options: &Options, config: &Config, token: &KeyName, to_write: bool) -> Result<Keyring, CliError> {
    let mut keyring = Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?;
    // Before a process is started for nothing.
    drop(keyring.token(token)?);
    let process = Process::start(token).map_err(KeyError::from)?;
    let token = keyring.open_token(process, &config.sandbox.names(), to_write)?;
    keyring.attach(token);
    Ok(keyring)
}

/// The keyring, open, with the token at hand that this key is in, if it is in one.
pub(super) fn keyring_for(options: &Options, config: &Config, key: &KeyName, to_write: bool) -> Result<Keyring, CliError> {
    match key::find(&config.keys, key)?.token {
        Some(place) => keyring_with(options, config, &place.token, to_write),
        None => Ok(Keyring::open(&config.keys, &Passphrase::existing(&options.source())?)?),
    }
}

fn facts(part: &TokenPart, objects: Option<&[Object]>) -> Facts {
    let Settings { module, label, read, write, network, timeout } = part.settings.clone();
    let object = |object: &Object| ObjectFacts {
        object: hex(&object.id),
        label: object.label.clone(),
        public_key: object.public_key.as_ref().map(|key| hex(key)),
        stays_inside: object.stays_inside,
    };
    Facts {
        name: part.name.to_string(),
        module,
        label,
        read,
        write,
        network,
        timeout_ms: timeout.as_millis(),
        created: part.created.clone(),
        objects: objects.map(|objects| objects.iter().map(object).collect()),
    }
}

fn table(tokens: &[Facts]) -> String {
    if tokens.is_empty() {
        return "there are no tokens; add one with `chanceryd token add NAME --module PATH --label LABEL`\n".to_owned();
    }
    let line = |t: &Facts| {
        let network = if t.network { ", on the network" } else { "" };
        format!("{}  {} in {}, {} ms for a signature{network}\n", t.name, quote(&t.label), t.module, t.timeout_ms)
    };
    tokens.iter().map(line).collect()
}

fn objects_table(objects: &[ObjectFacts]) -> String {
    if objects.is_empty() {
        return "it has no Ed25519 keys\n".to_owned();
    }
    let line = |o: &ObjectFacts| {
        let public = o.public_key.as_deref().unwrap_or("no public key beside it");
        let leaves = if o.stays_inside { "" } else { "; CAN LEAVE THE TOKEN" };
        format!("object {}  {}{leaves}\n  {public}\n", o.object, quote(&o.label))
    };
    objects.iter().map(line).collect()
}

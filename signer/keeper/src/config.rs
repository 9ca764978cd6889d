//! `signer.toml`, as far as it is the keeper's.

mod journal;
mod sandbox;
mod witness;

use crate::sheet::{Findings, Sheet};
use crate::text::{duration, quote, size};
use chancery_cell::Accepted;
use chancery_journal::Wanted;
use chancery_tlog::is_key_name;
use std::path::{Path, PathBuf};
use std::time::Duration;
use toml::de::DeTable;

pub use witness::Witness;

/// Name of the file in a key host's directory.
pub const FILE: &str = "signer.toml";

/// What the keeper is told. Paths have the key host's directory before them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Directory of the keyring.
    pub keys: PathBuf,
    /// Directory of the request log.
    pub log: PathBuf,
    /// The policy.
    pub policy: PathBuf,
    /// Name of the request log.
    pub origin: String,
    /// Bounds.
    pub limits: Limits,
    /// Who cosigns the log, if anybody does.
    pub witness: Option<Witness>,
    /// Which layers of the cell may be missing.
    pub sandbox: Accepted,
    /// How much is said on standard error, and in which form.
    pub journal: Wanted,
}

/// Bounds of what the keeper takes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Greatest content of one request, in bytes.
    pub max_content: u64,
    /// Greatest sum of all content that is held, in bytes.
    pub spool: u64,
    /// Greatest number of requests that wait for the log.
    pub in_flight: usize,
    /// How many of the newest requests are known again when they are sent again.
    pub remember_requests: u64,
    /// Size of one segment of the log, in bytes.
    pub segment: u64,
    /// The static files of the log follow after at most this.
    pub publish_interval: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_content: 16 << 20,
            spool: 128 << 20,
            in_flight: 16_384,
            remember_requests: 65_536,
            segment: 64 << 20,
            publish_interval: Duration::from_secs(1),
        }
    }
}

/// Why the configuration was refused. Nothing is started then.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}; make a key host with `chanceryd init DIR`, or name its directory with --dir", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Wrong(#[from] Findings),
}

impl Config {
    /// Reads `signer.toml` of a key host's directory.
    ///
    /// # Errors
    /// [`ConfigError`] with everything that is wrong, and what to write instead.
    pub fn read(dir: &Path) -> Result<Self, ConfigError> {
        Self::read_with_text(dir).map(|(config, _)| config)
    }

    /// The same with the text of the file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read_with_text(dir: &Path) -> Result<(Self, String), ConfigError> {
        let path = dir.join(FILE);
        let text = std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path: path.clone(), source })?;
        Ok((Self::parse(&text, &path.display().to_string(), dir)?, text))
    }

    fn parse(text: &str, file_name: &str, dir: &Path) -> Result<Self, Findings> {
        let (mut sheet, table) = Sheet::read(file_name, text);
        if let Some(not_toml) = sheet.found() {
            return Err(not_toml);
        }
        // The gateway reads its own table, as strictly.
        let known = ["log", "log_format", "gateway", "keeper", "metrics", "traces", "witness", "sandbox"];
        let meant = sheet.known_fields(&table, "the configuration has", &known, &[]);
        let keeper = sheet.table(&table, "keeper");
        if !table.contains_key("keeper") && !meant.contains(&"keeper") {
            sheet.error(0..0, "the table [keeper] is missing", "write [keeper] and, below it, origin = \"signer.example/requests\"");
        }
        let empty = DeTable::new();
        let mut config = keeper_table(&mut sheet, keeper.unwrap_or(&empty), keeper.is_some(), dir);
        config.journal = journal::wanted(&mut sheet, &table);
        if let (Some(witness), Some((name, _))) = (sheet.table(&table, "witness"), table.get_key_value("witness")) {
            config.witness = witness::witness_table(&mut sheet, witness, name.span());
        }
        if let Some(sandbox) = sheet.table(&table, "sandbox") {
            config.sandbox = sandbox::sandbox_table(&mut sheet, sandbox);
        }
        sheet.finish().map(|_| config)
    }
}

fn keeper_table(sheet: &mut Sheet<'_>, table: &DeTable<'_>, exists: bool, dir: &Path) -> Config {
    let meant = sheet.known_fields(table, "[keeper] has", &["keys", "log", "policy", "origin", "limits"], &[]);
    let origin = sheet.text(table, "origin");
    if exists && !table.contains_key("origin") && !meant.contains(&"origin") {
        sheet.error(0..0, "[keeper] has no `origin`", "write origin = \"signer.example/requests\", the name that the log was made with");
    }
    if let Some(word) = origin.as_ref().filter(|w| !is_key_name(w.text)) {
        let what = format!("{} cannot name a log", quote(word.text));
        sheet.error(word.at.clone(), what, "write a URL without scheme, such as signer.example/requests, without spaces and +");
    }
    let mut path = |field: &str| {
        let word = sheet.text(table, field);
        if let Some(word) = word.as_ref().filter(|w| w.text.is_empty()) {
            sheet.error(word.at.clone(), format!("`{field}` is empty"), format!("write {field} = \"...\", or leave it out"));
        }
        word.map(|w| w.text.to_owned())
    };
    let (keys, log, policy) = (path("keys"), path("log"), path("policy"));
    let limits = sheet.table(table, "limits").map_or_else(Limits::default, |limits| limits_table(sheet, limits));
    Config {
        keys: dir.join(keys.as_deref().unwrap_or("keys")),
        log: dir.join(log.as_deref().unwrap_or("log")),
        policy: dir.join(policy.as_deref().unwrap_or("policy.toml")),
        origin: origin.map(|w| w.text.to_owned()).unwrap_or_default(),
        limits,
        witness: None,
        sandbox: Accepted::default(),
        journal: Wanted::default(),
    }
}

fn limits_table(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Limits {
    let known = ["max_content", "spool", "in_flight", "remember_requests", "segment", "publish_interval"];
    sheet.known_fields(table, "[keeper.limits] has", &known, &[]);
    let usual = Limits::default();
    let bytes = |sheet: &mut Sheet<'_>, field: &str, usual: u64| {
        let advice = "write a number and one of B, KiB, MiB, GiB, such as \"16 MiB\"";
        quantity(sheet, table, field, advice, |text| size(text).filter(|n| *n > 0)).unwrap_or(usual)
    };
    let limits = Limits {
        max_content: bytes(sheet, "max_content", usual.max_content),
        spool: bytes(sheet, "spool", usual.spool),
        segment: bytes(sheet, "segment", usual.segment),
        in_flight: sheet.number(table, "in_flight").and_then(|n| usize::try_from(n).ok()).unwrap_or(usual.in_flight),
        remember_requests: sheet.number(table, "remember_requests").unwrap_or(usual.remember_requests),
        publish_interval: quantity(sheet, table, "publish_interval", "write a number and one of ms, s, min, h, such as \"1 s\"", duration)
            .unwrap_or(usual.publish_interval),
    };
    if limits.spool < limits.max_content {
        let at = table.get("spool").or_else(|| table.get("max_content")).map_or(0..0, toml::Spanned::span);
        sheet.error(
            at,
            "`spool` is smaller than `max_content`, so content of that size could never come in",
            "raise `spool` or lower `max_content`",
        );
    }
    limits
}

fn quantity<T>(sheet: &mut Sheet<'_>, table: &DeTable<'_>, field: &str, advice: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
    let word = sheet.text(table, field)?;
    let value = read(word.text);
    if value.is_none() {
        sheet.error(word.at, format!("`{field}` cannot be {}", quote(word.text)), advice);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_journal::{Format, Level};

    fn parse(text: &str) -> Result<Config, String> {
        Config::parse(text, "signer.toml", Path::new("/host")).map_err(|e| e.to_string())
    }

    #[test]
    fn what_is_left_out_is_as_usual_and_paths_are_in_the_directory() {
        let config = parse("[gateway]\nanything = 1\n[keeper]\norigin = \"signer.example/requests\"\nkeys = \"/elsewhere\"\n").unwrap();
        assert_eq!(config.limits, Limits::default());
        assert_eq!((config.keys.as_path(), config.log.as_path()), (Path::new("/elsewhere"), Path::new("/host/log")));
    }

    #[test]
    fn limits_are_read_with_their_units() {
        let text = "[keeper]\norigin = \"o\"\n[keeper.limits]\nmax_content = \"1 MiB\"\nspool = \"2 MiB\"\nin_flight = 10\nremember_requests = 1_000\nsegment = \"1 GiB\"\npublish_interval = \"500 ms\"\n";
        let limits = Limits {
            max_content: 1 << 20,
            spool: 2 << 20,
            in_flight: 10,
            remember_requests: 1000,
            segment: 1 << 30,
            publish_interval: Duration::from_millis(500),
        };
        assert_eq!(parse(text).unwrap().limits, limits);
    }

    #[test]
    fn every_mistake_is_told_with_its_place_and_what_to_write() {
        let text = "[kepeer]\n";
        assert_eq!(parse(text).unwrap_err(), "signer.toml:1:2: error: the configuration has no field \"kepeer\"\n  write `keeper` instead");
        let text = "[keeper]\norigins = \"o\"\nlog = \"\"\n[keeper.limits]\nmax_content = \"1 GB\"\nspool = \"1 KiB\"\nin_flight = -1\n";
        let told = "signer.toml:2:1: error: [keeper] has no field \"origins\"\n  write `origin` instead\n\
             signer.toml:3:7: error: `log` is empty\n  write log = \"...\", or leave it out\n\
             signer.toml:5:15: error: `max_content` cannot be \"1 GB\"\n  write a number and one of B, KiB, MiB, GiB, such as \"16 MiB\"\n\
             signer.toml:6:9: error: `spool` is smaller than `max_content`, so content of that size could never come in\n  raise `spool` or lower `max_content`\n\
             signer.toml:7:13: error: `in_flight` must be a whole number from 1\n  write in_flight = 1000, without quotes";
        assert_eq!(parse(text).unwrap_err(), told);
        assert!(parse("").unwrap_err().contains("[keeper] is missing"));
        let not_toml = parse("[keeper]\norigin = \"o\"\norigin = \"o\"\n").unwrap_err();
        assert!(not_toml.starts_with("signer.toml:3:1: error: this is not TOML") && !not_toml.contains("missing"), "{not_toml}");
        assert!(parse("[keeper]\norigin = \"a b\"\n").unwrap_err().contains("signer.toml:2:10"));
        assert!(parse("[keeper]\norigin = \"a\"\n[gatway]\n").unwrap_err().contains("write `gateway` instead"));
    }

    #[test]
    fn layers_of_the_cell_that_may_be_missing_are_named() {
        let text = |list: &str| format!("[keeper]\norigin = \"o\"\n[sandbox]\naccept_missing = {list}\n");
        assert_eq!(parse(&text("[\"landlock\"]")).unwrap().sandbox, Accepted::parse(["landlock"]).unwrap());
        assert_eq!(parse(&text("[]")).unwrap().sandbox, Accepted::parse([]).unwrap());
        let told = "signer.toml:4:19: error: there is no layer \"landlok\" that could be missing\n  \
             there are `landlock`, `seccomp` and `network-namespace`";
        assert_eq!(parse(&text("[\"landlok\"]")).unwrap_err(), told);
    }

    #[test]
    fn how_much_is_said_and_in_which_form_is_checked() {
        let text = |lines: &str| format!("{lines}[keeper]\norigin = \"o\"\n");
        let wanted = parse(&text("log = \"debug\"\nlog_format = \"json\"\n")).unwrap().journal;
        assert_eq!(wanted, Wanted { level: Level::parse("debug").unwrap(), format: Format::Json });
        assert_eq!(parse(&text("")).unwrap().journal, Wanted::default());
        let told = parse(&text("log = \"inof\"\nlog_format = \"xml\"\n")).unwrap_err();
        assert!(told.starts_with("signer.toml:1:7: error: `inof` is no level; there are off, error"), "{told}");
        assert!(told.contains("signer.toml:2:14: error: `log_format` cannot be \"xml\"\n  write \"text\" or \"json\""), "{told}");
    }

    #[test]
    fn the_file_that_init_writes_is_taken() {
        let text = include_str!("../../gateway/src/admin/signer.toml").replace("@ORIGIN@", "signer.example/requests");
        assert_eq!(parse(&text).unwrap().origin, "signer.example/requests");
    }
}

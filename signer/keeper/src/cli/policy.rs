//! `chancery-keeper policy …`.

use super::{CliError, Options, remark, say};
use crate::config::ConfigError;
use crate::key::{self, KeyError};
use crate::policy::{self, Finding, Grant, PolicyErrors};
use crate::text::hex;
use clap::Subcommand;
use serde::Serialize;
use serde_json::json;
use std::io;
use std::path::{Path, PathBuf};

#[derive(Debug, Subcommand)]
pub(super) enum Policy {
    /// Check a policy without using it; needs no passphrase. Exit code 1 when it would be refused.
    #[command(after_help = "Example:\n  chanceryd policy check --dir /etc/chancery\n  chanceryd policy check new-policy.toml")]
    Check {
        /// The policy; without this the one of the key host.
        file: Option<PathBuf>,
    },
}

#[derive(Serialize)]
struct GrantFacts<'a> {
    line: usize,
    principal: &'a str,
    key: &'a str,
    constructions: Vec<&'static str>,
    subject: &'a str,
    refs: Vec<String>,
    namespaces: Vec<&'a str>,
    max_content: Option<u64>,
}

impl Policy {
    pub(super) fn run(self, options: &Options) -> Result<(), CliError> {
        let Self::Check { file } = self;
        // A policy can be written on another host, where there is no configuration and there are no keys to check it against.
        let config = match options.config() {
            Err(CliError::Config(ConfigError::Read { source, .. })) if file.is_some() && source.kind() == io::ErrorKind::NotFound => None,
            config => Some(config?),
        };
        let path = file.or_else(|| config.as_ref().map(|c| c.policy.clone())).unwrap_or_else(|| "policy.toml".into());
        let policy = match read(&path) {
            Err(CliError::Policy(errors)) => return refused(options, &errors),
            policy => policy?,
        };
        let keys = match config.map(|c| key::list(&c.keys)) {
            None | Some(Err(KeyError::NoKeyring { .. })) => None,
            Some(keys) => Some(keys?.into_iter().map(|k| k.description).collect::<Vec<_>>()),
        };
        let mut warnings: Vec<Finding> = policy.warnings().to_vec();
        warnings.extend(keys.as_deref().map(|keys| policy.check_keys(keys)).unwrap_or_default());
        accepted(options, &path, &policy, &warnings)
    }
}

/// Reads the policy of a file.
pub(super) fn read(path: &Path) -> Result<policy::Policy, CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::File { path: path.to_owned(), source })?;
    Ok(policy::Policy::parse(&text, &path.display().to_string())?)
}

fn refused(options: &Options, errors: &PolicyErrors) -> Result<(), CliError> {
    if options.json {
        options.print(&json!({ "accepted": false, "findings": errors.all() }), "")?;
    } else {
        say(&format!("{errors}\n"))?;
    }
    Err(CliError::PolicyRefused)
}

fn accepted(options: &Options, path: &Path, policy: &policy::Policy, warnings: &[Finding]) -> Result<(), CliError> {
    if !options.json {
        warnings.iter().for_each(|w| remark(&format!("{w}\n")));
    }
    let grants: Vec<GrantFacts<'_>> = policy.grants().iter().map(facts).collect();
    let sha256 = hex(&policy.digest());
    let count = match grants.len() {
        0 => "no grants, so every request will be denied".to_owned(),
        1 => "1 grant".to_owned(),
        n => format!("{n} grants"),
    };
    let text = format!("{}: no errors; {count}\nsha256 {sha256}\n", path.display());
    let facts = json!({ "accepted": true, "file": path, "sha256": sha256, "grants": grants, "findings": warnings });
    options.print(&facts, &text)
}

fn facts(grant: &Grant) -> GrantFacts<'_> {
    GrantFacts {
        line: grant.line(),
        principal: grant.principal().as_str(),
        key: grant.key().as_str(),
        constructions: grant.constructions().iter().map(|c| c.name()).collect(),
        subject: grant.subject().as_str(),
        refs: grant.refs().iter().map(ToString::to_string).collect(),
        namespaces: grant.namespaces().iter().map(|n| n.as_str()).collect(),
        max_content: grant.max_content(),
    }
}

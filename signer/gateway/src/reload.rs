//! SIGHUP: certificates, revocations, policy, and how much is said, are read again while requests go on. Each is built and checked as a whole
//! before it replaces what was in force; one that is wrong is named, and changes nothing. If it is `signer.toml`, nothing else changes either.

use crate::config::{ConfigError, Gateway};
use crate::link::Link;
use crate::metrics::Metrics;
use crate::tls::Trust;
use chancery_channel::{Answer, RefusalKind, ToKeeper};
use chancery_journal::Journal;
use std::error::Error;
use std::path::Path;
use std::time::Duration;
use tokio::time::timeout;

/// A keeper that hangs must not keep a revoked certificate in force for longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the configuration is from, and what came of it.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a> {
    /// The key host's directory.
    pub dir: &'a Path,
    /// Relays that the command line names beside it.
    pub dial: &'a [String],
    /// The configuration that the process was started with.
    pub running: &'a Gateway,
    /// What is said on standard error.
    pub journal: &'a Journal,
}

/// What a reload reads and replaces.
#[derive(Clone, Copy)]
pub struct Reload<'a> {
    /// The configuration.
    pub files: Files<'a>,
    /// What connections are judged by.
    pub trust: &'a Trust,
    /// What is counted.
    pub metrics: &'a Metrics,
    /// To the keeper, which has the policy.
    pub link: &'a Link,
}

impl Reload<'_> {
    /// Reads all again, and says what came of it in the log.
    pub async fn run(&self) {
        match self.settings().await {
            Settings::Refused => return self.metrics.reloaded("settings", false),
            Settings::Unknown => self.metrics.reloaded("settings", false),
            Settings::Reloaded => self.metrics.reloaded("settings", true),
        }
        let done = certificates(self.trust, self.files.running);
        self.metrics.reloaded("certificates", done);
        let done = self.policy().await;
        self.metrics.reloaded("policy", done);
    }

    async fn settings(&self) -> Settings {
        let asked = async { self.link.call(|id| ToKeeper::Settings { id })?.answer().await };
        let refused = |why: &str| {
            tracing::error!(why, "not reloaded: signer.toml is refused, so nothing was read again; all before stays in force");
            Settings::Refused
        };
        match timeout(PATIENCE, asked).await {
            Ok(Ok(Answer::Settings(text))) => match self.files.read(&text) {
                Ok(fresh) => {
                    self.files.take(fresh);
                    Settings::Reloaded
                }
                Err(error) => refused(&chain(&error)),
            },
            // One that has no time has not read it.
            Ok(Ok(Answer::Refused(refusal))) if refusal.kind != RefusalKind::Busy => refused(&refusal.message),
            _ => {
                tracing::error!("not reloaded: signer.toml; the keeper does not answer");
                Settings::Unknown
            }
        }
    }

    async fn policy(&self) -> bool {
        let asked = async { self.link.call(|id| ToKeeper::Reload { id })?.answer().await };
        let answer = timeout(self.files.running.limits.request_timeout, asked).await;
        let done = matches!(answer, Ok(Ok(Answer::Reloaded { .. })));
        match answer {
            Ok(Ok(Answer::Reloaded { changed: true, policy })) => {
                tracing::info!(sha256 = hex(&policy), "reloaded: the policy is another one now");
            }
            Ok(Ok(Answer::Reloaded { changed: false, .. })) => tracing::info!("reloaded: the policy is the same as before"),
            // The keeper said why.
            Ok(Ok(_)) => tracing::error!("not reloaded: the policy; the one before stays in force"),
            Ok(Err(error)) => tracing::error!(%error, "not reloaded: the policy"),
            Err(_) => tracing::error!("not reloaded: the policy; the keeper does not answer"),
        }
        done
    }
}

/// Reads certificates and revocations again, and says what came of it in the log; whether they are in force.
pub fn certificates(trust: &Trust, running: &Gateway) -> bool {
    if let Err(error) = trust.reload(&running.tls_files()) {
        tracing::error!(error = chain(&error), "not reloaded: certificates; those before stay in force");
        return false;
    }
    tracing::info!(generation = trust.generation(), "reloaded: certificates and revocations");
    true
}

/// What came of reading `signer.toml` again.
enum Settings {
    Reloaded,
    /// Something is wrong with it.
    Refused,
    /// The keeper, who reads it, says nothing.
    Unknown,
}

impl Files<'_> {
    fn read(&self, text: &str) -> Result<Gateway, ConfigError> {
        Gateway::of(self.dir, text)?.dial_too(self.dial)
    }

    /// Puts in force what can be replaced, and says whether there is more.
    fn take(&self, fresh: Gateway) {
        self.journal.set(&fresh.journal.level);
        let mut others = fresh;
        others.journal.level = self.running.journal.level.clone();
        if others == *self.running {
            tracing::info!("reloaded: how much is said");
        } else {
            tracing::warn!("signer.toml has other settings for the gateway than those in force; they take a restart");
        }
    }
}

/// An error with its causes, in one line.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

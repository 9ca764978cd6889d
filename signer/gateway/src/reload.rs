//! SIGHUP: certificates, revocations and policy are read again while requests go on. Each is built and checked as a whole before it
//! replaces what was in force; one that is wrong is named, and changes nothing.

use crate::config::Gateway;
use crate::link::Link;
use crate::metrics::Metrics;
use crate::tls::Trust;
use chancery_channel::{Answer, ToKeeper};
use std::error::Error;
use tokio::time::timeout;

/// What a reload reads and replaces.
#[derive(Clone, Copy)]
pub struct Reload<'a> {
    /// The configuration that the process was started with.
    pub running: &'a Gateway,
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
        let done = self.certificates();
        self.metrics.reloaded("certificates", done);
        let done = self.policy().await;
        self.metrics.reloaded("policy", done);
    }

    fn certificates(&self) -> bool {
        if let Err(error) = self.trust.reload(&self.running.tls_files()) {
            tracing::error!(error = chain(&error), "not reloaded: certificates; those before stay in force");
            return false;
        }
        tracing::info!(generation = self.trust.generation(), "reloaded: certificates and revocations");
        true
    }

    async fn policy(&self) -> bool {
        let asked = async { self.link.call(|id| ToKeeper::Reload { id })?.answer().await };
        let answer = timeout(self.running.limits.request_timeout, asked).await;
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

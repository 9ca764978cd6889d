//! Another policy, and another level of what is said, while requests go on.

use super::judge::Judge;
use super::line::Line;
use super::outbox::unrecorded;
use super::settings::Settings;
use crate::key::OpenKeys;
use crate::policy::Policy;
use crate::text::{chain, hex};
use chancery_channel::{Answer, Refusal, RefusalKind};
use chancery_journal::one_line;
use std::sync::{Arc, Weak};

/// Puts what files say now in force.
pub(crate) struct Reload {
    pub(crate) settings: Settings,
    pub(crate) judge: Arc<Judge>,
    pub(crate) keys: Arc<OpenKeys>,
    pub(crate) line: Weak<Line>,
    pub(crate) now_ms: fn() -> u64,
}

impl Reload {
    /// Reads the configuration, and says as much as it wants from now on. Then reads the policy; if nothing is wrong with it, records that it
    /// is in force, and then decides by it.
    pub(crate) fn run(&self) -> Result<Answer, Refusal> {
        self.settings.reload()?;
        let file = &self.settings.running.policy;
        let refused = |why: String| {
            tracing::error!(file = %file.display(), why, "the policy was not reloaded; the one before stays in force");
            unrecorded(RefusalKind::Invalid, "policy-refused", why)
        };
        let text = std::fs::read_to_string(file).map_err(|e| refused(format!("{} cannot be read: {e}", file.display())))?;
        let policy = Policy::parse(&text, &file.display().to_string()).map_err(|e| refused(chain(&e)))?;
        for warning in policy.warnings().iter().chain(&policy.check_keys(&self.keys.descriptions())) {
            tracing::warn!("{}", one_line(&warning.to_string()));
        }
        let digest = policy.digest();
        if digest == self.judge.policy().digest() {
            return Ok(Answer::Reloaded { policy: digest, changed: false });
        }
        let ending = || refused("the keeper is ending".to_owned());
        let line = self.line.upgrade().ok_or_else(ending)?;
        line.with_recorder(|recorder| recorder.policy_changed(digest, (self.now_ms)())).map_err(refused)?;
        let grants = policy.grants().len();
        self.judge.replace(policy);
        tracing::info!(sha256 = hex(&digest), grants, "another policy is in force");
        if grants == 0 {
            // Most often a file that was cut off, or is being written.
            tracing::warn!(file = %file.display(), "the policy has no grants, so every request is denied");
        }
        Ok(Answer::Reloaded { policy: digest, changed: true })
    }
}

//! From a request to what is to be recorded: content, policy, prepare.

use crate::content::{self, Content};
use crate::key::OpenKeys;
use crate::policy::{self, Policy};
use crate::prepare::prepare;
use crate::record::{Outcome, Pending, Turned};
use chancery_channel::SignRequest;
use std::sync::Arc;

/// Everything that a decision depends on, apart from the request and the time.
pub(crate) struct Judge {
    pub(crate) policy: Policy,
    pub(crate) keys: Arc<OpenKeys>,
}

impl Judge {
    /// Decides one request. Whatever comes out is recorded before anything else happens.
    pub(crate) fn judge(&self, call: u64, request: SignRequest, content: Content, now_ms: u64) -> Pending {
        Pending { call, outcome: self.outcome(request, content, now_ms) }
    }

    fn outcome(&self, request: SignRequest, content: Content, now_ms: u64) -> Outcome {
        let checked = match content::check(request, content) {
            Ok(checked) => checked,
            Err(unfit) => return Outcome::Refuse(Box::new(Turned::unfit(*unfit))),
        };
        let facts = self.keys.facts(&checked.request().key, now_ms / 1000);
        match policy::decide(&self.policy, checked, facts, now_ms) {
            Ok(permit) => match prepare(permit) {
                Ok(prepared) => Outcome::Sign(Box::new(prepared)),
                Err(fault) => Outcome::Fault(fault.to_string()),
            },
            Err(denial) => Outcome::Refuse(Box::new(Turned::denied(denial, facts, self.policy.digest()))),
        }
    }
}

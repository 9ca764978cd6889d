//! From a request to what is to be recorded: content, policy, prepare.

use super::meter::Meter;
use crate::content::{self, Content};
use crate::key::OpenKeys;
use crate::policy::{self, Policy};
use crate::prepare::prepare;
use crate::record::{Arrival, Outcome, Pending, Turned};
use chancery_channel::SignRequest;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Everything that a decision depends on, apart from the request and the time.
pub(crate) struct Judge {
    policy: RwLock<Arc<Policy>>,
    keys: Arc<OpenKeys>,
    meter: Arc<Meter>,
    /// The latest time that the log or this process has seen, in milliseconds since 1970.
    latest_ms: AtomicU64,
}

impl Judge {
    /// `latest_ms` is the time of the log's newest entry.
    pub(crate) fn new(policy: Policy, keys: Arc<OpenKeys>, meter: Arc<Meter>, latest_ms: u64) -> Self {
        Self { policy: RwLock::new(Arc::new(policy)), keys, meter, latest_ms: AtomicU64::new(latest_ms) }
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Decides by another policy from now on. To be called once that is recorded.
    pub(crate) fn replace(&self, policy: Policy) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(policy);
    }

    /// Decides one request. Whatever comes out is recorded before anything else happens.
    pub(crate) fn judge(&self, call: u64, (request, arrival): (SignRequest, Arrival), content: Content, now_ms: u64) -> Pending {
        Pending {
            call,
            request_id: request.request_id,
            arrival,
            outcome: self.meter.decide.time(|| self.outcome(request, content, now_ms)),
        }
    }

    fn outcome(&self, request: SignRequest, content: Content, now_ms: u64) -> Outcome {
        let checked = match content::check(request, content) {
            Ok(checked) => checked,
            Err(unfit) => return Outcome::Refuse(Box::new(Turned::unfit(*unfit))),
        };
        // A key that was retired once stays so when the clock goes back. What a signature says is the clock's time all the same.
        let latest_ms = self.latest_ms.fetch_max(now_ms, Ordering::Relaxed).max(now_ms);
        let facts = self.keys.facts(&checked.request().key, latest_ms.div_euclid(1000));
        let policy = self.policy();
        match policy::decide(&policy, checked, facts, latest_ms) {
            Ok(permit) => match prepare(permit.dated(now_ms.div_euclid(1000))) {
                Ok(prepared) => Outcome::Sign(Box::new(prepared)),
                Err(fault) => Outcome::Fault(fault.to_string()),
            },
            Err(denial) => Outcome::Refuse(Box::new(Turned::denied(denial, facts, policy.digest()))),
        }
    }
}

//! Trying again: the same request, at one endpoint after the other, until somebody answers or time is up.

use super::endpoint::{Line, Lines};
use super::{Trouble, from_status};
use crate::error::Unreachable;
use crate::text::printable;
use chancery_proto::v1;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic::{Code, Status};

/// How long, and how often.
#[derive(Clone)]
pub(crate) struct Patience {
    pub(crate) total: Duration,
    pub(crate) backoff: Backoff,
    pub(crate) notify: Option<Notify>,
}

/// The pause after all endpoints were tried in vain: doubles each time, up to a cap, and is shortened at random by up to a half, so
/// that many publishers do not come back at once.
#[derive(Debug, Clone, Copy)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub cap: Duration,
}

/// Said before each pause.
#[derive(Debug, Clone)]
pub struct Notice {
    /// The endpoint that was tried last.
    pub endpoint: String,
    /// What it said, or what stands in the way.
    pub why: String,
    /// How long until the next try.
    pub pause: Duration,
}

/// Called before each pause.
pub type Notify = Arc<dyn Fn(&Notice) + Send + Sync>;

/// Why a call gave no reply.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The key host said no.
    Refused { refusal: v1::Refusal, endpoint: String },
    /// Nobody answered.
    Unreachable(Unreachable),
}

impl Failure {
    /// Tells a lost reply from a refusal. After a lost one nobody knows what the key host did; as the same id is sent again, it does not
    /// matter.
    pub(crate) fn of(status: Status, line: &Line, tries: u32) -> Self {
        let endpoint = line.endpoint.to_string();
        let said_by_us = status.source().is_some();
        let transient = matches!(status.code(), Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Unknown);
        if said_by_us || (transient && status.details().is_empty()) {
            let trouble = if said_by_us { Trouble::of(&status) } else { Trouble::Other(printable(status.message())) };
            return Self::Unreachable(Unreachable { endpoint, trouble, tries, source: Some(Box::new(status)) });
        }
        let mut refusal = from_status(&status, &endpoint);
        refusal.retry |= status.details().is_empty() && matches!(status.code(), Code::ResourceExhausted | Code::Aborted);
        Self::Refused { refusal, endpoint }
    }

    /// A connection that the key host closed may fail in a way that does not say why, as TLS 1.3 lets a client talk before its
    /// certificate is checked. So the reason is looked for.
    pub(crate) async fn explained(mut self, line: &Line) -> Self {
        if let Self::Unreachable(Unreachable { trouble: trouble @ Trouble::Other(_), source: Some(status), .. }) = &mut self
            && status.source().is_some()
            && let Some(found) = line.trouble().await
        {
            *trouble = found;
        }
        self
    }

    pub(crate) fn endpoint(&self) -> &str {
        match self {
            Self::Refused { endpoint, .. } => endpoint,
            Self::Unreachable(u) => &u.endpoint,
        }
    }

    /// The same failure once more: that of a stream is the failure of each request on it. The status stays with the first.
    pub(crate) fn share(&self) -> Self {
        match self {
            Self::Refused { refusal, endpoint } => Self::Refused { refusal: refusal.clone(), endpoint: endpoint.clone() },
            Self::Unreachable(u) => {
                let (endpoint, trouble) = (u.endpoint.clone(), u.trouble.clone());
                Self::Unreachable(Unreachable { endpoint, trouble, tries: u.tries, source: None })
            }
        }
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), cap: Duration::from_secs(5) }
    }
}

impl Backoff {
    fn pause(self, round: u32) -> Duration {
        let full = self.first.saturating_mul(2_u32.saturating_pow(round)).min(self.cap);
        // Without random numbers the pause is the longest: slower, never wrong.
        let random = getrandom::u32().map_or(1.0, |n| f64::from(n) / f64::from(u32::MAX));
        full.mul_f64(0.5_f64.mul_add(random, 0.5))
    }
}

impl Patience {
    /// Calls the endpoints in turn until one of them gives a reply or a final refusal, or time is up.
    pub(crate) async fn call<T, F>(&self, lines: &Lines, operation: impl Fn(Channel) -> F) -> Result<(T, Line), Failure>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now().checked_add(self.total).unwrap_or_else(Instant::now);
        let mut hopeless = BTreeSet::new();
        let mut seen = BTreeMap::new();
        let mut tries: u32 = 0;
        for round in 0_u32.. {
            let mut last = None;
            let of_use: Vec<_> = lines.in_turn().filter(|(index, _)| !hopeless.contains(index)).collect();
            let mut left = u32::try_from(of_use.len()).unwrap_or(u32::MAX);
            for (index, line) in of_use {
                tries = tries.saturating_add(1);
                // One that says nothing takes no more than its part of the time: the others are to be tried too.
                let part = deadline.saturating_duration_since(Instant::now()).checked_div(left).unwrap_or_default();
                left = left.saturating_sub(1);
                let failure = match timeout(part, operation(line.channel.clone())).await {
                    Ok(Ok(reply)) => {
                        lines.prefer(index);
                        return Ok((reply, line.clone()));
                    }
                    Ok(Err(status)) => Failure::of(status, line, tries).explained(line).await,
                    Err(_) => {
                        // A try that was cut short says less than the one before it.
                        let trouble = seen.remove(&index).unwrap_or(Trouble::Timeout);
                        Failure::Unreachable(Unreachable { endpoint: line.endpoint.to_string(), trouble, tries, source: None })
                    }
                };
                match &failure {
                    Failure::Refused { refusal, .. } if !refusal.retry => return Err(failure),
                    Failure::Unreachable(u) if u.trouble.lasts() => drop(hopeless.insert(index)),
                    Failure::Unreachable(u) => drop(seen.insert(index, u.trouble.clone())),
                    Failure::Refused { .. } => {}
                }
                last = Some(failure);
            }
            let Some(last) = last else { return Err(nowhere()) };
            let pause = self.backoff.pause(round);
            let next = Instant::now().checked_add(pause).filter(|next| *next < deadline);
            match next {
                Some(next) if hopeless.len() < lines.all().len() => self.rest(&last, pause, next).await,
                _ => return Err(last),
            }
        }
        Err(nowhere())
    }

    async fn rest(&self, last: &Failure, pause: Duration, until: Instant) {
        if let Some(notify) = &self.notify {
            let (endpoint, why) = match last {
                Failure::Refused { refusal, endpoint } => (endpoint.clone(), printable(&refusal.message)),
                Failure::Unreachable(u) => (u.endpoint.clone(), u.trouble.to_string()),
            };
            notify(&Notice { endpoint, why, pause });
        }
        tokio::time::sleep_until(until).await;
    }
}

/// A profile has at least one endpoint, so this is not reached.
fn nowhere() -> Failure {
    let trouble = Trouble::Other("no endpoint is left to try".to_owned());
    Failure::Unreachable(Unreachable { endpoint: String::new(), trouble, tries: 0, source: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap_and_are_shortened_by_at_most_a_half() {
        let backoff = Backoff { first: Duration::from_millis(100), cap: Duration::from_secs(1) };
        for (round, full) in [(0, 100), (1, 200), (3, 800), (4, 1000), (40, 1000), (u32::MAX, 1000)] {
            for _ in 0..50 {
                let pause = backoff.pause(round).as_millis();
                assert!((full / 2..=full).contains(&pause), "round {round}: {pause} ms of {full}");
            }
        }
    }
}

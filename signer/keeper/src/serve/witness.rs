//! Between the gateway, which reaches the witnesses, and the log, which they cosign; and what the operator is told of it.

use super::outbox::unrecorded;
use crate::text::chain;
use chancery_channel::{Refusal, RefusalKind, WitnessStats};
use chancery_reqlog::{Cosigned, Progress, WitnessAnswer, WitnessError, Witnesses};
use std::time::{SystemTime, UNIX_EPOCH};

/// Asks for what witnesses are to be sent, and hands back what they answer.
pub(crate) struct Relay {
    witnesses: Witnesses,
    /// Those whose last exchange failed, so that a recovery is told too.
    failing: Vec<String>,
}

impl Relay {
    pub(crate) const fn new(witnesses: Witnesses) -> Self {
        Self { witnesses, failing: Vec::new() }
    }

    /// What each cosigned last.
    pub(crate) fn stats(&self) -> Vec<WitnessStats> {
        let one = |(name, cosigned): (&str, Option<Cosigned>)| {
            let (size, time) = cosigned.map_or((0, 0), |c| (c.size, c.time));
            WitnessStats { name: name.to_owned(), size, time }
        };
        self.witnesses.all().map(one).collect()
    }

    /// What is to be sent to the witness, if anything is.
    pub(crate) fn request(&mut self, witness: &str) -> Result<Option<Vec<u8>>, Refusal> {
        if self.witnesses.is_awaited(witness) {
            self.fails(witness, "it did not answer");
        }
        self.witnesses.request(witness).map_err(|error| {
            let kind = if matches!(error, WitnessError::Unknown(_)) { RefusalKind::NotFound } else { RefusalKind::Internal };
            self.fails(witness, &chain(&error));
            unrecorded(kind, "not-witnessed", chain(&error))
        })
    }

    /// Judges what the witness answered; whether it is to be asked again at once.
    pub(crate) fn answer(&mut self, witness: &str, answer: WitnessAnswer<'_>) -> bool {
        match self.witnesses.answer(witness, answer, now()) {
            Ok(Progress::Cosigned(Cosigned { size, time })) => {
                let recovered = self.failing.iter().position(|w| w == witness).map(|at| self.failing.swap_remove(at)).is_some();
                if recovered {
                    tracing::info!(witness = name(witness), size, time, "the witness cosigns again");
                } else {
                    tracing::debug!(witness = name(witness), size, time, "the witness cosigned");
                }
                false
            }
            Ok(Progress::AskAgain { size }) => {
                tracing::info!(witness = name(witness), size, "the witness knows another size than it was said to; it is asked again");
                true
            }
            Ok(Progress::Rollback { ours, theirs }) => {
                tracing::error!(
                    witness = name(witness),
                    ours,
                    theirs,
                    "ROLLBACK: the witness says it cosigned more entries than the log has; if an old copy of the log was restored, stop the \
                     key host and restore the newest; if not, ask the witness for that checkpoint"
                );
                self.fails(witness, "it says it knows more entries than the log has");
                false
            }
            Ok(Progress::Refused { status, says }) => {
                self.fails(witness, &format!("it answers {status} {says}"));
                false
            }
            Err(error) => {
                self.fails(witness, &chain(&error));
                false
            }
        }
    }

    fn fails(&mut self, witness: &str, why: &str) {
        if !self.failing.iter().any(|w| w == witness) {
            self.failing.push(witness.to_owned());
        }
        let (witness, name) = (self.witnesses.newest(witness), name(witness));
        let (size, age_s) = witness.map_or((0, None), |c| (c.size, Some(now().saturating_sub(c.time))));
        tracing::warn!(
            witness = name,
            why,
            cosigned_size = size,
            cosigned_seconds_ago = age_s,
            "a witness has not cosigned the newest entries"
        );
    }
}

/// The name in a verification key.
fn name(vkey: &str) -> &str {
    vkey.split('+').next().unwrap_or_default()
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

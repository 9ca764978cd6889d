//! From what is recorded to the answer: sign, frame, attach the receipt.

use super::gate::Gate;
use super::heavy::Heavy;
use super::meter::Meter;
use super::outbox::{Outbox, put, unrecorded};
use super::tokens::Tokens;
use crate::key::{OpenKeys, SignError, sign};
use crate::prepare::Prepared;
use crate::record::{Done, Recorded};
use chancery_channel::{Answer, FromKeeper, Refusal, RefusalKind, RequestId, Signed};
use std::error::Error;
use std::sync::Arc;

/// Makes answers and sends them.
#[derive(Clone)]
pub(crate) struct Finisher {
    pub(crate) keys: Arc<OpenKeys>,
    pub(crate) outbox: Arc<Outbox>,
    pub(crate) heavy: Heavy,
    pub(crate) tokens: Tokens,
    pub(crate) meter: Arc<Meter>,
    /// Where it must be cosigned first.
    pub(crate) gate: Option<Arc<Gate>>,
}

impl Finisher {
    /// Answers what is recorded, in one write; large content is signed elsewhere, so that nobody waits for it.
    pub(crate) fn finish(&self, done: Vec<Done>) {
        let out = self.meter.sign.time(|| self.answers(done));
        if !out.is_empty() {
            self.outbox.write(&out);
        }
    }

    /// What waited for a cosignature and does not any more.
    pub(crate) fn finish_cosigned(&self) {
        if let Some(gate) = &self.gate {
            self.finish(gate.open());
        }
    }

    /// Hands over what a token is to sign, and gives back everything else.
    fn not_in_token(&self, done: Done) -> Option<Done> {
        let Done::Sign { call, recorded } = done else { return Some(done) };
        let Some(token) = self.tokens.of(&self.keys, &recorded) else { return Some(Done::Sign { call, recorded }) };
        self.tokens.sign(&token, call, recorded, self.clone());
        None
    }

    fn answers(&self, done: Vec<Done>) -> Vec<u8> {
        let mut out = Vec::new();
        for d in done.into_iter().filter_map(|d| self.cosigned(d)).filter_map(|d| self.not_in_token(d)) {
            match d {
                Done::Sign { call, recorded } if Heavy::is_large(recorded.prepared().tbs().len()) => {
                    self.heavy.sign(call, recorded, self.clone());
                }
                Done::Sign { call, recorded } => put(call, self.sign(*recorded), &mut out),
                Done::Refuse { call, request_id, refusal } => {
                    tracing::debug!(%request_id, entry = refusal.entry_index, reason = refusal.reason, "not signed");
                    put(call, Answer::Refused(refusal), &mut out);
                }
            }
        }
        out
    }

    /// What may be answered now.
    fn cosigned(&self, done: Done) -> Option<Done> {
        match (&self.gate, done) {
            (Some(gate), Done::Sign { call, recorded }) => gate.pass(call, recorded).map(|recorded| Done::Sign { call, recorded }),
            (_, done) => Some(done),
        }
    }

    /// Tells the gateway why nothing is signed, or that requests are signed again.
    pub(crate) fn tell_state(&self, why: Option<&str>) {
        let state = why.map_or(FromKeeper::Signing, |why| FromKeeper::ReadOnly(why.to_owned()));
        if let Err(error) = self.outbox.send(&state) {
            tracing::error!(%error, "the gateway cannot be told whether anything is signed");
        }
    }

    pub(crate) fn sign(&self, recorded: Recorded<Prepared>) -> Answer {
        let (request_id, entry_index) = (recorded.prepared().request().request_id, recorded.index());
        let fault = |error: &(dyn Error + 'static)| fault(request_id, entry_index, error);
        let receipt = match recorded.receipt() {
            Ok(receipt) => receipt,
            Err(error) => return fault(&error),
        };
        match sign(&self.keys, recorded) {
            Ok(made) => {
                tracing::debug!(%request_id, entry = entry_index, "signed");
                Answer::Signed(Signed {
                    signature: made.framed,
                    key_version: made.key_version,
                    tbs_sha256: made.tbs_sha256,
                    entry_index,
                    receipt,
                })
            }
            Err(error @ SignError::Token { .. }) => {
                tracing::error!(%request_id, entry = entry_index, error = &error as &dyn Error, "a recorded request was not signed");
                let message = format!("{error}. Entry {entry_index} stands: the same request is signed once the key can sign again");
                let (kind, reason) = (RefusalKind::Unreachable, "key-unreachable".to_owned());
                Answer::Refused(Refusal { kind, reason, message, entry_index: Some(entry_index), receipt })
            }
            Err(error) => fault(&error),
        }
    }
}

/// A recorded request that could not be signed. The same request id gives the signature once the fault is mended.
fn fault(request_id: RequestId, entry: u64, error: &(dyn Error + 'static)) -> Answer {
    tracing::error!(%request_id, entry, error, "a recorded request could not be signed");
    Answer::Refused(unrecorded(RefusalKind::Internal, "signing-failed", format!("{error}; the key host's log has more")))
}

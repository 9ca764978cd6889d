//! The one writer of the request log.

use super::draft::Draft;
use super::entry::{self, EntryError, EntryMaker};
use super::remember::{Known, Remembered, fingerprint, recall};
use super::{Done, Outcome, Pending, Receipt, Recorded, Turned};
use crate::prepare::Prepared;
use crate::text::chain;
use chancery_channel::{KeyDescription, KeyName, Refusal, RefusalKind, RequestId};
use chancery_reqlog::{AppendError, Appended, Log, NewEntry, ReadError, Reader};
use std::sync::Arc;

/// What the first entries of a run say.
pub struct StartFacts {
    /// SHA-256 of the policy file.
    pub policy: [u8; 32],
    /// The keys that are open.
    pub keys: Vec<KeyDescription>,
    /// SHA-256 of the OpenPGP certificates of those that have one.
    pub certificates: Vec<(KeyName, u32, [u8; 32])>,
    /// Bytes of a torn record that recovery dropped.
    pub dropped_bytes: u64,
}

/// A log that was rotated says where it goes on.
const SEALED: &str = "this log was sealed by `log rotate`; write origin and log of the new one into signer.toml";

/// Writes the request log.
pub struct Recorder {
    state: State,
    pub(super) reader: Reader,
    maker: EntryMaker,
    remembered: Remembered,
    max_unwitnessed: Option<u64>,
    /// The policy in force, as the log says.
    policy: Option<[u8; 32]>,
    /// Why nothing is signed just now; it passes.
    trouble: Option<String>,
    /// The first entries of this run, which could not be recorded yet.
    owed: Vec<NewEntry>,
}

enum State {
    Open(Box<Log>),
    /// Nothing is recorded, so nothing is signed; the text says why.
    Closed(String),
}

/// What becomes of one request of a batch.
enum Plan {
    /// It has a new entry: the one at this place of the batch.
    New { place: usize, pending: Pending },
    /// It was recorded before, at this index, with this reason when it was refused.
    Again { index: u64, refused: Option<String>, time: Option<u64>, pending: Pending },
    /// It has no entry.
    Unrecorded { call: u64, request_id: RequestId, refusal: Refusal },
}

impl Recorder {
    /// Goes on with an open log. `remember` is how many requests are known again when they are sent again.
    ///
    /// # Errors
    /// [`ReadError`] when the newest entries cannot be read back.
    pub fn new(log: Log, remember: usize) -> Result<Self, ReadError> {
        let mut remembered = Remembered::new(remember);
        let (last_ms, sealed) = recall(&log, &mut remembered)?;
        let reader = log.reader();
        let state = if sealed { State::Closed(SEALED.to_owned()) } else { State::Open(Box::new(log)) };
        Ok(Self { remembered, maker: EntryMaker::new(last_ms), ..Self::of(state, reader) })
    }

    /// Records nothing, because there is no log to write.
    #[must_use]
    pub fn closed(why: String, reader: Reader) -> Self {
        Self::of(State::Closed(why), reader)
    }

    fn of(state: State, reader: Reader) -> Self {
        let (maker, remembered) = (EntryMaker::new(0), Remembered::new(0));
        Self { state, reader, maker, remembered, max_unwitnessed: None, policy: None, trouble: None, owed: Vec::new() }
    }

    /// Permits nothing that would be more than so many entries ahead of what a witness has cosigned.
    #[must_use]
    pub fn witnessed_within(self, max_unwitnessed: Option<u64>) -> Self {
        Self { max_unwitnessed, ..self }
    }

    /// Why nothing is signed, if so: for good, or until [`Recorder::mend`] has succeeded.
    #[must_use]
    pub fn signs_nothing_because(&self) -> Option<&str> {
        match &self.state {
            State::Open(_) => self.trouble.as_deref(),
            State::Closed(why) => Some(why),
        }
    }

    /// The time of the newest entry, in milliseconds since 1970.
    #[must_use]
    pub const fn newest_ms(&self) -> u64 {
        self.maker.last_ms()
    }

    /// Whether a later [`Recorder::mend`] may change that.
    #[must_use]
    pub const fn can_be_mended(&self) -> bool {
        self.trouble.is_some() && matches!(self.state, State::Open(_))
    }

    /// Records that a run begins, with which policy and keys.
    pub fn begin(&mut self, facts: &StartFacts, now_ms: u64) {
        let (time, went_back) = self.maker.time(now_ms);
        let clock =
            went_back.map(|ms| EntryMaker::salts(1).map_err(EntryError::from).and_then(|mut salts| entry::clock(ms, time, &mut salts)));
        match entry::start(facts, time).and_then(|start| start.into_iter().map(Ok).chain(clock).collect::<Result<Vec<_>, _>>()) {
            Ok(entries) => {
                if self.append(&entries, false).is_err() && !self.is_in_doubt() {
                    self.owed = entries;
                }
            }
            Err(error) => self.state = State::Closed(chain(&error)),
        }
        self.policy = Some(facts.policy);
    }

    /// Records that another policy comes into force.
    ///
    /// # Errors
    /// The text says why it could not be recorded; the policy must not come into force then.
    pub fn policy_changed(&mut self, policy: [u8; 32], now_ms: u64) -> Result<(), String> {
        let (time, _) = self.maker.time(now_ms);
        let entry = entry::policy(policy, "reloaded", time).map_err(|e| chain(&e))?;
        self.append(&[entry], true)?;
        self.policy = Some(policy);
        Ok(())
    }

    /// Tries to go on after the log could not be written: does again what failed, and records that there was an interruption. That this
    /// entry can be recorded is what shows that requests can be. Without an interruption it does nothing.
    pub fn mend(&mut self, now_ms: u64) {
        let (Some(why), State::Open(log)) = (self.trouble.clone(), &mut self.state) else { return };
        if log.is_in_doubt() {
            if let Err(error) = log.mend() {
                self.trouble = Some(chain(&error));
                return;
            }
            // The batch in doubt is recorded now. Who was refused for it gets its signature by sending the request again.
            if let Err(error) = recall(log, &mut self.remembered) {
                self.state = State::Closed(chain(&error));
                return;
            }
        }
        let (time, _) = self.maker.time(now_ms);
        match entry::resume(&why, self.policy, time) {
            Ok(resume) => {
                let mut entries = self.owed.clone();
                entries.push(resume);
                drop(self.append(&entries, false));
            }
            Err(error) => self.state = State::Closed(chain(&error)),
        }
    }

    fn is_in_doubt(&self) -> bool {
        matches!(&self.state, State::Open(log) if log.is_in_doubt())
    }

    /// Why not even a refusal can be recorded, if so.
    fn records_nothing_because(&self) -> Option<&str> {
        let fails = self.is_in_doubt() || !self.owed.is_empty();
        self.signs_nothing_because().filter(|_| fails || matches!(self.state, State::Closed(_)))
    }

    /// Records that the log came out of a backup and was accepted, and closes it. The checkpoint that others held has so many entries.
    ///
    /// # Errors
    /// Why it could not be recorded.
    pub fn accept(mut self, size: u64, now_ms: u64) -> Result<(), String> {
        let (time, _) = self.maker.time(now_ms);
        let entry = entry::restored(size, time).map_err(|e| chain(&e))?;
        self.append(&[entry], false)?;
        match self.state {
            State::Open(log) => log.close().map_err(|e| chain(&e)),
            State::Closed(why) => Err(why),
        }
    }

    /// Records that the run ends in order, and closes the log.
    pub fn end(&mut self, now_ms: u64) {
        let (time, _) = self.maker.time(now_ms);
        drop(self.append(&[entry::stop(time)], true));
        if let State::Open(log) = std::mem::replace(&mut self.state, State::Closed("the keeper has stopped".to_owned()))
            && let Err(error) = log.close()
        {
            tracing::error!(error = chain(&error), "not all static files of the log could be written; the next start writes them");
        }
    }

    /// Records a batch: all its entries are durable when this returns, or nothing of it is to be signed.
    pub fn record(&mut self, batch: Vec<Pending>, now_ms: u64) -> Vec<Done> {
        if let Some(why) = self.records_nothing_because() {
            let refusal = unavailable(why);
            return batch.into_iter().map(|p| turned_away(&p, refusal.clone())).collect();
        }
        let first = self.reader.checkpoint().checkpoint.size;
        let (time, went_back) = self.maker.time(now_ms);
        let mut draft = Draft {
            first,
            time,
            permitted_up_to: self.max_unwitnessed.map_or(u64::MAX, |n| self.reader.witnessed().saturating_add(n)),
            entries: Vec::with_capacity(batch.len()),
            salts: EntryMaker::salts(batch.len().saturating_add(1)),
        };
        if let Some(back_ms) = went_back {
            draft.add(|time, salts| entry::clock(back_ms, time, salts)).unwrap_or_else(|error| {
                tracing::error!(error = chain(&error), "a jump of the clock could not be recorded");
                0
            });
        }
        let plans: Vec<Plan> = batch.into_iter().map(|pending| self.plan(pending, &mut draft)).collect();
        let signs = plans.iter().any(|plan| matches!(plan, Plan::New { pending: Pending { outcome: Outcome::Sign(_), .. }, .. }));
        let appended = self.append(&draft.entries, !signs);
        if appended.is_err() {
            self.remembered.forget_from(first);
        }
        plans.into_iter().map(|plan| self.done(plan, &appended, &mut draft)).collect()
    }

    fn plan(&mut self, pending: Pending, draft: &mut Draft) -> Plan {
        let (call, request_id) = (pending.call, pending.request_id);
        let request = match &pending.outcome {
            Outcome::Sign(prepared) => prepared.request(),
            Outcome::Refuse(turned) => &turned.request,
            Outcome::Fault(text) => {
                return Plan::Unrecorded { call, request_id, refusal: unrecorded(RefusalKind::Internal, "fault", text.clone()) };
            }
        };
        let Some(fingerprint) = fingerprint(request) else {
            let refusal =
                unrecorded(RefusalKind::TooLarge, "request-too-large", "the request's names are too long to be recorded".to_owned());
            return Plan::Unrecorded { call, request_id, refusal };
        };
        let known = self.remembered.get(&request.request_id);
        let pending = match known {
            Some(k) if k.fingerprint != fingerprint => {
                let outcome = Outcome::Refuse(Box::new(Turned::reused(request)));
                Pending { outcome, ..pending }
            }
            Some(k) if k.refused.is_none() && other_version(k, &pending) => {
                let message = "this request was recorded for a version of the key that does not sign any more; choose a new request id";
                return Plan::Unrecorded { call, request_id, refusal: unrecorded(RefusalKind::Denied, "key-retired", message.to_owned()) };
            }
            // What was permitted before is signed again only if it is permitted still; what was refused stays refused.
            Some(k) if k.refused.is_some() || matches!(pending.outcome, Outcome::Sign(_)) => {
                return Plan::Again { index: k.index, refused: k.refused.clone(), time: k.time, pending };
            }
            _ if draft.is_full() => pending.unwitnessed(),
            _ => pending,
        };
        let (id, refused, time, key_version) = match &pending.outcome {
            Outcome::Sign(prepared) => (prepared.request().request_id, None, prepared.own_time(), Some(prepared.permit().key_version())),
            Outcome::Refuse(turned) => (turned.request.request_id, Some(turned.reason.to_owned()), None, None),
            Outcome::Fault(_) => {
                return Plan::Unrecorded { call, request_id, refusal: unrecorded(RefusalKind::Internal, "fault", String::new()) };
            }
        };
        let made = draft.add(|time, salts| match &pending.outcome {
            Outcome::Sign(prepared) => entry::signing(prepared, (&fingerprint, &pending.arrival), time, salts),
            Outcome::Refuse(turned) => entry::refusal(turned, (&fingerprint, &pending.arrival), time, salts),
            Outcome::Fault(_) => Err(EntryError::Nothing),
        });
        match made {
            Ok(place) => {
                self.remembered.insert(id, Known { index: draft.index(place), fingerprint, refused, key_version, time });
                Plan::New { place, pending }
            }
            Err(error) => Plan::Unrecorded { call, request_id, refusal: unavailable(&chain(&error)) },
        }
    }

    fn done(&self, plan: Plan, appended: &Result<Option<Arc<Appended>>, String>, draft: &mut Draft) -> Done {
        match (plan, appended) {
            (Plan::Unrecorded { call, request_id, refusal }, _) => Done::Refuse { call, request_id, refusal },
            (Plan::New { pending, .. } | Plan::Again { pending, .. }, Err(why)) => turned_away(&pending, unavailable(why)),
            (Plan::New { place, pending }, Ok(Some(appended))) => {
                let receipt = Receipt::Fresh { appended: Arc::clone(appended), place, leaf: draft.take_leaf(place) };
                finish(pending, None, draft.index(place), receipt)
            }
            (Plan::New { pending, .. }, Ok(None)) => turned_away(&pending, unavailable("an entry was not written")),
            (Plan::Again { index, refused, time, pending }, Ok(_)) => {
                finish(pending.at(time), refused, index, Receipt::Before(self.reader.clone()))
            }
        }
    }

    /// Makes entries durable. After an error nothing is signed until that succeeds again.
    ///
    /// What signs nothing may use the space that is kept for the case that the disk is full, so that refusals are recorded still.
    fn append(&mut self, entries: &[NewEntry], signs_nothing: bool) -> Result<Option<Arc<Appended>>, String> {
        let log = match &mut self.state {
            State::Open(_) if entries.is_empty() => return Ok(None),
            State::Open(log) => log,
            State::Closed(why) => return Err(why.clone()),
        };
        let appended = if signs_nothing { log.append_from_reserve(entries) } else { log.append(entries) };
        match appended {
            Ok(appended) => {
                // What went into the space for refusals says nothing about the space for signatures.
                if !signs_nothing {
                    self.trouble = None;
                    self.owed.clear();
                }
                Ok(Some(Arc::new(appended)))
            }
            Err(error) => {
                let why = chain(&error);
                if self.trouble.as_ref() != Some(&why) {
                    tracing::error!(error = why, "the request log cannot be written; nothing is signed until it can");
                }
                // A batch that is too long says nothing about the disk.
                if !matches!(error, AppendError::TooLarge | AppendError::Empty) {
                    self.trouble = Some(why.clone());
                }
                Err(why)
            }
        }
    }
}

fn finish(pending: Pending, refused: Option<String>, index: u64, receipt: Receipt) -> Done {
    let (call, request_id) = (pending.call, pending.request_id);
    let refusal = |kind, reason: &str, message: &str, receipt: &Recorded<()>| Refusal {
        kind,
        reason: reason.to_owned(),
        message: message.to_owned(),
        entry_index: Some(index),
        receipt: receipt.receipt().unwrap_or_default(),
    };
    match (refused, pending.outcome) {
        (None, Outcome::Sign(prepared)) => sign_done(call, prepared, index, receipt),
        (None, Outcome::Refuse(t)) => {
            let recorded = Recorded { inner: (), index, receipt };
            Done::Refuse { call, request_id, refusal: refusal(t.kind, t.reason, &t.message, &recorded) }
        }
        (Some(reason), _) => {
            let recorded = Recorded { inner: (), index, receipt };
            let message = "this request was refused before; choose a new request id to have it decided again";
            Done::Refuse { call, request_id, refusal: refusal(RefusalKind::Denied, &reason, message, &recorded) }
        }
        (None, Outcome::Fault(text)) => Done::Refuse { call, request_id, refusal: unrecorded(RefusalKind::Internal, "fault", text) },
    }
}

fn turned_away(pending: &Pending, refusal: Refusal) -> Done {
    Done::Refuse { call: pending.call, request_id: pending.request_id, refusal }
}

fn sign_done(call: u64, prepared: Box<Prepared>, index: u64, receipt: Receipt) -> Done {
    Done::Sign { call, recorded: Box::new(Recorded { inner: *prepared, index, receipt }) }
}

fn other_version(known: &Known, pending: &Pending) -> bool {
    matches!(&pending.outcome, Outcome::Sign(prepared) if known.key_version != Some(prepared.permit().key_version()))
}

fn unavailable(why: &str) -> Refusal {
    let message = format!("the request log cannot be written, so nothing is signed: {why}");
    unrecorded(RefusalKind::Unavailable, "log-unavailable", message)
}

fn unrecorded(kind: RefusalKind, reason: &str, message: String) -> Refusal {
    Refusal { kind, reason: reason.to_owned(), message, entry_index: None, receipt: Vec::new() }
}

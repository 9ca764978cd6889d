//! Where recorded requests wait until a witness has cosigned their entry, when the configuration insists on that.

use super::outbox::{Outbox, unrecorded};
use crate::prepare::Prepared;
use crate::record::{Done, Recorded};
use chancery_channel::{Answer, FromKeeper, RefusalKind};
use chancery_reqlog::Reader;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Holds what may not be signed yet. Nothing of it is signed before its entry is under a cosigned checkpoint.
pub(crate) struct Gate {
    reader: Reader,
    outbox: Arc<Outbox>,
    waiting: Mutex<BTreeMap<u64, Vec<Waiting>>>,
}

struct Waiting {
    call: u64,
    recorded: Box<Recorded<Prepared>>,
}

impl Gate {
    pub(crate) fn new(reader: Reader, outbox: Arc<Outbox>) -> Self {
        Self { reader, outbox, waiting: Mutex::default() }
    }

    /// Lets a request through whose entry is cosigned; keeps any other one, and has the witnesses asked at once.
    pub(crate) fn pass(&self, call: u64, recorded: Box<Recorded<Prepared>>) -> Option<Box<Recorded<Prepared>>> {
        let index = recorded.index();
        let mut waiting = self.lock();
        // Under the lock: a cosignature that comes now opens the gate after this.
        if self.reader.witnessed() > index {
            return Some(Box::new(recorded.proved_by(&self.reader)));
        }
        let is_first = waiting.is_empty();
        waiting.entry(index).or_default().push(Waiting { call, recorded });
        drop(waiting);
        if is_first {
            self.ask();
        }
        None
    }

    /// What may be signed now, since a witness has cosigned more.
    pub(crate) fn open(&self) -> Vec<Done> {
        let mut waiting = self.lock();
        let later = waiting.split_off(&self.reader.witnessed());
        let now = std::mem::replace(&mut *waiting, later);
        let more = !waiting.is_empty();
        drop(waiting);
        if more {
            self.ask();
        }
        let done = |w: Waiting| Done::Sign { call: w.call, recorded: Box::new(w.recorded.proved_by(&self.reader)) };
        now.into_values().flatten().map(done).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.lock().values().map(Vec::len).sum()
    }

    /// Answers all that wait: nobody will ask witnesses any more.
    pub(crate) fn close(&self) {
        let waiting = std::mem::take(&mut *self.lock());
        for Waiting { call, recorded } in waiting.into_values().flatten() {
            let request_id = recorded.prepared().request().request_id;
            tracing::debug!(%request_id, entry = recorded.index(), reason = "unwitnessed", "not signed");
            let message = "no witness has cosigned the entry of this request yet, so it is not signed; send the same request again";
            self.outbox.answer(call, Answer::Refused(unrecorded(RefusalKind::Unavailable, "unwitnessed", message.to_owned())));
        }
    }

    fn ask(&self) {
        // A gateway that is gone is noticed by the thread that reads from it.
        drop(self.outbox.send(&FromKeeper::WitnessWanted));
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

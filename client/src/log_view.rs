//! One history: every checkpoint that is accepted belongs to the same log, proved step by step.

use crate::error::{Error, Evidence, Misbehaviour};
use crate::host::{Host, Proof};
use crate::state::{Seen, StateError, StateStore};
use chancery_tlog::{Hash, VerifierKey, verify_consistency};
use std::collections::BTreeMap;
use tokio::sync::Mutex;

/// How many proved checkpoints are remembered, so that replies of one batch need one proof.
const REMEMBERED: usize = 256;
const SAVE_TRIES: u32 = 32;

/// What is known of the log.
#[derive(Debug)]
pub(crate) struct LogView {
    key: VerifierKey,
    store: StateStore,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    newest: Option<Seen>,
    /// Root by size, all of one history.
    proved: BTreeMap<u64, Hash>,
}

impl LogView {
    pub(crate) fn new(key: VerifierKey, store: StateStore) -> Result<Self, Error> {
        let newest = store.load(&key)?;
        let mut known = Known::default();
        newest.into_iter().for_each(|seen| known.add(seen));
        Ok(Self { key, store, known: Mutex::new(known) })
    }

    pub(crate) const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Size of the newest tree that was seen so far; `None` before the first.
    pub(crate) async fn size(&self) -> Option<u64> {
        self.known.lock().await.newest.as_ref().map(|seen| seen.checkpoint.size)
    }

    /// Accepts a checkpoint once it is proved to be of the same history as all before it.
    ///
    /// An older one than the newest seen is accepted too when it is proved to be a part of it: replies come in any order. A log that
    /// was rolled back has no such proof, for it does not have the newer tree any more.
    pub(crate) async fn accept(&self, shown: Seen, host: &Host) -> Result<(), Error> {
        let mut known = self.known.lock().await;
        let Some(seen) = known.newest.clone() else {
            known.add(shown);
            return Ok(());
        };
        let (size, root) = (shown.checkpoint.size, shown.checkpoint.root);
        if let Some(before) = known.proved.get(&size) {
            return if *before == root { Ok(()) } else { Err(fork(&seen, &shown).into()) };
        }
        let (old, new) = if size < seen.checkpoint.size { (&shown, &seen) } else { (&seen, &shown) };
        let (old, new) = (&old.checkpoint, &new.checkpoint);
        let proof = match host.prove(old.size, new.size).await? {
            _ if old.size == 0 => Vec::new(),
            Proof::Given(hashes) => hashes,
            Proof::None => return Err(rollback(&seen, &shown).into()),
            // From a file, which was asked for at another time: the next contact proves it. It is not remembered until then.
            Proof::Unknown => return Ok(()),
        };
        verify_consistency(old.size, &old.root, new.size, &new.root, &proof).map_err(|_| fork(&seen, &shown))?;
        known.add(shown);
        Ok(())
    }

    /// Keeps the newest checkpoint for the next run. Other processes may have kept one meanwhile: it must be of the same history.
    pub(crate) async fn save(&self, host: &Host) -> Result<(), Error> {
        let StateStore::File(path) = &self.store else { return Ok(()) };
        for _ in 0..SAVE_TRIES {
            let kept = self.store.load(&self.key)?;
            if let Some(kept) = kept.clone() {
                self.accept(kept, host).await?;
            }
            let Some(newest) = self.known.lock().await.newest.clone() else { return Ok(()) };
            if kept.as_ref().is_some_and(|k| k.checkpoint == newest.checkpoint) || self.store.replace(kept.as_ref(), &newest, &self.key)? {
                return Ok(());
            }
        }
        Err(StateError::Busy { path: path.clone() }.into())
    }
}

impl Known {
    fn add(&mut self, seen: Seen) {
        self.proved.insert(seen.checkpoint.size, seen.checkpoint.root);
        if self.newest.as_ref().is_none_or(|newest| newest.checkpoint.size < seen.checkpoint.size) {
            self.newest = Some(seen);
        }
        if self.proved.len() > REMEMBERED {
            self.proved.pop_first();
        }
    }
}

fn rollback(seen: &Seen, shown: &Seen) -> Misbehaviour {
    Misbehaviour::Rollback { seen: seen.checkpoint.size, shown: shown.checkpoint.size, evidence: evidence(seen, shown) }
}

fn fork(seen: &Seen, shown: &Seen) -> Misbehaviour {
    Misbehaviour::Fork { seen: seen.checkpoint.size, shown: shown.checkpoint.size, evidence: evidence(seen, shown) }
}

fn evidence(seen: &Seen, shown: &Seen) -> Box<Evidence> {
    Box::new(Evidence { seen: seen.note.clone(), shown: shown.note.clone() })
}

//! Requests that are known again when they are sent again.

use chancery_channel::{RequestId, SignRequest};
use chancery_reqlog::{Details, Leaf, Log, ReadError};
use sha2::{Digest as _, Sha256};
use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

/// What is known of a recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    /// Index of its entry.
    pub(super) index: u64,
    /// SHA-256 of the request as it was asked: the same id with another request is refused.
    pub(super) fingerprint: [u8; 32],
    /// The reason of a refusal; `None` when it was permitted.
    pub(super) refused: Option<String>,
    /// The version of the key that was to sign; a retry is not signed by another.
    pub(super) key_version: Option<u32>,
    /// The time that its signature says, in seconds since 1970, where that is the keeper's choice: a retry says the same.
    pub(super) time: Option<u64>,
}

/// The newest recorded requests, at most so many.
pub(super) struct Remembered {
    limit: usize,
    by_id: HashMap<RequestId, Known>,
    order: VecDeque<RequestId>,
}

impl Remembered {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit, by_id: HashMap::new(), order: VecDeque::new() }
    }

    pub(super) fn get(&self, id: &RequestId) -> Option<&Known> {
        self.by_id.get(id)
    }

    /// Remembers a request, unless its id is known already: the first use of an id is the one that counts.
    pub(super) fn insert(&mut self, id: RequestId, known: Known) {
        if let Entry::Vacant(vacant) = self.by_id.entry(id) {
            vacant.insert(known);
            self.order.push_back(id);
        }
        while self.order.len() > self.limit {
            if let Some(oldest) = self.order.pop_front() {
                self.by_id.remove(&oldest);
            }
        }
    }

    /// Forgets requests whose entries were not written.
    pub(super) fn forget_from(&mut self, index: u64) {
        while let Some(id) = self.order.back().copied()
            && self.by_id.get(&id).is_some_and(|k| k.index >= index)
        {
            self.order.pop_back();
            self.by_id.remove(&id);
        }
    }
}

/// What a request asks for, in 32 bytes. The encoding is the channel's, which is the same for the same request.
pub(super) fn fingerprint(request: &SignRequest) -> Option<[u8; 32]> {
    let mut bytes = Vec::with_capacity(512);
    chancery_channel::encode(request, &mut bytes).ok()?;
    Some(Sha256::digest(&bytes).into())
}

/// Takes in the newest requests of a log; gives the time of its newest entries, and whether it was sealed.
pub(super) fn recall(log: &Log, remembered: &mut Remembered) -> Result<(u64, bool), ReadError> {
    let (mut last_ms, mut sealed) = (0, false);
    for recent in log.recent()? {
        let recent = recent?;
        if let Ok(leaf) = Leaf::parse(&recent.leaf) {
            last_ms = last_ms.max(leaf.time);
            sealed = leaf.kind.as_str() == "rotate" && leaf.reason.as_ref().is_some_and(|r| r.as_str() == "sealed");
            if let (Some(rid), Some(known)) = (leaf.rid, known(&leaf, recent.index, recent.details.as_deref())) {
                remembered.insert(RequestId(rid), known);
            }
        }
    }
    Ok((last_ms, sealed))
}

fn known(leaf: &Leaf, index: u64, details: Option<&[u8]>) -> Option<Known> {
    let details = Details::decode(details?).ok()?;
    let fingerprint = details.field("request")?.value()?.try_into().ok()?;
    let refused =
        (leaf.decision == chancery_reqlog::Decision::Deny).then(|| leaf.reason.as_ref().map_or_else(String::new, ToString::to_string));
    let time = details.field("time").and_then(|f| std::str::from_utf8(f.value()?).ok()?.parse().ok());
    Some(Known { index, fingerprint, refused, key_version: leaf.key_version, time })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(index: u64) -> Known {
        Known { index, fingerprint: [0; 32], refused: None, key_version: None, time: None }
    }

    #[test]
    fn the_first_use_of_an_id_counts_and_the_oldest_is_forgotten() {
        let mut r = Remembered::new(2);
        r.insert(RequestId([1; 16]), known(0));
        r.insert(RequestId([1; 16]), known(1));
        assert_eq!(r.get(&RequestId([1; 16])).unwrap().index, 0);
        r.insert(RequestId([2; 16]), known(2));
        r.insert(RequestId([3; 16]), known(3));
        assert!(r.get(&RequestId([1; 16])).is_none());
        assert_eq!((r.by_id.len(), r.order.len()), (2, 2));
    }

    #[test]
    fn a_batch_that_was_not_written_is_forgotten_and_nothing_before_it() {
        let mut r = Remembered::new(10);
        for i in 0..5 {
            r.insert(RequestId([i; 16]), known(u64::from(i)));
        }
        r.forget_from(3);
        assert!(r.get(&RequestId([2; 16])).is_some());
        assert!(r.get(&RequestId([3; 16])).is_none() && r.get(&RequestId([4; 16])).is_none());
    }
}

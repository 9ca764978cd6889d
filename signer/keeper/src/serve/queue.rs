//! Queues that threads wait on.

use crate::record::Pending;
use chancery_channel::Principal;
use std::collections::{HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// What a queue keeps its items in, and so in which order they come out.
pub(super) trait Shelf: Default {
    type Item;
    fn put(&mut self, item: Self::Item);
    fn len(&self) -> usize;
    /// The next item.
    fn take(&mut self) -> Option<Self::Item>;
}

impl<T> Shelf for VecDeque<T> {
    type Item = T;

    fn put(&mut self, item: T) {
        self.push_back(item);
    }

    fn len(&self) -> usize {
        Self::len(self)
    }

    fn take(&mut self) -> Option<T> {
        self.pop_front()
    }
}

/// What somebody asked for.
pub(super) trait Asked {
    /// Who; `None` where that is not known any more.
    fn by(&self) -> Option<&Principal>;
}

impl Asked for Pending {
    fn by(&self) -> Option<&Principal> {
        self.principal()
    }
}

/// Requests in turns: each principal gets its own, so that who has thousands waiting does not keep out who has one.
pub(super) struct InTurns<T> {
    waiting: HashMap<Option<Principal>, VecDeque<T>>,
    /// Everybody who has something waiting, once.
    turns: VecDeque<Option<Principal>>,
    len: usize,
}

impl<T> Default for InTurns<T> {
    fn default() -> Self {
        Self { waiting: HashMap::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<T: Asked> Shelf for InTurns<T> {
    type Item = T;

    fn put(&mut self, item: T) {
        self.len = self.len.saturating_add(1);
        let by = item.by().cloned();
        let queue = self.waiting.entry(by.clone()).or_default();
        if queue.is_empty() {
            self.turns.push_back(by);
        }
        queue.push_back(item);
    }

    fn len(&self) -> usize {
        self.len
    }

    fn take(&mut self) -> Option<T> {
        let by = self.turns.pop_front()?;
        let queue = self.waiting.get_mut(&by)?;
        let item = queue.pop_front()?;
        self.len = self.len.saturating_sub(1);
        if queue.is_empty() {
            let _ = self.waiting.remove(&by);
        } else {
            self.turns.push_back(by);
        }
        Some(item)
    }
}

/// A queue of work that threads wait on.
pub(super) struct Queue<S> {
    state: Mutex<State<S>>,
    changed: Condvar,
}

struct State<S> {
    items: S,
    closed: bool,
}

impl<S: Shelf> Queue<S> {
    pub(super) fn new() -> Self {
        Self { state: Mutex::new(State { items: S::default(), closed: false }), changed: Condvar::new() }
    }

    pub(super) fn put(&self, item: S::Item) {
        self.lock().items.put(item);
        self.changed.notify_one();
    }

    pub(super) fn put_all(&self, items: Vec<S::Item>) {
        let mut state = self.lock();
        items.into_iter().for_each(|item| state.items.put(item));
        drop(state);
        self.changed.notify_one();
    }

    /// Waits for work and takes at most `max` items; `None` once the queue is closed and empty.
    pub(super) fn take(&self, max: usize) -> Option<Vec<S::Item>> {
        let mut state = self.lock();
        while state.items.len() == 0 && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let n = state.items.len().min(max);
        (n > 0).then(|| (0..n).map_while(|_| state.items.take()).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn len(&self) -> usize {
        self.lock().items.len()
    }

    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct One(Option<Principal>, u32);

    impl Asked for One {
        fn by(&self) -> Option<&Principal> {
            self.0.as_ref()
        }
    }

    fn one(by: &str, n: u32) -> One {
        One(Principal::new(by).ok(), n)
    }

    #[test]
    fn who_has_one_waiting_is_next_beside_who_has_thousands() {
        let queue = Queue::<InTurns<One>>::new();
        queue.put_all((0..6000).map(|n| one("spiffe://example.org/publisher/busy", n)).collect());
        queue.put(one("spiffe://example.org/publisher/urgent", 1));
        queue.put(one("", 2));
        assert_eq!(queue.len(), 6002);
        let first: Vec<_> = queue.take(4).unwrap().iter().map(|o| (o.0.as_ref().map(|p| p.as_str().len()), o.1)).collect();
        let (busy, urgent) = ("spiffe://example.org/publisher/busy".len(), "spiffe://example.org/publisher/urgent".len());
        assert_eq!(first, [(Some(busy), 0), (Some(urgent), 1), (None, 2), (Some(busy), 1)]);
        let rest = queue.take(10_000).unwrap();
        assert_eq!(rest.len(), 5998);
        assert!(rest.windows(2).all(|w| w[0].1 < w[1].1), "each principal's own are in order");
        queue.close();
        assert!(queue.take(1).is_none());
    }
}

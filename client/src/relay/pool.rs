//! Who is parked, and how clients get hold of one of them.

use super::Outer;
use crate::text::printable;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{oneshot, watch};

/// What a client sends to ask for a parked connection: where it wants to have it.
pub(super) type Ask = oneshot::Sender<oneshot::Sender<Outer>>;

pub(super) struct Pool {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    per_key_host: usize,
}

#[derive(Default)]
struct State {
    next: u64,
    idle: Vec<Entry>,
}

struct Entry {
    id: u64,
    /// The first name of its certificate.
    key_host: Arc<str>,
    names: Vec<String>,
    ask: Ask,
}

/// One place in the pool, until it is dropped or asked for.
pub(super) struct Place {
    id: u64,
    pool: Arc<Pool>,
    /// Whose it is: the first name of its certificate.
    pub(super) key_host: Arc<str>,
    pub(super) asked: oneshot::Receiver<oneshot::Sender<Outer>>,
}

impl Pool {
    pub(super) fn new(per_key_host: usize) -> Self {
        Self { state: Mutex::default(), changed: watch::channel(()).0, per_key_host }
    }

    /// Parks a key host with these names; `None` when it has parked as many as it may.
    pub(super) fn park(self: &Arc<Self>, names: Vec<String>) -> Option<Place> {
        let (ask, asked) = oneshot::channel();
        let key_host: Arc<str> = printable(names.first()?).into();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.of(&key_host) >= self.per_key_host {
            return None;
        }
        let id = state.next;
        state.next = id.wrapping_add(1);
        state.idle.push(Entry { id, key_host: Arc::clone(&key_host), names, ask });
        drop(state);
        self.changed.send_replace(());
        Some(Place { id, pool: Arc::clone(self), key_host, asked })
    }

    /// How many connections of a key host wait for clients.
    pub(super) fn parked(&self, key_host: &str) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).of(key_host)
    }

    /// Takes the one that was parked last, of this key host or of any: what was heard of most recently is most likely alive.
    pub(super) fn take(&self, key_host: Option<&str>) -> Option<Ask> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let at = state.idle.iter().rposition(|e| key_host.is_none_or(|name| e.names.iter().any(|n| n == name)))?;
        Some(state.idle.remove(at).ask)
    }

    /// Says when somebody has parked since.
    pub(super) fn arrivals(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }
}

impl State {
    fn of(&self, key_host: &str) -> usize {
        self.idle.iter().filter(|entry| *entry.key_host == *key_host).count()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.pool.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.idle.retain(|e| e.id != self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_the_key_host_that_it_names_and_who_leaves_is_forgotten() {
        let pool = Arc::new(Pool::new(1));
        let names = |name: &str| vec![name.to_owned(), format!("{name}.example")];
        let a = pool.park(names("a")).unwrap();
        assert!(pool.park(names("a")).is_none(), "as many as it may");
        assert_eq!((pool.parked("a"), pool.parked("a.example")), (1, 0));
        let b = pool.park(names("b")).unwrap();
        assert!(pool.take(Some("c")).is_none());
        assert!(pool.take(Some("a.example")).is_some() && pool.take(Some("a")).is_none());
        drop(a);
        drop(b);
        assert!(pool.take(None).is_none());
    }
}

//! Who is parked, and how clients get hold of one of them.

use super::Outer;
use super::tls::Guest;
use crate::text::printable;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{oneshot, watch};

/// What a client sends to ask for a parked connection: where it wants to have it.
pub(super) type Ask = oneshot::Sender<oneshot::Sender<Outer>>;

pub(super) struct Pool {
    state: Mutex<State>,
    changed: watch::Sender<()>,
    /// The authority whose key hosts need none of its name beside theirs.
    first: Arc<str>,
    per_key_host: usize,
}

#[derive(Default)]
struct State {
    next: u64,
    idle: Vec<Entry>,
}

struct Entry {
    id: u64,
    /// The first name of its certificate, and perhaps its authority.
    key_host: Arc<str>,
    /// The trust domain of its authority: names are true within one only.
    domain: Arc<str>,
    names: Vec<String>,
    ask: Ask,
}

/// What a front leads to.
#[derive(Debug, Clone)]
pub(super) struct Goal {
    /// The trust domain of the key host's authority.
    pub(super) domain: Arc<str>,
    /// A name in its certificate; `None` for any key host of that authority.
    pub(super) name: Option<Arc<str>>,
    /// The same for people.
    pub(super) label: Arc<str>,
}

/// One place in the pool, until it is dropped or asked for.
pub(super) struct Place {
    id: u64,
    pool: Arc<Pool>,
    /// Whose it is, for people: the first name of its certificate, and its authority where that is not the first one.
    pub(super) key_host: Arc<str>,
    pub(super) asked: oneshot::Receiver<oneshot::Sender<Outer>>,
}

impl Pool {
    pub(super) fn new(first: Arc<str>, per_key_host: usize) -> Self {
        Self { state: Mutex::default(), changed: watch::channel(()).0, first, per_key_host }
    }

    /// What names this key host of this authority to people: names of two authorities do not meet in it.
    pub(super) fn label(&self, domain: &str, name: &str) -> Arc<str> {
        let name = printable(name);
        if *domain == *self.first { name.into() } else { format!("{name}@{domain}").into() }
    }

    /// Parks a key host; `None` when it has parked as many as it may.
    pub(super) fn park(self: &Arc<Self>, guest: &Guest) -> Option<Place> {
        let (ask, asked) = oneshot::channel();
        let key_host = self.label(&guest.domain, guest.names.first()?);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.of(&key_host) >= self.per_key_host {
            return None;
        }
        let id = state.next;
        state.next = id.wrapping_add(1);
        let (domain, names) = (Arc::clone(&guest.domain), guest.names.clone());
        state.idle.push(Entry { id, key_host: Arc::clone(&key_host), domain, names, ask });
        drop(state);
        self.changed.send_replace(());
        Some(Place { id, pool: Arc::clone(self), key_host, asked })
    }

    /// How many connections of a key host wait for clients.
    pub(super) fn parked(&self, key_host: &str) -> usize {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).of(key_host)
    }

    /// Lets go of all that this authority's key hosts have parked.
    pub(super) fn clear(&self, domain: &str) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).idle.retain(|entry| *entry.domain != *domain);
    }

    /// Takes the one that was parked last for this goal: what was heard of most recently is most likely alive.
    pub(super) fn take(&self, goal: &Goal) -> Option<Ask> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let named = |entry: &Entry| goal.name.as_deref().is_none_or(|name| entry.names.iter().any(|n| n == name));
        let at = state.idle.iter().rposition(|entry| entry.domain == goal.domain && named(entry))?;
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

    fn guest(domain: &str, name: &str) -> Guest {
        Guest::new(domain, vec![name.to_owned(), format!("{name}.example")])
    }

    fn goal(domain: &str, name: Option<&str>) -> Goal {
        Goal { domain: domain.into(), name: name.map(Arc::from), label: "".into() }
    }

    #[test]
    fn a_client_gets_the_key_host_that_it_names_and_who_leaves_is_forgotten() {
        let pool = Arc::new(Pool::new("one".into(), 1));
        let a = pool.park(&guest("one", "a")).unwrap();
        assert!(pool.park(&guest("one", "a")).is_none(), "as many as it may");
        assert_eq!((pool.parked("a"), pool.parked("a.example")), (1, 0));
        let b = pool.park(&guest("one", "b")).unwrap();
        assert!(pool.take(&goal("one", Some("c"))).is_none());
        assert!(pool.take(&goal("one", Some("a.example"))).is_some() && pool.take(&goal("one", Some("a"))).is_none());
        drop(a);
        drop(b);
        assert!(pool.take(&goal("one", None)).is_none());
    }

    #[test]
    fn a_name_that_another_authority_gave_is_another_name() {
        let pool = Arc::new(Pool::new("one".into(), 1));
        let impostor = pool.park(&guest("two", "a")).unwrap();
        assert_eq!(&*impostor.key_host, "a@two");
        assert!(pool.take(&goal("one", Some("a"))).is_none() && pool.take(&goal("one", None)).is_none());
        let own = pool.park(&guest("one", "a")).expect("the other one does not count for it");
        assert_eq!((&*own.key_host, pool.parked("a"), pool.parked("a@two")), ("a", 1, 1));
        pool.clear("one");
        assert_eq!((pool.parked("a"), pool.parked("a@two")), (0, 1));
        assert!(pool.take(&goal("two", Some("a"))).is_some());
    }
}

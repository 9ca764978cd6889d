//! What each principal has of the key host at this time, so that one of them cannot keep all others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// Counts connections by name, and bounds the requests of each name. Those whose certificate names nobody share the empty name.
#[derive(Clone)]
pub(super) struct Guests {
    present: Arc<Mutex<HashMap<String, Present>>>,
    connections: usize,
    in_flight: usize,
}

struct Present {
    connections: usize,
    turns: Arc<Semaphore>,
}

/// One counted connection, until it is dropped.
pub(super) struct Guest {
    name: String,
    turns: Arc<Semaphore>,
    guests: Guests,
}

impl Guests {
    /// Each name may have so many connections, and on all of them together so many requests under way.
    pub(super) fn new(connections: usize, in_flight: usize) -> Self {
        Self { present: Arc::default(), connections, in_flight }
    }

    /// Counts one more; `None` when the name has as many as it may.
    pub(super) fn enter(&self, name: &str) -> Option<Guest> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Present { connections: 0, turns: Arc::new(Semaphore::new(self.in_flight)) };
        let of_name = present.entry(name.to_owned()).or_insert_with(new);
        if of_name.connections >= self.connections {
            return None;
        }
        of_name.connections = of_name.connections.saturating_add(1);
        Some(Guest { name: name.to_owned(), turns: Arc::clone(&of_name.turns), guests: self.clone() })
    }
}

impl Guest {
    /// A permit for each request of this principal that may be under way.
    pub(super) fn turns(&self) -> Arc<Semaphore> {
        Arc::clone(&self.turns)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut present = self.guests.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_name) = present.get_mut(&self.name) {
            of_name.connections = of_name.connections.saturating_sub(1);
            if of_name.connections == 0 {
                present.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_cannot_take_the_places_of_another_and_gets_its_own_back() {
        let guests = Guests::new(2, 5);
        let first = guests.enter("a").unwrap();
        let second = guests.enter("a").unwrap();
        assert!(guests.enter("a").is_none());
        assert!(Arc::ptr_eq(&first.turns(), &second.turns()), "all connections of a name share its turns");
        assert!(!Arc::ptr_eq(&first.turns(), &guests.enter("b").unwrap().turns()));
        drop(first);
        assert!(guests.enter("a").is_some());
        drop(second);
        assert!(guests.present.lock().unwrap().is_empty(), "who is gone leaves nothing behind");
    }
}

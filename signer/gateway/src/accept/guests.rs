//! How many connections each principal has, so that one of them cannot keep all others out.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Counts connections by name. Those whose certificate names nobody share the empty name.
#[derive(Clone)]
pub(super) struct Guests {
    counts: Arc<Mutex<HashMap<String, usize>>>,
    max: usize,
}

/// One counted connection, until it is dropped.
pub(super) struct Guest {
    name: String,
    guests: Guests,
}

impl Guests {
    pub(super) fn new(max: usize) -> Self {
        Self { counts: Arc::default(), max }
    }

    /// Counts one more; `None` when the name has as many as it may.
    pub(super) fn enter(&self, name: &str) -> Option<Guest> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(name.to_owned()).or_default();
        if *count >= self.max {
            return None;
        }
        *count = count.saturating_add(1);
        Some(Guest { name: name.to_owned(), guests: self.clone() })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut counts = self.guests.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.name) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                counts.remove(&self.name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_name_cannot_take_the_places_of_another_and_gets_its_own_back() {
        let guests = Guests::new(2);
        let first = guests.enter("a").unwrap();
        let _second = guests.enter("a").unwrap();
        assert!(guests.enter("a").is_none());
        assert!(guests.enter("b").is_some());
        drop(first);
        assert!(guests.enter("a").is_some());
        assert_eq!(guests.counts.lock().unwrap().keys().collect::<Vec<_>>(), ["a"]);
    }
}

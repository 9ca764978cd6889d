//! Room for content in memory: so much in all, and a share of it for each principal.

use chancery_channel::Principal;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The memory that content may take. One owner hands it out; whoever holds a [`Room`] may give it back in any thread.
#[derive(Debug)]
pub struct Rooms {
    total: u64,
    taken: Arc<AtomicU64>,
    shares: HashMap<Principal, Arc<AtomicU64>>,
}

/// Why there is no room now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// Nobody could have that much.
    All,
    /// The principal holds as much as may be held beside what is left for others.
    Share,
}

/// Room that is taken; given back on drop.
#[derive(Debug)]
pub struct Room {
    taken: Arc<AtomicU64>,
    share: Arc<AtomicU64>,
    len: u64,
}

impl Rooms {
    /// Room for `total` bytes.
    #[must_use]
    pub fn new(total: u64) -> Self {
        Self { total, taken: Arc::default(), shares: HashMap::new() }
    }

    /// Takes `len` bytes for a principal. When it holds some already, then only as long as it leaves free at least as much as it then holds:
    /// one principal alone gets half of all, the next half of the rest, and none takes the last with many requests.
    ///
    /// # Errors
    /// [`Full`].
    pub fn take(&mut self, principal: &Principal, len: u64) -> Result<Room, Full> {
        let free = self.total.saturating_sub(self.taken.load(Ordering::Relaxed));
        let left = free.checked_sub(len).ok_or(Full::All)?;
        let share = self.share(principal);
        let held = share.load(Ordering::Relaxed);
        if held > 0 && held.saturating_add(len) > left {
            return Err(Full::Share);
        }
        // Others only give back meanwhile, so nothing that was seen free is taken twice.
        self.taken.fetch_add(len, Ordering::Relaxed);
        share.fetch_add(len, Ordering::Relaxed);
        Ok(Room { taken: Arc::clone(&self.taken), share, len })
    }

    fn share(&mut self, principal: &Principal) -> Arc<AtomicU64> {
        if let Some(share) = self.shares.get(principal) {
            return Arc::clone(share);
        }
        // Names of principals come from the gateway: those that hold nothing are forgotten.
        self.shares.retain(|_, share| Arc::strong_count(share) > 1);
        Arc::clone(self.shares.entry(principal.clone()).or_default())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.len, Ordering::Relaxed);
        self.share.fetch_sub(self.len, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who(n: usize) -> Principal {
        Principal::new(format!("spiffe://localhost/publisher/p{n}")).unwrap()
    }

    fn take_all(rooms: &mut Rooms, principal: &Principal, len: u64) -> (Vec<Room>, Full) {
        let mut held = Vec::new();
        loop {
            match rooms.take(principal, len) {
                Ok(room) => held.push(room),
                Err(full) => return (held, full),
            }
        }
    }

    #[test]
    fn one_principal_gets_half_and_the_next_half_of_the_rest() {
        let mut rooms = Rooms::new(128);
        let (first, full) = take_all(&mut rooms, &who(1), 1);
        assert_eq!((first.len(), full), (64, Full::Share));
        let (second, full) = take_all(&mut rooms, &who(2), 1);
        assert_eq!((second.len(), full), (32, Full::Share));
        drop(first);
        assert!(rooms.take(&who(1), 40).is_ok(), "what is given back can be taken again");
    }

    #[test]
    fn a_first_request_gets_whatever_is_free_and_no_more() {
        let mut rooms = Rooms::new(100);
        let whole = rooms.take(&who(1), 100).unwrap();
        assert_eq!(rooms.take(&who(2), 1).unwrap_err(), Full::All);
        drop(whole);
        let _most = rooms.take(&who(1), 90).unwrap();
        assert_eq!(rooms.take(&who(1), 5).unwrap_err(), Full::Share);
        assert_eq!(rooms.take(&who(2), 11).unwrap_err(), Full::All);
        assert!(rooms.take(&who(2), 10).is_ok());
    }

    #[test]
    fn lengths_near_the_end_of_numbers_find_no_room() {
        let mut rooms = Rooms::new(u64::MAX);
        let _held = rooms.take(&who(1), u64::MAX - 1).unwrap();
        assert_eq!(rooms.take(&who(1), u64::MAX).unwrap_err(), Full::All);
        assert_eq!(rooms.take(&who(1), 1).unwrap_err(), Full::Share);
    }

    #[test]
    fn principals_that_hold_nothing_are_forgotten() {
        let mut rooms = Rooms::new(100);
        let _kept = rooms.take(&who(0), 1).unwrap();
        for n in 1..1000 {
            drop(rooms.take(&who(n), 1).unwrap());
        }
        assert!(rooms.shares.len() <= 2, "{}", rooms.shares.len());
    }
}

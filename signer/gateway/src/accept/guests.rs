//! What each principal has of the key host at this time, so that one of them cannot keep all others out.

use super::pace::{Pace, Rate};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Answers that one principal may have waiting for it; each can be as large as a frame.
const READS: usize = 16;

/// Counts connections by name, and bounds the requests of each name. Those whose certificate names nobody share the empty name.
#[derive(Clone)]
pub(super) struct Guests {
    present: Arc<Mutex<HashMap<String, Present>>>,
    connections: usize,
    in_flight: usize,
    rate: Option<Rate>,
}

struct Present {
    connections: usize,
    allowance: Allowance,
}

/// What a principal may have of the key host, on all its connections together.
#[derive(Debug, Clone)]
pub struct Allowance {
    turns: Arc<Semaphore>,
    reads: Arc<Semaphore>,
    pace: Option<Arc<Pace>>,
}

/// One counted connection, until it is dropped.
pub(super) struct Guest {
    name: String,
    allowance: Allowance,
    guests: Guests,
}

impl Guests {
    /// Each name may have so many connections, and on all of them together so many requests under way, and ask so fast.
    pub(super) fn new(connections: usize, in_flight: usize, rate: Option<Rate>) -> Self {
        Self { present: Arc::default(), connections, in_flight, rate }
    }

    /// Counts one more; `None` when the name has as many as it may.
    pub(super) fn enter(&self, name: &str) -> Option<Guest> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Present { connections: 0, allowance: Allowance::new(self.in_flight, self.rate) };
        let of_name = present.entry(name.to_owned()).or_insert_with(new);
        if of_name.connections >= self.connections {
            return None;
        }
        of_name.connections = of_name.connections.saturating_add(1);
        Some(Guest { name: name.to_owned(), allowance: of_name.allowance.clone(), guests: self.clone() })
    }
}

impl Allowance {
    /// So many requests under way, asked for so fast.
    #[must_use]
    pub fn new(in_flight: usize, rate: Option<Rate>) -> Self {
        let pace = rate.map(|rate| Arc::new(Pace::new(rate, Instant::now())));
        Self { turns: Arc::new(Semaphore::new(in_flight)), reads: Arc::new(Semaphore::new(READS)), pace }
    }

    /// A permit for each request that may be under way.
    #[must_use]
    pub const fn turns(&self) -> &Arc<Semaphore> {
        &self.turns
    }

    /// A permit for each answer of the log that was asked for and not taken yet.
    #[must_use]
    pub const fn reads(&self) -> &Arc<Semaphore> {
        &self.reads
    }

    /// Lets one request through.
    ///
    /// # Errors
    /// How long until the next may come.
    pub fn step(&self) -> Result<(), Duration> {
        self.pace.as_ref().map_or(Ok(()), |pace| pace.step(Instant::now()))
    }
}

impl Guest {
    /// What its principal may have.
    pub(super) fn allowance(&self) -> Allowance {
        self.allowance.clone()
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let mut present = self.guests.present.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_name) = present.get_mut(&self.name) {
            of_name.connections = of_name.connections.saturating_sub(1);
            // Whoever is kept to a pace could shake it off by connecting again.
            if of_name.connections == 0 && self.guests.rate.is_none() {
                present.remove(&self.name);
            }
        }
    }
}

/// Handshakes under way, by where they come from: one address cannot have them all, nor make us pay for them.
#[derive(Clone)]
pub(super) struct Callers {
    calling: Arc<Mutex<HashMap<IpAddr, usize>>>,
    each: usize,
}

/// One handshake, until it is dropped.
pub(super) struct Caller {
    address: IpAddr,
    callers: Callers,
}

impl Callers {
    /// Each address may have so many handshakes under way.
    pub(super) fn new(each: usize) -> Self {
        Self { calling: Arc::default(), each }
    }

    /// Counts one more; `None` when the address has as many as it may.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Caller> {
        let mut calling = self.calling.lock().unwrap_or_else(PoisonError::into_inner);
        let of_address = calling.entry(address).or_default();
        if *of_address >= self.each {
            return None;
        }
        *of_address = of_address.saturating_add(1);
        Some(Caller { address, callers: self.clone() })
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        let mut calling = self.callers.calling.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(of_address) = calling.get_mut(&self.address) {
            *of_address = of_address.saturating_sub(1);
            if *of_address == 0 {
                calling.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_have_all_handshakes() {
        let callers = Callers::new(1);
        let (one, two) = ([127, 0, 0, 1].into(), [127, 0, 0, 2].into());
        let first = callers.enter(one).unwrap();
        assert!(callers.enter(one).is_none() && callers.enter(two).is_some());
        drop(first);
        assert!(callers.enter(one).is_some());
        assert!(callers.calling.lock().unwrap().is_empty());
    }

    #[test]
    fn who_connects_again_does_not_shake_off_its_pace() {
        let guests = Guests::new(2, 5, Some(Rate { count: 1, per: Duration::from_secs(3600) }));
        assert!(guests.enter("a").unwrap().allowance().step().is_ok());
        assert!(guests.enter("a").unwrap().allowance().step().is_err());
        assert!(guests.enter("b").unwrap().allowance().step().is_ok());
    }

    #[test]
    fn one_name_cannot_take_the_places_of_another_and_gets_its_own_back() {
        let guests = Guests::new(2, 5, None);
        let first = guests.enter("a").unwrap();
        let second = guests.enter("a").unwrap();
        assert!(guests.enter("a").is_none());
        assert!(Arc::ptr_eq(first.allowance.turns(), second.allowance.turns()), "all connections of a name share its turns");
        assert!(!Arc::ptr_eq(first.allowance.turns(), guests.enter("b").unwrap().allowance.turns()));
        drop(first);
        assert!(guests.enter("a").is_some());
        drop(second);
        assert!(guests.present.lock().unwrap().is_empty(), "who is gone leaves nothing behind");
    }
}

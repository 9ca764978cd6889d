//! A batch in the making.

use super::entry::EntryError;
use chancery_reqlog::{NewEntry, Salts, SaltsError};

/// The entries of one batch, while they are made.
pub(super) struct Draft {
    pub(super) first: u64,
    pub(super) time: u64,
    /// The tree must not grow beyond this by what is signed, in entries.
    pub(super) permitted_up_to: u64,
    pub(super) entries: Vec<NewEntry>,
    pub(super) salts: Result<Salts, SaltsError>,
}

impl Draft {
    pub(super) fn add(&mut self, make: impl FnOnce(u64, &mut Salts) -> Result<NewEntry, EntryError>) -> Result<usize, EntryError> {
        let salts = self.salts.as_mut().map_err(|_| EntryError::NoSalts)?;
        self.entries.push(make(self.time, salts)?);
        Ok(self.entries.len().saturating_sub(1))
    }

    pub(super) fn is_full(&self) -> bool {
        self.index(self.entries.len()) >= self.permitted_up_to
    }

    pub(super) fn index(&self, place: usize) -> u64 {
        self.first.saturating_add(u64::try_from(place).unwrap_or(u64::MAX))
    }

    pub(super) fn take_leaf(&mut self, place: usize) -> Vec<u8> {
        self.entries.get_mut(place).map(|e| std::mem::take(&mut e.leaf)).unwrap_or_default()
    }
}

//! What all pages share: the log, its index, and how the last look at it went.

use super::page::Problem;
use crate::book::{Book, BookArgs};
use crate::error::AuditError;
use crate::place::Place;
use chancery_tlog::VerifierKey;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The log is not looked at more often than this, however many pages are asked for.
const FRESH: Duration = Duration::from_secs(2);

/// What stands behind `?` in an address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Parameters {
    pub(super) key: String,
    pub(super) digest: String,
    pub(super) principal: String,
    pub(super) subject: String,
    #[serde(rename = "ref")]
    pub(super) reference: String,
    pub(super) since: String,
    pub(super) until: String,
    pub(super) decision: String,
    pub(super) kind: String,
    pub(super) reason: String,
    pub(super) construction: String,
    pub(super) request: String,
    pub(super) before: Option<u64>,
    pub(super) after: Option<u64>,
    pub(super) period: String,
}

pub(super) struct Desk {
    book: Mutex<State>,
    /// Where the log is, and what was disclosed of it.
    log: String,
    details: Vec<PathBuf>,
    pub(super) witnesses: Vec<VerifierKey>,
    pub(super) policies: Option<PathBuf>,
}

struct State {
    book: Book,
    looked: Instant,
    /// What is wrong since the last look that went well.
    trouble: Option<Trouble>,
}

/// The log could not be brought up to date: what is shown is of the last look that went well.
#[derive(Debug, Clone)]
pub(super) struct Trouble {
    pub(super) text: String,
    /// The log contradicts itself, rather than being out of reach.
    pub(super) misbehaved: bool,
}

impl Desk {
    pub(super) fn open(arguments: &BookArgs, witnesses: &[VerifierKey], policies: Option<&Path>) -> Result<Self, AuditError> {
        let book = arguments.open()?;
        Ok(Self {
            book: Mutex::new(State { book, looked: Instant::now(), trouble: None }),
            log: arguments.log.log.clone(),
            details: arguments.details.clone(),
            witnesses: witnesses.to_vec(),
            policies: policies.map(Path::to_owned),
        })
    }

    fn renew(&self, book: &mut Book) -> Result<(), AuditError> {
        book.log = book.index.update(Place::new(&self.log), &book.key)?;
        self.details.iter().try_for_each(|path| book.index.import(&book.log, path))
    }

    /// Makes something of the log as it is now.
    pub(super) fn read<T>(&self, make: impl FnOnce(&Book) -> Result<T, Problem>) -> Result<T, Problem> {
        let mut state = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= FRESH {
            state.trouble = self
                .renew(&mut state.book)
                .err()
                .map(|error| Trouble { text: error.text(), misbehaved: matches!(error, AuditError::Log { .. }) });
            state.looked = Instant::now();
        }
        super::page::with_trouble(state.trouble.clone(), || make(&state.book))
    }
}

//! Bringing the static files up to date, off the way of requests: one thread, which also keeps segments ready and seals full ones.
//!
//! The order of a publication: tiles and bundles are written under `staging/` and synced, then moved to their names, then their
//! directories are synced, then the checkpoint is replaced. So whatever a checkpoint in `public/` promises is there, after any crash, and
//! a tile is never seen half-written. A tile is never replaced by other bytes.

use crate::error::PublishError;
use crate::reader::Reader;
use crate::state::State;
use crate::store::Store;
use crate::wal::{make_reserve, make_spare};
use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

mod files;
mod source;

use files::Publication;

/// How publishing goes.
#[derive(Clone, Debug, Default)]
pub struct PublisherStatus {
    /// How often publishing was tried.
    pub tries: u64,
    /// Why the last try failed; `None` if it did not.
    pub failure: Option<Arc<PublishError>>,
    /// Why the next segment or the reserve cannot be made ready, mostly because the disk is filling up; requests are refused once the
    /// present segment is full.
    pub segment_failure: Option<Arc<PublishError>>,
}

/// What the thread needs to know about its log.
#[derive(Debug)]
pub(crate) struct PublisherConfig {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) dir: PathBuf,
    pub(crate) interval: Duration,
    pub(crate) segment_bytes: u64,
    pub(crate) reserve_bytes: u64,
}

/// The running thread.
#[derive(Debug)]
pub(crate) struct Housekeeper {
    thread: JoinHandle<()>,
}

impl Housekeeper {
    pub(crate) fn spawn(config: PublisherConfig, reader: Reader) -> io::Result<Self> {
        let publication = Publication::new(config, reader);
        let thread = std::thread::Builder::new().name("log-publisher".into()).spawn(move || run(publication))?;
        Ok(Self { thread })
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    pub(crate) fn join(self) {
        // A panic there was reported by the panic hook; there is nothing to add when closing.
        let _ = self.thread.join();
    }
}

fn run(mut publication: Publication) {
    let shared = Arc::clone(publication.reader.shared());
    let interval = publication.config.interval;
    let mut due = Instant::now();
    loop {
        let state = wait(&publication, due);
        let closing = state.closing;
        drop(state);
        due = Instant::now().checked_add(interval).unwrap_or(due);
        let segments = keep_segments(&publication);
        let published = publication.publish();
        let mut state = shared.lock();
        state.status.tries = state.status.tries.saturating_add(1);
        state.status.segment_failure = segments.err().map(Arc::new);
        let mut gone = VecDeque::new();
        match published {
            Ok(Some(published)) => {
                gone = state.tail.published(published.checkpoint.size);
                state.published = published;
                state.status.failure = None;
            }
            Ok(None) => state.status.failure = None,
            Err(error) => state.status.failure = Some(Arc::new(error)),
        }
        let finished = closing && (state.status.failure.is_some() || is_published(&state));
        drop(state);
        drop(gone);
        shared.done.notify_all();
        if finished {
            return;
        }
    }
}

fn is_published(state: &State) -> bool {
    state.published.note == state.newest.note
}

/// Waits until there is something to do: for the end of the interval if something waits to be published, else for an append.
fn wait(publication: &Publication, due: Instant) -> std::sync::MutexGuard<'_, State> {
    let shared = publication.reader.shared();
    let mut state = shared.lock();
    while !state.closing && !std::mem::take(&mut state.urgent) {
        let left = due.saturating_duration_since(Instant::now());
        let nothing = is_published(&state) && state.to_seal.is_empty();
        if !nothing && left.is_zero() {
            break;
        }
        state.idle = nothing;
        // A full disk or a lost spare is noticed now and then even if nobody appends.
        let patience = if nothing { Duration::from_secs(60) } else { left };
        let (woken, timeout) = shared.work.wait_timeout(state, patience).unwrap_or_else(std::sync::PoisonError::into_inner);
        state = woken;
        state.idle = false;
        if nothing && timeout.timed_out() {
            break;
        }
    }
    state
}

/// Seals full segments, and makes the next one and the reserve ready.
fn keep_segments(publication: &Publication) -> Result<(), PublishError> {
    let (config, shared) = (&publication.config, publication.reader.shared());
    let wal = config.dir.join("wal");
    loop {
        let Some(full) = shared.lock().to_seal.first().cloned() else { break };
        config.store.seal(&full.path, full.length).map_err(io_error("seal", &full.path))?;
        shared.lock().to_seal.retain(|other| other.path != full.path);
    }
    make_reserve(&*config.store, &wal, config.reserve_bytes).map_err(io_error("make the reserve in", &wal))?;
    let wants_spare = shared.lock().wants_spare;
    if wants_spare {
        make_spare(&*config.store, &wal, config.segment_bytes).map_err(io_error("make the next segment in", &wal))?;
    }
    Ok(())
}

fn io_error<'a>(step: &'static str, path: &'a Path) -> impl Fn(io::Error) -> PublishError + 'a {
    move |source| PublishError::Io { step, path: path.to_owned(), source }
}

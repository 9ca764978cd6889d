//! The line in which decided requests wait for the log, and the threads that serve it.
//!
//! Whatever queued while the last batch was being written is the next batch; nobody waits for a batch to fill. When
//! nothing is going on, the thread that has the request writes it itself, which saves two changes of thread.

use super::finish::Finisher;
use crate::record::{Done, Pending, Recorder};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

/// At most this many requests are written by the thread that brought them: more are better signed by several threads.
const LEAD_MAX: usize = 2;
/// A batch is one record of the log and one answer's delay: bound both.
const BATCH_MAX: usize = 1024;
/// Fewer than this many signatures are not worth another thread's waking up.
const SHARE_MIN: usize = 4;

/// Where decided requests queue.
pub(crate) struct Line {
    waiting: Queue<Pending>,
    finishing: Queue<Vec<Done>>,
    recorder: Mutex<Recorder>,
    finisher: Finisher,
    signers: usize,
    now_ms: fn() -> u64,
}

impl Line {
    /// Starts the threads; they end after [`Line::close`].
    pub(crate) fn start(
        recorder: Recorder,
        finisher: Finisher,
        signers: usize,
        now_ms: fn() -> u64,
    ) -> std::io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let line =
            Arc::new(Self { waiting: Queue::new(), finishing: Queue::new(), recorder: Mutex::new(recorder), finisher, signers, now_ms });
        let mut threads = vec![spawn("log", &line, Self::keep_log)?];
        for _ in 0..signers {
            threads.push(spawn("signer", &line, Self::finish_batches)?);
        }
        Ok((line, threads))
    }

    /// Hands over what was decided from one reading of the channel.
    pub(crate) fn submit(&self, decided: Vec<Pending>) {
        if decided.len() <= LEAD_MAX
            && self.waiting.is_empty()
            && let Ok(mut recorder) = self.recorder.try_lock()
        {
            let done = self.record(&mut recorder, decided);
            drop(recorder);
            self.finisher.finish(done);
        } else {
            self.waiting.put_all(decided);
        }
    }

    /// How many decided requests wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// No more requests come: the threads end once they have answered all.
    pub(crate) fn close(&self) {
        self.waiting.close();
    }

    /// Calls `f` with the recorder, between two batches.
    pub(crate) fn with_recorder<T>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        f(&mut lock(&self.recorder))
    }

    /// Records a batch, and tells the gateway once when the log cannot be written any more: its health must not stay green.
    fn record(&self, recorder: &mut Recorder, batch: Vec<Pending>) -> Vec<Done> {
        let was_open = recorder.closed_because().is_none();
        let done = recorder.record(batch, (self.now_ms)());
        if let (true, Some(why)) = (was_open, recorder.closed_because()) {
            self.finisher.tell_read_only(why);
        }
        done
    }

    fn keep_log(&self) {
        while let Some(batch) = self.waiting.take(BATCH_MAX) {
            let mut done = self.record(&mut lock(&self.recorder), batch);
            let share = done.len().div_ceil(self.signers).max(SHARE_MIN);
            while done.len() > share {
                let rest = done.split_off(share);
                self.finishing.put(std::mem::replace(&mut done, rest));
            }
            self.finishing.put(done);
        }
        self.finishing.close();
    }

    fn finish_batches(&self) {
        while let Some(shares) = self.finishing.take(1) {
            shares.into_iter().for_each(|share| self.finisher.finish(share));
        }
    }
}

fn spawn(name: &str, line: &Arc<Line>, work: fn(&Line)) -> std::io::Result<JoinHandle<()>> {
    let line = Arc::clone(line);
    thread::Builder::new().name(name.to_owned()).spawn(move || work(&line))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A queue of work that threads wait on.
struct Queue<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    fn new() -> Self {
        Self { state: Mutex::new(State { items: VecDeque::new(), closed: false }), changed: Condvar::new() }
    }

    fn put(&self, item: T) {
        lock(&self.state).items.push_back(item);
        self.changed.notify_one();
    }

    fn put_all(&self, items: Vec<T>) {
        lock(&self.state).items.extend(items);
        self.changed.notify_one();
    }

    /// Waits for work and takes at most `max` items; `None` once the queue is closed and empty.
    fn take(&self, max: usize) -> Option<Vec<T>> {
        let mut state = lock(&self.state);
        while state.items.is_empty() && !state.closed {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        let n = state.items.len().min(max);
        (n > 0).then(|| state.items.drain(..n).collect())
    }

    fn is_empty(&self) -> bool {
        lock(&self.state).items.is_empty()
    }

    fn len(&self) -> usize {
        lock(&self.state).items.len()
    }

    fn close(&self) {
        lock(&self.state).closed = true;
        self.changed.notify_all();
    }
}

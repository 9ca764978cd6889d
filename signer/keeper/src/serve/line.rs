//! The line in which decided requests wait for the log, and the threads that serve it.
//!
//! Whatever queued while the last batch was being written is the next batch, each principal in turn; nobody waits for a batch to fill. When
//! nothing is going on, the thread that has the request writes it itself, which saves two changes of thread.

use super::finish::Finisher;
use super::queue::{InTurns, Queue};
use crate::record::{Done, Pending, Recorder};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// At most this many requests are written by the thread that brought them: more are better signed by several threads.
const LEAD_MAX: usize = 2;
/// A batch is one record of the log and one answer's delay: bound both.
const BATCH_MAX: usize = 1024;
/// Fewer than this many signatures are not worth another thread's waking up.
const SHARE_MIN: usize = 4;
/// Time between two tries to write a log that could not be written.
const MEND_EVERY: Duration = Duration::from_secs(1);

/// Where decided requests queue.
pub(crate) struct Line {
    waiting: Queue<InTurns<Pending>>,
    finishing: Queue<VecDeque<Vec<Done>>>,
    recorder: Mutex<Recorder>,
    finisher: Finisher,
    signers: usize,
    now_ms: fn() -> u64,
    care: Mutex<Care>,
    cared: Condvar,
}

/// What the thread that mends the log waits for.
#[derive(Default)]
struct Care {
    wanted: bool,
    closed: bool,
}

impl Line {
    /// Starts the threads; they end after [`Line::close`].
    pub(crate) fn start(
        recorder: Recorder,
        finisher: Finisher,
        signers: usize,
        now_ms: fn() -> u64,
    ) -> std::io::Result<(Arc<Self>, Vec<JoinHandle<()>>)> {
        let care = Mutex::new(Care { wanted: recorder.can_be_mended(), closed: false });
        let line = Arc::new(Self {
            waiting: Queue::new(),
            finishing: Queue::new(),
            recorder: Mutex::new(recorder),
            finisher,
            signers,
            now_ms,
            care,
            cared: Condvar::new(),
        });
        let mut threads = vec![spawn("log", &line, Self::keep_log)?, spawn("mender", &line, Self::mend)?];
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
        lock(&self.care).closed = true;
        self.cared.notify_all();
    }

    /// Calls `f` with the recorder, between two batches.
    pub(crate) fn with_recorder<T>(&self, f: impl FnOnce(&mut Recorder) -> T) -> T {
        self.watched(&mut lock(&self.recorder), f)
    }

    /// Records a batch.
    fn record(&self, recorder: &mut Recorder, batch: Vec<Pending>) -> Vec<Done> {
        let meter = &self.finisher.meter;
        meter.batch_of(batch.len());
        self.watched(recorder, |recorder| meter.record.time(|| recorder.record(batch, (self.now_ms)())))
    }

    /// Tells the gateway when the log cannot be written any more, or can again, after `f`: its health must not stay green, nor red.
    fn watched<T>(&self, recorder: &mut Recorder, f: impl FnOnce(&mut Recorder) -> T) -> T {
        let before = recorder.signs_nothing_because().map(str::to_owned);
        let done = f(recorder);
        let now = recorder.signs_nothing_because();
        if now != before.as_deref() {
            self.finisher.tell_state(now);
            lock(&self.care).wanted = recorder.can_be_mended();
            self.cared.notify_all();
        }
        done
    }

    /// Tries from time to time to write a log that could not be written. Requests alone would not do: who sees that health is red sends none.
    fn mend(&self) {
        let mut care = lock(&self.care);
        while !care.closed {
            if !care.wanted {
                care = self.cared.wait(care).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let still = |care: &mut Care| care.wanted && !care.closed;
            care = self.cared.wait_timeout_while(care, MEND_EVERY, still).unwrap_or_else(PoisonError::into_inner).0;
            if still(&mut care) {
                drop(care);
                self.with_recorder(|recorder| recorder.mend((self.now_ms)()));
                care = lock(&self.care);
            }
        }
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

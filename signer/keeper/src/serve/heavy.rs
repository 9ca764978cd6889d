//! A thread for large content: hashing, parsing and signing it takes tens of milliseconds, which nobody else should wait for.

use super::finish::Finisher;
use super::judge::Judge;
use super::line::Line;
use super::outbox::put;
use crate::content::Content;
use crate::prepare::Prepared;
use crate::record::{Arrival, Recorded};
use chancery_channel::SignRequest;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};

/// Content above this many bytes is large: it takes longer to hash and sign than a small request takes as a whole.
const LARGE: usize = 128 * 1024;

/// Hands large content over to the thread.
#[derive(Clone)]
pub(crate) struct Heavy {
    tasks: Sender<Task>,
}

enum Task {
    Judge { call: u64, asked: Box<(SignRequest, Arrival)>, content: Content },
    Sign { call: u64, recorded: Box<Recorded<Prepared>>, finisher: Box<Finisher> },
    Stop,
}

impl Heavy {
    pub(crate) fn new() -> (Self, HeavyWork) {
        let (tasks, work) = channel();
        (Self { tasks }, HeavyWork { work })
    }

    pub(crate) const fn is_large(len: usize) -> bool {
        len > LARGE
    }

    pub(crate) fn judge(&self, call: u64, asked: Box<(SignRequest, Arrival)>, content: Content) {
        self.put(Task::Judge { call, asked, content });
    }

    pub(crate) fn sign(&self, call: u64, recorded: Box<Recorded<Prepared>>, finisher: Finisher) {
        self.put(Task::Sign { call, recorded, finisher: Box::new(finisher) });
    }

    /// Ends the thread after what was handed over before.
    pub(crate) fn stop(&self) {
        self.put(Task::Stop);
    }

    fn put(&self, task: Task) {
        if self.tasks.send(task).is_err() {
            tracing::error!("large content came after the end of service");
        }
    }
}

/// The thread's end of the queue.
pub(crate) struct HeavyWork {
    work: Receiver<Task>,
}

impl HeavyWork {
    pub(crate) fn start(self, judge: Arc<Judge>, line: Weak<Line>, now_ms: fn() -> u64) -> std::io::Result<JoinHandle<()>> {
        thread::Builder::new().name("large".to_owned()).spawn(move || {
            for task in self.work {
                match task {
                    Task::Judge { call, asked, content } => {
                        let decided = judge.judge(call, *asked, content, now_ms());
                        if let Some(line) = line.upgrade() {
                            line.submit(vec![decided]);
                        }
                    }
                    Task::Sign { call, recorded, finisher } => {
                        let mut out = Vec::new();
                        put(call, finisher.sign(*recorded), &mut out);
                        finisher.outbox.write(&out);
                    }
                    Task::Stop => break,
                }
            }
        })
    }
}

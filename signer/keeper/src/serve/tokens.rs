//! A thread for each token: it signs what is to be signed there, so that nobody else waits for it, and sees now and then whether it is there.

use super::finish::Finisher;
use super::outbox::{Outbox, put};
use crate::key::OpenKeys;
use crate::prepare::Prepared;
use crate::record::Recorded;
use crate::token::Token;
use chancery_channel::{FromKeeper, KeyName};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A token that had nothing to do for this long is asked whether it is still there.
const PULSE: Duration = Duration::from_secs(2);

/// Hands over what is to be signed in tokens.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    threads: Arc<BTreeMap<KeyName, Sender<Task>>>,
}

enum Task {
    Sign { call: u64, recorded: Box<Recorded<Prepared>>, finisher: Box<Finisher> },
    Stop,
}

/// What a thread works with.
struct Bench {
    token: Arc<Token>,
    work: Receiver<Task>,
    keys: Arc<OpenKeys>,
    outbox: Arc<Outbox>,
}

impl Tokens {
    pub(crate) fn start(keys: &Arc<OpenKeys>, outbox: &Arc<Outbox>) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (mut tokens, mut threads) = (BTreeMap::new(), Vec::new());
        for token in keys.tokens() {
            let (tasks, work) = channel();
            tokens.insert(token.name().clone(), tasks);
            let bench = Bench { token, work, keys: Arc::clone(keys), outbox: Arc::clone(outbox) };
            threads.push(thread::Builder::new().name("token".to_owned()).spawn(move || bench.run())?);
        }
        Ok((Self { threads: Arc::new(tokens) }, threads))
    }

    /// The token that is to sign this, if it is in service. What a lost one was to sign is refused at once, by whoever has it.
    pub(crate) fn of(&self, keys: &OpenKeys, recorded: &Recorded<Prepared>) -> Option<KeyName> {
        let prepared = recorded.prepared();
        let token = keys.get(&prepared.request().key, prepared.permit().key_version())?.token()?;
        token.is_in_service().then(|| token.name().clone())
    }

    pub(crate) fn sign(&self, token: &KeyName, call: u64, recorded: Box<Recorded<Prepared>>, finisher: Finisher) {
        let sent = self.threads.get(token).map(|thread| thread.send(Task::Sign { call, recorded, finisher: Box::new(finisher) }));
        if !matches!(sent, Some(Ok(()))) {
            tracing::error!(%token, "a request for a token came after the end of service");
        }
    }

    /// Ends the threads after what was handed over before.
    pub(crate) fn stop(&self) {
        for thread in self.threads.values() {
            // One that ended needs no telling.
            let _ = thread.send(Task::Stop);
        }
    }
}

impl Bench {
    fn run(self) {
        let mut in_service = self.token.is_in_service();
        loop {
            match self.work.recv_timeout(PULSE) {
                Ok(Task::Sign { call, recorded, finisher }) => {
                    let mut out = Vec::new();
                    put(call, finisher.sign(*recorded), &mut out);
                    self.outbox.write(&out);
                }
                Ok(Task::Stop) | Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) if in_service => {
                    // What came of it is seen below.
                    let _ = self.token.ping();
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if in_service && let Err(error) = self.still_there() {
                in_service = false;
                tracing::error!(token = %self.token.name(), %error, "its keys sign nothing any more");
                // A gateway that is gone is noticed by the thread that reads from it.
                drop(self.outbox.send(&FromKeeper::Keys(self.keys.descriptions())));
            }
        }
    }

    fn still_there(&self) -> Result<(), crate::token::TokenError> {
        if self.token.is_in_service() { Ok(()) } else { self.token.ping() }
    }
}

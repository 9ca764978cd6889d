//! The keeper at work: one socket, a thread that reads it, one that writes the log, as many that sign as there are cores.
//!
//! No runtime: what waits is a thread, and it waits for an event. Only what is broken is tried again from time to time: tokens, and the log.

mod finish;
mod gate;
mod heavy;
mod intake;
mod judge;
mod line;
mod meter;
mod outbox;
mod queue;
mod reads;
mod reload;
mod settings;
mod spool;
mod tokens;
mod witness;

use crate::key::OpenKeys;
use crate::policy::Policy;
use crate::record::{Recorder, StartFacts};
use chancery_cell::Report;
use chancery_channel::{Cell, FrameError, FromKeeper, Ready};
use chancery_reqlog::{Reader, Witnesses};
use finish::Finisher;
use gate::Gate;
use heavy::Heavy;
use intake::{Intake, IntakeError};
use judge::Judge;
use line::Line;
use meter::Meter;
use outbox::Outbox;
use reads::{Desk, Reads};
use reload::Reload;
use spool::{Spool, SpoolLimits};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokens::Tokens;
use witness::Relay;

pub use settings::Settings;

/// Bounds of what the keeper takes on at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Greatest content of one request, in bytes.
    pub max_content: u64,
    /// Greatest sum of all content that is held, in bytes.
    pub spool: u64,
    /// Greatest number of requests that wait for the log.
    pub in_flight: usize,
}

/// What was opened before the first request is taken.
pub struct House {
    /// The policy in force.
    pub policy: Policy,
    /// The configuration that names its file.
    pub settings: Settings,
    /// The open signing keys.
    pub keys: OpenKeys,
    /// The request log.
    pub log: HouseLog,
    /// Bounds.
    pub limits: Limits,
    /// What the process gave up.
    pub cell: Report,
    /// How many threads sign at once.
    pub signers: usize,
}

/// The request log, opened.
pub struct HouseLog {
    /// Writes it; one that is closed serves reads only.
    pub recorder: Recorder,
    /// Bytes of a torn record that recovery dropped.
    pub dropped_bytes: u64,
    /// Reads it.
    pub reader: Reader,
    /// Its verification key, as text.
    pub vkey: String,
    /// Who cosigns it, if anybody does.
    pub witnesses: Option<Witnesses>,
    /// Whether nothing is signed before a witness has cosigned its entry.
    pub cosigned_first: bool,
}

/// Why service ended early.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A thread or a handle was not to be had.
    #[error("the keeper could not start its threads")]
    Start(#[source] io::Error),
    /// The first message could not be written.
    #[error("the keeper could not greet the gateway")]
    Greeting(#[source] FrameError),
    /// Reading the channel failed.
    #[error(transparent)]
    Intake(#[from] IntakeError),
}

/// Serves the gateway until it closes the channel; then answers what is under way and closes the log.
///
/// # Errors
/// [`ServeError`]; whatever was recorded stays recorded.
pub fn serve(socket: UnixStream, house: House) -> Result<(), ServeError> {
    let keys = Arc::new(house.keys);
    let outbox = Arc::new(Outbox::new(socket.try_clone().map_err(ServeError::Start)?));
    let HouseLog { mut recorder, dropped_bytes, reader, vkey, witnesses, cosigned_first } = house.log;
    let gate = cosigned_first.then(|| Arc::new(Gate::new(reader.clone(), Arc::clone(&outbox))));
    let (heavy, heavy_work) = Heavy::new();
    let meter = Arc::new(Meter::default());
    let judge = Arc::new(Judge::new(house.policy, Arc::clone(&keys), Arc::clone(&meter), recorder.newest_ms()));
    let facts = StartFacts { policy: judge.policy().digest(), keys: keys.descriptions(), certificates: keys.certificates(), dropped_bytes };
    recorder.begin(&facts, now_ms());
    let read_only = recorder.signs_nothing_because().map(str::to_owned);
    let (tokens, token_threads) = Tokens::start(&keys, &outbox).map_err(ServeError::Start)?;
    let finisher = Finisher {
        keys: Arc::clone(&keys),
        outbox: Arc::clone(&outbox),
        heavy: heavy.clone(),
        tokens: tokens.clone(),
        meter: Arc::clone(&meter),
        gate: gate.clone(),
    };
    let (line, threads) = Line::start(recorder, finisher.clone(), house.signers, now_ms).map_err(ServeError::Start)?;
    let reload =
        Reload { settings: house.settings, judge: Arc::clone(&judge), keys: Arc::clone(&keys), line: Arc::downgrade(&line), now_ms };
    let desk = Desk {
        reader,
        keys: Arc::clone(&keys),
        outbox: Arc::clone(&outbox),
        witnesses: witnesses.map(Relay::new),
        finisher,
        reload,
        meter,
    };
    let (reads, reads_thread) = Reads::start(desk).map_err(ServeError::Start)?;
    let heavy_thread = heavy_work.start(Arc::clone(&judge), Arc::downgrade(&line), now_ms).map_err(ServeError::Start)?;

    let cell = Cell { layers: house.cell.layers(), missing: house.cell.missing() };
    let ready = Ready { log_vkey: vkey, keys: keys.descriptions(), read_only, cell };
    outbox.send(&FromKeeper::Ready(ready)).map_err(ServeError::Greeting)?;
    let limits = SpoolLimits { max_content: house.limits.max_content, total: house.limits.spool };
    let mut intake = Intake {
        judge,
        line: Arc::clone(&line),
        heavy: heavy.clone(),
        outbox,
        reads,
        spool: Spool::new(limits),
        in_flight: house.limits.in_flight,
        gate: gate.clone(),
        now_ms,
    };
    let ended = intake.run(socket);
    drop(intake);

    gate.iter().for_each(|gate| gate.close());
    line.close();
    threads.into_iter().for_each(join);
    heavy.stop();
    join(heavy_thread);
    tokens.stop();
    token_threads.into_iter().chain([reads_thread]).for_each(join);
    line.with_recorder(|recorder| recorder.end(now_ms()));
    Ok(ended?)
}

fn join(thread: std::thread::JoinHandle<()>) {
    if thread.join().is_err() {
        tracing::error!("a thread of the keeper ended by a panic; this is a fault, please report it");
    }
}

/// The wall clock, in milliseconds since 1970.
pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

//! `grpc.health.v1`: one service name for each key, and the empty name for the key host as a whole. Green means that it signs.

use crate::link::{KeeperState, Link};
use chancery_channel::{KeyDescription, KeyState, Ready, ToKeeper};
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The name of the key host as a whole.
const WHOLE: &str = "";

/// Keeps what clients are told true.
#[derive(Clone)]
pub struct Health {
    reporter: HealthReporter,
    /// The names of all keys; none comes or goes while the keeper runs.
    names: Vec<String>,
}

/// How often the keeper is asked whether it lives, and how long it may take to answer.
#[derive(Debug, Clone, Copy)]
pub struct Pulse {
    /// Time between two questions.
    pub every: Duration,
    /// A keeper that takes longer counts as hung.
    pub patience: Duration,
}

impl Health {
    /// Nothing serves yet.
    pub async fn new(reporter: HealthReporter, ready: &Ready) -> Self {
        let mut names: Vec<String> = ready.keys.iter().map(|k| k.name.to_string()).collect();
        names.dedup();
        let health = Self { reporter, names };
        health.tell(None).await;
        health
    }

    /// Follows the keeper's state until it is gone. The keeper is asked now and then, because one that hangs says nothing.
    pub async fn follow(&self, link: &Link, pulse: Pulse) {
        let (mut state, mut keys) = (link.keeper(), link.keys());
        let (beat, mut beats) = watch::channel(true);
        let asking = ask_again_and_again(link, pulse, &beat);
        let following = async {
            let mut before = KeeperState::Signing;
            loop {
                let now = state.borrow_and_update().clone();
                let alive = *beats.borrow_and_update();
                match &now {
                    KeeperState::ReadOnly(why) if before != now => tracing::error!(why, "the keeper signs nothing; reads are served"),
                    KeeperState::Signing if before != now => tracing::info!("the keeper signs again"),
                    KeeperState::ReadOnly(_) | KeeperState::Signing | KeeperState::Gone => {}
                }
                before.clone_from(&now);
                let described = keys.borrow_and_update().clone();
                self.tell((alive && now == KeeperState::Signing).then_some(&described)).await;
                if now == KeeperState::Gone {
                    return;
                }
                tokio::select! {
                    _ = state.changed() => {}
                    _ = keys.changed() => {}
                    _ = beats.changed() => {}
                }
            }
        };
        tokio::select! {
            () = asking => {}
            () = following => {}
        }
    }

    /// Nothing serves any more.
    pub async fn stop(&self) {
        self.tell(None).await;
    }

    /// Ends the streams of those who watch, which would keep their connections open.
    pub async fn forget(mut self) {
        self.reporter.clear_service_status(WHOLE).await;
        for key in &self.names {
            self.reporter.clear_service_status(key).await;
        }
    }

    /// `None` when nothing is signed; else what each key can do.
    async fn tell(&self, signing: Option<&Vec<KeyDescription>>) {
        let status = |serving| if serving { ServingStatus::Serving } else { ServingStatus::NotServing };
        let open = signing.map(|keys| open(keys, now())).unwrap_or_default();
        // Where there are keys, one of them at least must be of use.
        let any = self.names.is_empty() || open.values().any(|open| *open);
        self.reporter.set_service_status(WHOLE, status(signing.is_some() && any)).await;
        for key in &self.names {
            self.reporter.set_service_status(key, status(open.get(key.as_str()).is_some_and(|open| *open))).await;
        }
    }
}

/// Whether each key can sign: it has a version that is not retired, and all of those can.
fn open(keys: &[KeyDescription], now: u64) -> BTreeMap<&str, bool> {
    let mut open = BTreeMap::new();
    for key in keys {
        let of_name = open.entry(key.name.as_str()).or_insert(false);
        *of_name |= key.state == KeyState::Open && !key.is_retired(now);
    }
    for key in keys.iter().filter(|key| !key.is_retired(now) && key.state != KeyState::Open) {
        open.insert(key.name.as_str(), false);
    }
    open
}

/// Seconds since 1970.
fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs())
}

/// Never returns.
async fn ask_again_and_again(link: &Link, pulse: Pulse, beat: &watch::Sender<bool>) {
    let mut clock = interval(pulse.every);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        clock.tick().await;
        let alive = timeout(pulse.patience, answers(link)).await.unwrap_or(false);
        // Told each time: keys retire while nothing else changes.
        match (beat.send_replace(alive) != alive, alive) {
            (true, false) => tracing::error!("the keeper does not answer; health says NOT_SERVING until it does"),
            (true, true) => tracing::info!("the keeper answers again"),
            (false, _) => {}
        }
    }
}

/// Any answer is a sign of life.
async fn answers(link: &Link) -> bool {
    match link.call(|id| ToKeeper::Checkpoint { id }) {
        Ok(mut call) => call.answer().await.is_ok(),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_channel::KeyName;

    #[test]
    fn a_key_is_well_when_all_its_versions_are_that_still_sign() {
        use KeyState::{Locked, Open, Unreachable};
        let key = |name: &str, version, retires, state| KeyDescription {
            name: KeyName::new(name).unwrap(),
            version,
            public_key: [0; 32],
            constructions: Vec::new(),
            created: 0,
            retires,
            state,
        };
        let keys = [
            key("a", 1, Some(10), Unreachable),
            key("a", 2, None, Open),
            key("b", 1, Some(30), Unreachable),
            key("b", 2, None, Open),
            key("c", 1, Some(10), Open),
            key("d", 1, None, Locked),
        ];
        let found: Vec<(&str, bool)> = open(&keys, 20).into_iter().collect();
        assert_eq!(found, [("a", true), ("b", false), ("c", false), ("d", false)]);
    }
}

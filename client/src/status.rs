//! How a key host is doing, and whether its keys are the pinned ones.

use crate::client::Client;
use crate::error::{Error, Misbehaviour, Unreachable};
use crate::host::{checkpoint_once, keys_once};
use crate::profile::{PinnedKey, Profile};
use crate::text::printable;
use crate::wire::{self, Failure, Line, Trouble};
use crate::witness::{WitnessStatus, witnesses};
use chancery_proto::v1;
use std::time::{Duration, Instant};
use tonic::Status;
use tonic::transport::Channel;

/// What one endpoint says.
#[derive(Debug)]
pub struct EndpointStatus {
    /// The endpoint.
    pub endpoint: String,
    /// Size of the log, in entries.
    pub log_size: u64,
    /// Size of the log when it was last seen; this one is proved to be of the same history. `None` when it is seen for the first time.
    pub log_size_before: Option<u64>,
    /// How long one call took over an open connection.
    pub round_trip: Duration,
    /// The keys, beside those that are pinned.
    pub keys: Vec<KeyComparison>,
    /// The witnesses whose cosignatures stand under the newest checkpoint, and those that the profile pins.
    pub witnesses: Vec<WitnessStatus>,
    /// What the process that holds the keys gave up, as it says; `None` when it says nothing.
    pub keeper_cell: Option<Cell>,
    /// What the process that answers gave up, as it says.
    pub gateway_cell: Option<Cell>,
    /// Why the key host signs nothing just now, as it says; `None` when it signs.
    pub not_signing: Option<String>,
}

/// What a process of the key host gave up before it served. Nothing proves it: it is for the people who run the key host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The layers in force, by name.
    pub layers: Vec<String>,
    /// Those that are missing, each with the reason.
    pub missing: Vec<String>,
}

/// A key of the key host beside the pinned one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyComparison {
    /// Name.
    pub name: String,
    /// Version.
    pub version: u32,
    /// The public key that the key host shows; of a missing key, the pinned one.
    pub public_key: Vec<u8>,
    /// What the key is for.
    pub constructions: Vec<String>,
    /// From when on it signs nothing, in seconds since 1970, if the key host says so.
    pub retires: Option<u64>,
    /// Whether the key can sign now.
    pub state: KeyState,
    /// Whether it is the pinned one.
    pub verdict: KeyVerdict,
}

/// Whether a key can sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It can.
    Open,
    /// It is sealed.
    Locked,
    /// It is in a token that does not answer.
    Unreachable,
    /// The key host does not say.
    Unknown,
}

/// How a key of the key host compares with the pinned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyVerdict {
    /// The same.
    Pinned,
    /// The profile does not pin it; its signatures are not believed.
    NotPinned,
    /// The profile pins another public key under this name and version. Never so with an honest key host.
    Differs,
    /// Pinned, but the key host does not have it.
    Missing,
}

impl Client {
    /// Asks every endpoint, once each, in the order of the profile.
    ///
    /// # Errors
    /// When the newest checkpoint cannot be kept. Faults of single endpoints are in the list.
    pub async fn status(&self) -> Result<Vec<Result<EndpointStatus, Error>>, Error> {
        let mut list = Vec::new();
        for line in self.host.lines.all() {
            list.push(self.status_of(line).await);
        }
        self.save().await?;
        Ok(list)
    }

    /// Lists the keys of the key host beside the pinned ones.
    ///
    /// # Errors
    /// [`Error`] when no endpoint answers.
    pub async fn keys(&self) -> Result<Vec<KeyComparison>, Error> {
        match self.host.patience.call(&self.host.lines, keys_once).await {
            Ok((reply, _)) => Ok(compare(&self.profile, &reply.keys)),
            Err(failure) => Err(self.plain(failure)),
        }
    }

    async fn status_of(&self, line: &Line) -> Result<EndpointStatus, Error> {
        let reply = self.once(line, keys_once).await?;
        let begun = Instant::now();
        let note = self.once(line, checkpoint_once).await?;
        let round_trip = begun.elapsed();
        let seen = self.open_checkpoint(&note)?;
        let witnesses = witnesses(&self.profile, &seen.note).map_err(|error| Misbehaviour::Checkpoint(error.into()))?;
        let (log_size, log_size_before) = (seen.checkpoint.size, self.log.size().await);
        self.log.accept(seen, &self.host).await?;
        let endpoint = line.endpoint.to_string();
        let keys = compare(&self.profile, &reply.keys);
        let [keeper_cell, gateway_cell] = [reply.keeper_cell, reply.gateway_cell].map(|cell| cell.map(Cell::from));
        let not_signing = Some(printable(&reply.not_signing)).filter(|why| !why.is_empty());
        Ok(EndpointStatus { endpoint, log_size, log_size_before, round_trip, keys, witnesses, keeper_cell, gateway_cell, not_signing })
    }

    async fn once<T, F: Future<Output = Result<T, Status>>>(&self, line: &Line, call: impl FnOnce(Channel) -> F) -> Result<T, Error> {
        match tokio::time::timeout(self.host.patience.total, call(line.channel.clone())).await {
            Ok(Ok(reply)) => Ok(reply),
            Ok(Err(status)) => Err(self.plain(Failure::of(status, line, 1).explained(line).await)),
            Err(_) => {
                let endpoint = line.endpoint.to_string();
                Err(Unreachable { endpoint, trouble: Trouble::Timeout, tries: 1, source: None }.into())
            }
        }
    }

    /// Makes an error of a failure that is not about a request to sign.
    pub(crate) fn plain(&self, failure: Failure) -> Error {
        match failure {
            Failure::Unreachable(unreachable) => unreachable.into(),
            Failure::Refused { refusal, endpoint } => match wire::from_wire(refusal, &endpoint, None, self.log.key()) {
                Ok((refusal, _)) => refusal.into(),
                Err(misbehaviour) => misbehaviour.into(),
            },
        }
    }
}

impl From<v1::Cell> for Cell {
    fn from(cell: v1::Cell) -> Self {
        let [layers, missing] = [cell.layers, cell.missing].map(|list| list.iter().map(|text| printable(text)).collect());
        Self { layers, missing }
    }
}

impl KeyComparison {
    /// The misbehaviour that a different key is.
    #[must_use]
    pub fn misbehaviour(&self) -> Option<Misbehaviour> {
        (self.verdict == KeyVerdict::Differs).then(|| Misbehaviour::OtherKey { name: self.name.clone(), version: self.version })
    }
}

fn compare(profile: &Profile, keys: &[v1::Key]) -> Vec<KeyComparison> {
    let shown = keys.iter().map(|key| {
        let pinned = profile.keys().iter().find(|p| p.name == key.name && p.version == key.version);
        let verdict = match pinned {
            None => KeyVerdict::NotPinned,
            Some(p) if p.public.as_bytes().as_slice() == key.public_key.as_ref() => KeyVerdict::Pinned,
            Some(_) => KeyVerdict::Differs,
        };
        let state = match key.state() {
            v1::KeyState::Open => KeyState::Open,
            v1::KeyState::Locked => KeyState::Locked,
            v1::KeyState::Unreachable => KeyState::Unreachable,
            v1::KeyState::Unspecified => KeyState::Unknown,
        };
        KeyComparison {
            name: printable(&key.name),
            version: key.version,
            public_key: key.public_key.to_vec(),
            constructions: key.constructions.iter().map(|c| printable(c)).collect(),
            retires: key.retires,
            state,
            verdict,
        }
    });
    let missing = profile.keys().iter().filter(|p| !keys.iter().any(|k| k.name == p.name && k.version == p.version)).map(missing);
    shown.chain(missing).collect()
}

fn missing(pinned: &PinnedKey) -> KeyComparison {
    KeyComparison {
        name: pinned.name.clone(),
        version: pinned.version,
        public_key: pinned.public.as_bytes().to_vec(),
        constructions: pinned.constructions.iter().map(|c| c.name().to_owned()).collect(),
        retires: None,
        state: KeyState::Unknown,
        verdict: KeyVerdict::Missing,
    }
}

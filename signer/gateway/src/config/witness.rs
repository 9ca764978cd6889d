//! The table `[witness]`, as far as it is the gateway's: where to reach witnesses, and how often. Whose cosignatures count is the keeper's
//! to know.

use super::value::{time, witness_url};
use serde::Deserialize;
use std::time::Duration;

/// The table `[witness]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Witness {
    mode: Mode,
    /// How often the witnesses are asked, when the log has grown.
    #[serde(default = "usual_interval", deserialize_with = "time")]
    pub interval: Duration,
    // How far signing may run ahead is for the keeper to see to.
    #[serde(default, rename = "max_unwitnessed")]
    _max_unwitnessed: Option<u64>,
    /// The witnesses.
    #[serde(default, rename = "server")]
    pub servers: Vec<WitnessServer>,
}

/// A table `[[witness.server]]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessServer {
    /// Its verification key, which the keeper knows it by.
    pub vkey: String,
    /// The prefix of `/add-checkpoint`; without it publishers carry what is to be cosigned (`chancery carry`).
    #[serde(default, deserialize_with = "witness_url")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Off,
    Background,
    /// As in the background for us; the keeper waits.
    Require,
}

impl Witness {
    /// Whether anybody is to be asked.
    pub(super) fn is_on(&self) -> bool {
        self.mode != Mode::Off
    }
}

const fn usual_interval() -> Duration {
    Duration::from_secs(60)
}

//! The table `[sandbox]`, which gateway and keeper both heed.

use chancery_cell::Accepted;
use serde::{Deserialize, Deserializer, de};

/// The table `[sandbox]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Sandbox {
    /// Which layers of the cell may be missing.
    #[serde(deserialize_with = "layers")]
    pub(super) accept_missing: Accepted,
}

fn layers<'de, D: Deserializer<'de>>(from: D) -> Result<Accepted, D::Error> {
    let names = Vec::<String>::deserialize(from)?;
    Accepted::parse(names.iter().map(String::as_str)).map_err(de::Error::custom)
}

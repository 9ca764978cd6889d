//! `log` and `log_format`, which gateway and keeper both heed.

use chancery_journal::{Format, Level};
use serde::{Deserialize, Deserializer, de};

/// How much is said.
pub(super) fn level<'de, D: Deserializer<'de>>(from: D) -> Result<Level, D::Error> {
    Level::parse(&String::deserialize(from)?).map_err(de::Error::custom)
}

/// In which form.
pub(super) fn format<'de, D: Deserializer<'de>>(from: D) -> Result<Format, D::Error> {
    Format::named(&String::deserialize(from)?).ok_or_else(|| de::Error::custom("write \"text\" or \"json\""))
}

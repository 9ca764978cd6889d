//! `log` and `log_format`, which gateway and keeper both heed: how much is said, and in which form.

use crate::sheet::Sheet;
use crate::text::quote;
use chancery_journal::{Format, Level, Wanted};
use toml::de::DeTable;

/// Reads both.
pub(super) fn wanted(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Wanted {
    let mut wanted = Wanted::default();
    if let Some(word) = sheet.text(table, "log") {
        match Level::parse(word.text) {
            Ok(level) => wanted.level = level,
            Err(error) => sheet.error(word.at, error.to_string(), ""),
        }
    }
    if let Some(word) = sheet.text(table, "log_format") {
        match Format::named(word.text) {
            Some(format) => wanted.format = format,
            None => sheet.error(word.at, format!("`log_format` cannot be {}", quote(word.text)), "write \"text\" or \"json\""),
        }
    }
    wanted
}

//! The table `[sandbox]`, which gateway and keeper both heed: which layers of the cell may be missing.

use crate::sheet::Sheet;
use crate::text::quote;
use chancery_cell::{Accepted, Layer};
use toml::de::DeTable;

/// Reads the table.
pub(super) fn sandbox_table(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Accepted {
    sheet.known_fields(table, "[sandbox] has", &["accept_missing"], &[]);
    let Some(words) = sheet.texts(table, "accept_missing") else { return Accepted::default() };
    let instead = || format!("there are {}", crate::sheet::listed(&Layer::OPTIONAL.map(Layer::name)));
    for word in &words {
        if Accepted::parse([word.text]).is_err() {
            sheet.error(word.at.clone(), format!("there is no layer {} that could be missing", quote(word.text)), instead());
        }
    }
    Accepted::parse(words.iter().map(|w| w.text)).unwrap_or_default()
}

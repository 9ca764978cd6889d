//! The table `[witness]`, as far as it is the keeper's: who cosigns. Where to reach them, and how often, is the gateway's to know.

use crate::sheet::Sheet;
use crate::text::quote;
use chancery_tlog::{KeyType, VerifierKey};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// More witnesses than this are refused: each is a line of every checkpoint that is published.
const MAX_SERVERS: usize = 16;

/// Who cosigns the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// The keys of the witnesses, for cosignatures (type 0x04).
    pub keys: Vec<VerifierKey>,
    /// While the newest cosigned checkpoint is more than so many entries behind, nothing is signed; `None` for no such limit.
    pub max_unwitnessed: Option<u64>,
    /// Nothing is signed before a witness has cosigned its entry.
    pub required: bool,
}

/// Reads the table; `None` when it says that there are no witnesses.
pub(super) fn witness_table(sheet: &mut Sheet<'_>, table: &DeTable<'_>, at: Range<usize>) -> Option<Witness> {
    sheet.known_fields(table, "[witness] has", &["mode", "interval", "max_unwitnessed", "server"], &[]);
    let mode = sheet.text(table, "mode");
    let is_on = match &mode {
        Some(word) if matches!(word.text, "background" | "require") => true,
        Some(word) if word.text == "off" => false,
        Some(word) => {
            let instead =
                "write \"off\", \"background\", or \"require\"; with max_unwitnessed = N, background refuses what would be too far ahead";
            sheet.error(word.at.clone(), format!("`mode` cannot be {}", quote(word.text)), instead);
            false
        }
        None => {
            if !table.contains_key("mode") {
                sheet.error(at.clone(), "[witness] has no `mode`", "write mode = \"background\", \"require\", or \"off\"");
            }
            false
        }
    };
    let max_unwitnessed = sheet.number(table, "max_unwitnessed");
    let keys = servers(sheet, table);
    if is_on && !table.contains_key("server") {
        sheet.error(at, "[witness] names no witness", "write [[witness.server]] with vkey and url below it, or mode = \"off\"");
    }
    let required = mode.is_some_and(|word| word.text == "require");
    is_on.then_some(Witness { keys, max_unwitnessed, required })
}

fn servers(sheet: &mut Sheet<'_>, table: &DeTable<'_>) -> Vec<VerifierKey> {
    let Some(value) = table.get("server") else { return Vec::new() };
    let Some(list) = value.get_ref().as_array().filter(|list| list.iter().all(|s| s.get_ref().as_table().is_some())) else {
        sheet.error(value.span(), "`server` must be a list of tables", "write [[witness.server]] on a line of its own, for each witness");
        return Vec::new();
    };
    let mut keys: Vec<VerifierKey> = Vec::new();
    for server in list.iter() {
        let Some((key, at)) = server_key(sheet, server) else { continue };
        if keys.iter().any(|other| other.id() == key.id()) {
            sheet.error(
                at,
                format!("{} is named twice, or has the key id of another witness", quote(key.name())),
                "name each witness once",
            );
        } else if keys.len() >= MAX_SERVERS {
            sheet.error(at, format!("there are more than {MAX_SERVERS} witnesses"), "name fewer");
        } else {
            keys.push(key);
        }
    }
    keys
}

fn server_key(sheet: &mut Sheet<'_>, server: &Spanned<DeValue<'_>>) -> Option<(VerifierKey, Range<usize>)> {
    let table = server.get_ref().as_table()?;
    sheet.known_fields(table, "[[witness.server]] has", &["vkey", "url"], &[]);
    if !table.contains_key("vkey") {
        let instead = "write vkey = \"NAME+ID+KEY\", as the witness publishes it; and url = \"https://...\", unless publishers carry";
        sheet.error(server.span(), "[[witness.server]] has no `vkey`", instead);
    }
    let word = sheet.text(table, "vkey")?;
    match word.text.parse::<VerifierKey>() {
        Ok(key) if key.key_type() == KeyType::CosignatureV1 => Some((key, word.at)),
        Ok(key) => {
            let what = format!("the key of {} is not one for cosignatures (type 0x04)", quote(key.name()));
            sheet.error(word.at, what, "ask the witness for its cosignature/v1 key");
            None
        }
        Err(error) => {
            sheet.error(word.at, format!("`vkey` is no verification key: {error}"), "copy it whole from where the witness publishes it");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;
    use std::path::Path;

    const VKEY: &str = "witness.example/w1+20324abe+BCmsuuFBvMrwsi4alNNNC8c2HlJtC/4SyJeUvJMilm3X";
    const LOG_KEY: &str = "signer.example/requests+eca62d7a+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";

    fn parse(witness: &str) -> Result<Option<Witness>, String> {
        let text = format!("[keeper]\norigin = \"o\"\n{witness}");
        Config::parse(&text, "signer.toml", Path::new("/host")).map(|c| c.witness).map_err(|e| e.to_string())
    }

    fn server(vkey: &str) -> String {
        format!("[[witness.server]]\nvkey = \"{vkey}\"\nurl = \"http://localhost\"\n")
    }

    #[test]
    fn a_table_says_who_cosigns_and_how_far_ahead_signing_may_run() {
        assert_eq!(parse(""), Ok(None));
        assert_eq!(parse("[witness]\nmode = \"off\"\n"), Ok(None));
        let background = format!("[witness]\nmode = \"background\"\ninterval = \"1 min\"\nmax_unwitnessed = 7\n{}", server(VKEY));
        assert_eq!(parse(&background), Ok(Some(Witness { keys: vec![VKEY.parse().unwrap()], max_unwitnessed: Some(7), required: false })));
        assert!(parse(&background.replace("background", "require")).unwrap().unwrap().required);
    }

    #[test]
    fn every_mistake_is_told_with_its_place() {
        let (one, plain) = (server(VKEY), server(LOG_KEY));
        let cases = [
            ("[witnes]\n".to_owned(), "signer.toml:3:2: error: the configuration has no field \"witnes\"\n  write `witness` instead"),
            (format!("[witness]\n{one}"), "signer.toml:3:2: error: [witness] has no `mode`"),
            ("[witness]\nmode = \"background\"\n".to_owned(), "signer.toml:3:2: error: [witness] names no witness"),
            (format!("[witness]\nmode = \"always\"\n{one}"), "signer.toml:4:8: error: `mode` cannot be \"always\""),
            (format!("[witness]\nmode = \"off\"\nmax_unwitnesed = 1\n{one}"), "signer.toml:5:1: error: [witness] has no field"),
            (format!("[witness]\nmode = \"off\"\nmax_unwitnessed = 0\n{one}"), "signer.toml:5:19: error: `max_unwitnessed` must be"),
            (format!("[witness]\nmode = \"off\"\n{one}{one}"), "signer.toml:9:8: error: \"witness.example/w1\" is named twice"),
            (format!("[witness]\nmode = \"off\"\n{plain}"), "signer.toml:6:8: error: the key of \"signer.example/requests\" is not one"),
            (format!("[witness]\nmode = \"off\"\n{}", server("w+1+x")), "signer.toml:6:8: error: `vkey` is no verification key"),
            (format!("[witness]\nmode = \"off\"\n{one}key = 1\n"), "signer.toml:8:1: error: [[witness.server]] has no field \"key\""),
            ("[witness]\nmode = \"off\"\n[[witness.server]]\n".to_owned(), "[[witness.server]] has no `vkey`"),
            ("[witness]\nmode = \"off\"\nserver = 1\n".to_owned(), "signer.toml:5:10: error: `server` must be a list of tables"),
        ];
        for (text, told) in cases {
            let said = parse(&text).unwrap_err();
            assert!(said.contains(told), "{text}: {said}");
        }
    }
}

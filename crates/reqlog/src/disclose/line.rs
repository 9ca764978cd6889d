//! A disclosed field as one line of JSON.

use crate::details::{Disclosure, Field};
use crate::entry::Leaf;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chancery_tlog::Hash;
use serde::{Deserialize, Serialize};

/// One private field of one entry, with all that shows that it is the recorded one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// The origin of the log.
    pub log: String,
    /// The entry.
    pub index: u64,
    /// The field and its way to the commitment in the entry.
    pub disclosure: Disclosure,
}

/// A line is no disclosure. No retry helps.
#[derive(Debug, thiserror::Error)]
pub enum DisclosedError {
    /// Not JSON, or other fields than a disclosure has.
    #[error("this is not a disclosed field, as `log disclose` prints them")]
    Json(#[from] serde_json::Error),
    /// A value of another form.
    #[error("the disclosure's {0} is not what it has to be")]
    Field(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    v: u64,
    log: String,
    index: u64,
    field: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    value_base64: Option<String>,
    salt: String,
    place: u64,
    of: u64,
    proof: Vec<String>,
}

impl Disclosed {
    /// One line, without newline. Values that are not text are in `value_base64`.
    #[must_use]
    pub fn to_json(&self) -> String {
        let Disclosure { field, index, size, proof } = &self.disclosure;
        let value = field.value().unwrap_or_default();
        let text = std::str::from_utf8(value).ok().map(str::to_owned);
        let line = Line {
            v: 1,
            log: self.log.clone(),
            index: self.index,
            field: field.name().to_owned(),
            value_base64: text.is_none().then(|| STANDARD.encode(value)),
            value: text,
            salt: STANDARD.encode(field.salt().copied().unwrap_or_default()),
            place: *index,
            of: *size,
            proof: proof.iter().map(|Hash(hash)| STANDARD.encode(hash)).collect(),
        };
        // A structure of texts and numbers is always written.
        serde_json::to_string(&line).unwrap_or_default()
    }

    /// Reads a line. Whether it is true, [`Disclosed::fits`] tells.
    ///
    /// # Errors
    /// [`DisclosedError`].
    pub fn parse(line: &str) -> Result<Self, DisclosedError> {
        let line: Line = serde_json::from_str(line)?;
        if line.v != 1 {
            return Err(DisclosedError::Field("version"));
        }
        let value = match (line.value, line.value_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|_| DisclosedError::Field("value"))?,
            _ => return Err(DisclosedError::Field("value")),
        };
        let field = Field::new(&line.field, array(&line.salt, "salt")?, &value).map_err(|_| DisclosedError::Field("field"))?;
        let proof = line.proof.iter().map(|hash| array(hash, "proof").map(Hash)).collect::<Result<_, _>>()?;
        let disclosure = Disclosure { field, index: line.place, size: line.of, proof };
        Ok(Self { log: line.log, index: line.index, disclosure })
    }

    /// Whether the entry commits to this field, where its commitment to this field alone is shown too.
    #[must_use]
    pub fn fits(&self, leaf: &Leaf) -> bool {
        let field = &self.disclosure.field;
        let alone = match field.name() {
            "principal" => leaf.principal,
            "subject" => leaf.subject,
            _ => None,
        };
        alone.is_none_or(|commitment| commitment == field.commitment()) && leaf.details.is_some_and(|root| self.disclosure.verify(&root))
    }
}

fn array(text: &str, what: &'static str) -> Result<[u8; 32], DisclosedError> {
    let bytes = STANDARD.decode(text).map_err(|_| DisclosedError::Field(what))?;
    bytes.try_into().map_err(|_| DisclosedError::Field(what))
}

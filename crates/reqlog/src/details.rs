//! The private side of an entry: named values, each under its own random salt.
//!
//! A leaf shows only the *commitment* of its details: the root of an RFC 6962 tree whose leaves, sorted by field name, are
//! `u8 length | name | 32-byte salt | u32be length | value`. So one field can be shown to an auditor without the others
//! ([`Details::disclose`]), a guess of a value cannot be tested without its salt, and a field can be deleted later ([`Details::redact`])
//! while the tree, the leaf and the other fields stay verifiable.

use crate::bytes::Bytes;
use chancery_tlog::{Hash, leaf_hash, node_hash};

mod salts;

pub use salts::{Salts, SaltsError};

/// Bytes of a salt.
pub const SALT: usize = 32;

/// An entry has at most this many fields.
pub const MAX_FIELDS: usize = 64;

/// Serialised details of one entry are never longer than this, in bytes.
pub const MAX_DETAILS: usize = 1 << 20;

/// Details cannot be made, or stored bytes are not details. No retry helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DetailsError {
    /// A name is empty or longer than 255 bytes, a value too long, or there are too many fields.
    #[error("details have at most {MAX_FIELDS} fields, names of 1 to 255 bytes, and {MAX_DETAILS} bytes in all")]
    TooBig,
    /// Two fields have one name.
    #[error("two fields of the details have the same name")]
    Duplicate,
    /// There are fewer salts than fields.
    #[error("there are fewer salts than fields")]
    TooFewSalts,
    /// Stored bytes are not what [`Details::encode`] writes.
    #[error("these bytes are not the details of an entry")]
    Malformed,
}

/// The details of one entry. Fields are sorted by name, names are unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Details {
    fields: Vec<Field>,
}

/// One named value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    name: String,
    content: Content,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Content {
    Open {
        salt: [u8; SALT],
        value: Vec<u8>,
    },
    /// Salt and value were deleted; their hash remains, so that the other fields can still be proven.
    Redacted {
        commitment: Hash,
    },
}

impl Field {
    /// A field with the salt that the caller drew for it, and for it alone.
    ///
    /// # Errors
    /// [`DetailsError::TooBig`].
    pub fn new(name: &str, salt: [u8; SALT], value: &[u8]) -> Result<Self, DetailsError> {
        if name.is_empty() || name.len() > 255 || value.len() > MAX_DETAILS {
            return Err(DetailsError::TooBig);
        }
        Ok(Self { name: name.to_owned(), content: Content::Open { salt, value: value.to_owned() } })
    }

    /// The field's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The value; `None` if it was redacted.
    #[must_use]
    pub fn value(&self) -> Option<&[u8]> {
        match &self.content {
            Content::Open { value, .. } => Some(value),
            Content::Redacted { .. } => None,
        }
    }

    /// The salt; `None` if it was redacted.
    #[must_use]
    pub fn salt(&self) -> Option<&[u8; SALT]> {
        match &self.content {
            Content::Open { salt, .. } => Some(salt),
            Content::Redacted { .. } => None,
        }
    }

    /// The salted commitment to this one field: its leaf hash in the details' tree. The fields `principal` and `subject` of a
    /// [`crate::Leaf`] are the commitments of the details' fields of the same name.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        match &self.content {
            Content::Open { salt, value } => commitment(&self.name, salt, value),
            Content::Redacted { commitment } => *commitment,
        }
    }
}

fn commitment(name: &str, salt: &[u8; SALT], value: &[u8]) -> Hash {
    let mut leaf = Vec::with_capacity(name.len().saturating_add(value.len()).saturating_add(SALT).saturating_add(5));
    leaf.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    leaf.extend_from_slice(name.as_bytes());
    leaf.extend_from_slice(salt);
    leaf.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
    leaf.extend_from_slice(value);
    leaf_hash(&leaf)
}

impl Details {
    /// Makes details of named values in any order, with one salt out of `salts` for each.
    ///
    /// # Errors
    /// [`DetailsError`] but `Malformed`.
    pub fn new(values: &[(&str, &[u8])], salts: &mut Salts) -> Result<Self, DetailsError> {
        let mut fields = Vec::with_capacity(values.len());
        for (name, value) in values {
            fields.push(Field::new(name, salts.draw().ok_or(DetailsError::TooFewSalts)?, value)?);
        }
        Self::from_fields(fields)
    }

    /// Makes details of fields in any order.
    ///
    /// # Errors
    /// [`DetailsError::TooBig`], [`DetailsError::Duplicate`].
    pub fn from_fields(mut fields: Vec<Field>) -> Result<Self, DetailsError> {
        fields.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
        if fields.windows(2).any(|pair| matches!(pair, [a, b] if a.name == b.name)) {
            return Err(DetailsError::Duplicate);
        }
        let details = Self { fields };
        let too_big = details.fields.len() > MAX_FIELDS || details.encoded_length() > MAX_DETAILS;
        if too_big { Err(DetailsError::TooBig) } else { Ok(details) }
    }

    /// The fields, sorted by name.
    #[must_use]
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }

    /// The root over all fields: what the leaf's `details` holds. Without fields, the hash of the empty tree.
    #[must_use]
    pub fn commitment(&self) -> Hash {
        let leaves: Vec<Hash> = self.fields.iter().map(Field::commitment).collect();
        root(&leaves)
    }

    /// Deletes salt and value of a field; `false` if there is no such field. The commitment stays the same.
    pub fn redact(&mut self, name: &str) -> bool {
        let Some(field) = self.fields.iter_mut().find(|f| f.name == name) else { return false };
        field.content = Content::Redacted { commitment: field.commitment() };
        true
    }

    /// What to show to someone who may see this one field: it can be checked against the leaf. `None` if there is no such field or it
    /// was redacted.
    #[must_use]
    pub fn disclose(&self, name: &str) -> Option<Disclosure> {
        let index = self.fields.iter().position(|f| f.name == name)?;
        let field = self.fields.get(index)?.clone();
        field.value()?;
        let leaves: Vec<Hash> = self.fields.iter().map(Field::commitment).collect();
        Some(Disclosure { field, index: u64::try_from(index).ok()?, size: u64::try_from(leaves.len()).ok()?, proof: path(&leaves, index) })
    }

    fn encoded_length(&self) -> usize {
        let content = |f: &Field| match &f.content {
            Content::Open { value, .. } => value.len().saturating_add(SALT).saturating_add(4),
            Content::Redacted { .. } => 32,
        };
        self.fields.iter().fold(1, |sum: usize, f| sum.saturating_add(2).saturating_add(f.name.len()).saturating_add(content(f)))
    }

    /// The bytes kept in the private store: `u8 count`, and for each field `u8 tag | u8 length | name`, then
    /// `salt | u32be length | value` for tag 0 or `32-byte commitment` for tag 1 (redacted).
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.encoded_length());
        // The lengths were checked when the details were made.
        out.push(u8::try_from(self.fields.len()).unwrap_or(u8::MAX));
        for field in &self.fields {
            out.push(u8::from(matches!(field.content, Content::Redacted { .. })));
            out.push(u8::try_from(field.name.len()).unwrap_or(u8::MAX));
            out.extend_from_slice(field.name.as_bytes());
            match &field.content {
                Content::Open { salt, value } => {
                    out.extend_from_slice(salt);
                    out.extend_from_slice(&u32::try_from(value.len()).unwrap_or(u32::MAX).to_be_bytes());
                    out.extend_from_slice(value);
                }
                Content::Redacted { commitment } => out.extend_from_slice(&commitment.0),
            }
        }
        out
    }

    /// Reads what [`Details::encode`] wrote.
    ///
    /// # Errors
    /// [`DetailsError::Malformed`] for anything else.
    pub fn decode(bytes: &[u8]) -> Result<Self, DetailsError> {
        let mut bytes = Bytes::new(bytes);
        let details = Self::decode_from(&mut bytes).ok_or(DetailsError::Malformed)?;
        let sorted = details.fields.windows(2).all(|pair| matches!(pair, [a, b] if a.name.as_bytes() < b.name.as_bytes()));
        if sorted && bytes.is_empty() { Ok(details) } else { Err(DetailsError::Malformed) }
    }

    fn decode_from(bytes: &mut Bytes<'_>) -> Option<Self> {
        let count = usize::from(bytes.u8()?);
        let mut fields = Vec::with_capacity(count.min(MAX_FIELDS));
        for _ in 0..count {
            let tag = bytes.u8()?;
            let length = usize::from(bytes.u8()?);
            let name = std::str::from_utf8(bytes.take(length)?).ok().filter(|n| !n.is_empty())?.to_owned();
            let content = match tag {
                0 => Content::Open { salt: bytes.array()?, value: bytes.string32()?.to_owned() },
                1 => Content::Redacted { commitment: Hash(bytes.array()?) },
                _ => return None,
            };
            fields.push(Field { name, content });
        }
        (fields.len() <= MAX_FIELDS).then_some(Self { fields })
    }
}

/// One disclosed field and its way to the commitment in the leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosure {
    /// The field, with salt and value.
    pub field: Field,
    /// Its place among the fields.
    pub index: u64,
    /// How many fields the details have.
    pub size: u64,
    /// The sibling hashes, the field's own sibling first.
    pub proof: Vec<Hash>,
}

impl Disclosure {
    /// Whether the field belongs to the details with this commitment (the leaf's `details`).
    #[must_use]
    pub fn verify(&self, commitment: &Hash) -> bool {
        chancery_tlog::verify_inclusion(&self.field.commitment(), self.index, self.size, &self.proof, commitment).is_ok()
    }
}

/// The RFC 6962 root of a handful of leaf hashes.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Hash::EMPTY_ROOT,
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node_hash(&root(left), &root(right))
        }
    }
}

/// The RFC 6962 inclusion proof of a handful of leaf hashes.
fn path(leaves: &[Hash], index: usize) -> Vec<Hash> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut proof, sibling) = match index.checked_sub(middle) {
        None => (path(left, index), root(right)),
        Some(index) => (path(right, index), root(left)),
    };
    proof.push(sibling);
    proof
}

/// The largest power of two below a count of at least two.
fn split(count: usize) -> usize {
    count.div_ceil(2).next_power_of_two()
}

#[cfg(test)]
mod tests;

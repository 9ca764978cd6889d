//! What can be wrong with role metadata.

/// Why bytes are not the canonical JSON of a TUF role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The metadata is larger than [`super::MAX_METADATA`].
    #[error("is larger than 4 MiB")]
    Size,
    /// The bytes are not JSON, or have white space, or something behind the value.
    #[error("is not canonical JSON")]
    Syntax,
    /// A string is not UTF-8, has a control character other than a new line, or an escape other than `\"` and `\\`.
    #[error("has a string that is not in canonical form")]
    Text,
    /// A number is not an integer in 64 bits without leading zeros, or has a sign, fraction or exponent that it should not have.
    #[error("has a number that is not in canonical form")]
    Integer,
    /// The names in an object are out of order, or one of them is there twice.
    #[error("has the names of an object out of order, or one of them twice")]
    KeyOrder,
    /// Values are nested too deeply.
    #[error("nests its values too deeply")]
    Depth,
    /// There are more values than can be held.
    #[error("has more than 200000 values")]
    TooMany,
    /// A field is missing, or has a value of another type.
    #[error("lacks the field {name} or has it with another type")]
    Field {
        /// The field's name.
        name: &'static str,
    },
    /// The text does not begin with `{"_type":` and one of `root`, `timestamp`, `snapshot` and `targets`.
    #[error("does not begin with the type of a TUF role")]
    Role,
    /// The version of the specification is not 1.
    #[error("is for another version of the TUF specification than 1")]
    SpecVersion,
    /// A version or threshold is not at least 1, or a length is negative.
    #[error("has a version or threshold below 1, or a length below 0")]
    Range,
    /// The time of expiry is not a time `YYYY-MM-DDTHH:MM:SSZ` from 1970 to 9999.
    #[error("has a malformed time of expiry")]
    Expires,
    /// A key id is not up to 255 printable ASCII characters, is there twice, or names no key.
    #[error("has a key id that is malformed, twice in a role, or of no key")]
    KeyId,
    /// A role asks for more signatures than it has keys, or a root lacks one of the four roles or has one that is not TUF's.
    #[error("has a role with fewer keys than its threshold, or not the roles of TUF")]
    Roles,
    /// A timestamp is not of `snapshot.json` alone, a snapshot lacks `targets.json`, or a name does not end in `.json`.
    #[error("is not of the metadata files that its role is for")]
    MetaFiles,
    /// The name of a target or role is empty, longer than 4096 bytes, or has control characters.
    #[error("has a malformed name of a target or role")]
    Name,
    /// A digest is not in lower-case hex, has another length than its algorithm gives, or a target has none.
    #[error("has a malformed digest, or a target without one")]
    Digest,
}

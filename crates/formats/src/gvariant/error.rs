//! What can be wrong with a serialised value.

/// Bytes that are not a value in normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{fault} at byte {offset}")]
pub struct Error {
    /// What is wrong.
    pub fault: Fault,
    /// Where, in bytes from the beginning of the outermost value.
    pub offset: usize,
}

/// Why a value is not in normal form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// A value was asked for its parts that has none of that kind.
    #[error("value of another type than expected")]
    Type,
    /// A value of fixed size has another size.
    #[error("value of a wrong size")]
    Size,
    /// The bytes between two values are not zero.
    #[error("padding that is not zero")]
    Padding,
    /// A boolean is neither 0 nor 1.
    #[error("boolean that is neither 0 nor 1")]
    Boolean,
    /// A string is empty or its last byte is not zero.
    #[error("string without a terminating zero")]
    Unterminated,
    /// A string has a zero before its end.
    #[error("string with a zero inside")]
    InnerZero,
    /// A string is not UTF-8.
    #[error("string that is not UTF-8")]
    Utf8,
    /// An object path is not of the form `/a/b`.
    #[error("malformed object path")]
    ObjectPath,
    /// A string of type `g` is not a D-Bus signature.
    #[error("malformed signature string")]
    Signature,
    /// A type string is not one complete, definite type.
    #[error("malformed type string")]
    TypeString,
    /// A framing offset points outside the container, or before the offset in front of it.
    #[error("framing offset out of range")]
    Offset,
    /// The framing offsets do not fill the space between the last value and the end of the container.
    #[error("framing offsets that do not fit the container")]
    OffsetTable,
    /// The framing offsets are wider than the size of the container asks for.
    #[error("framing offsets wider than needed")]
    OffsetWidth,
    /// A variant has no type string.
    #[error("variant without a type string")]
    Variant,
    /// A maybe value does not end in the zero byte that says that it is there.
    #[error("maybe value without its trailing zero")]
    Maybe,
    /// A dictionary has one key twice.
    #[error("dictionary with the same key twice")]
    DuplicateKey,
    /// Values are nested too deeply.
    #[error("values nested too deeply")]
    Depth,
    /// The value has more parts than its size gives reason for.
    #[error("value with too many parts for its size")]
    Work,
}

impl Fault {
    pub(crate) const fn at(self, offset: usize) -> Error {
        Error { fault: self, offset }
    }
}

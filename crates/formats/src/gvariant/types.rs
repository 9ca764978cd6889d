//! Type strings.

use super::error::Fault;

/// Containers may be nested this deep, variants included. OSTree and Flatpak use eight levels.
pub const MAX_DEPTH: usize = 64;

/// The longest type string that is read, in bytes: the limit of D-Bus.
pub const MAX_TYPE: usize = 255;

/// One complete and definite GVariant type, such as `(a(s(taya{sv}))a{sv})`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Type<'a>(&'a str);

impl<'a> Type<'a> {
    /// Reads a type string.
    ///
    /// # Errors
    /// [`Fault::TypeString`] when it is not exactly one definite type, [`Fault::Depth`] when it is nested deeper than [`MAX_DEPTH`].
    pub fn parse(text: &'a str) -> Result<Self, Fault> {
        if text.len() > MAX_TYPE {
            return Err(Fault::TypeString);
        }
        match complete(text.as_bytes(), 0)? {
            [] => Ok(Self(text)),
            _ => Err(Fault::TypeString),
        }
    }

    /// The type string.
    #[must_use]
    pub const fn as_str(self) -> &'a str {
        self.0
    }

    /// The first character, which says what kind of type this is.
    pub(crate) fn kind(self) -> u8 {
        self.0.as_bytes().first().copied().unwrap_or_default()
    }

    /// The type inside `a…` and `m…`.
    pub(crate) fn element(self) -> Type<'a> {
        Type(self.0.get(1..).unwrap_or_default())
    }

    /// The types inside `(…)` and `{…}`.
    pub(crate) fn members(self) -> MemberTypes<'a> {
        let end = self.0.len().saturating_sub(1);
        MemberTypes(self.0.get(1..end).unwrap_or_default())
    }

    /// Values of this type stand at multiples of this many bytes. The alignment of a container is the largest one inside it.
    pub(crate) fn alignment(self) -> usize {
        self.0.bytes().map(basic_alignment).max().unwrap_or(1)
    }

    /// The size that every value of this type has, if there is such a size.
    pub(crate) fn fixed_size(self) -> Option<usize> {
        match self.kind() {
            b'y' | b'b' => Some(1),
            b'n' | b'q' => Some(2),
            b'i' | b'u' | b'h' => Some(4),
            b'x' | b't' | b'd' => Some(8),
            b'(' | b'{' if !self.0.bytes().any(|c| matches!(c, b'a' | b'm' | b'v' | b's' | b'o' | b'g')) => {
                let mut end = 0_usize;
                for member in self.members() {
                    end = end.checked_next_multiple_of(member.alignment())?.checked_add(member.fixed_size()?)?;
                }
                // A unit takes a byte, so that an array of units has a length.
                end.max(1).checked_next_multiple_of(self.alignment())
            }
            _ => None,
        }
    }

    /// Whether every run of bytes of the right length is a value of this type.
    pub(crate) fn any_bytes(self) -> bool {
        matches!(self.kind(), b'y' | b'n' | b'q' | b'i' | b'u' | b'h' | b'x' | b't' | b'd')
    }
}

/// The member types of a tuple or dictionary entry, from left to right.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MemberTypes<'a>(&'a str);

impl MemberTypes<'_> {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> Iterator for MemberTypes<'a> {
    type Item = Type<'a>;

    fn next(&mut self) -> Option<Type<'a>> {
        let rest = complete(self.0.as_bytes(), 0).ok()?;
        let (first, rest) = self.0.split_at_checked(self.0.len().saturating_sub(rest.len()))?;
        self.0 = rest;
        Some(Type(first))
    }
}

/// Whether `text` is a run of complete types as D-Bus knows them: what a string of type `g` holds.
pub(crate) fn is_signature(text: &str) -> bool {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        match complete(rest, 0) {
            Ok(after) => rest = after,
            Err(_) => return false,
        }
    }
    !text.contains('m')
}

fn basic_alignment(c: u8) -> usize {
    match c {
        b'n' | b'q' => 2,
        b'i' | b'u' | b'h' => 4,
        b'x' | b't' | b'd' | b'v' => 8,
        _ => 1,
    }
}

fn is_basic(c: u8) -> bool {
    matches!(c, b'b' | b'y' | b'n' | b'q' | b'i' | b'u' | b'x' | b't' | b'd' | b'h' | b's' | b'o' | b'g')
}

/// Cuts one complete type off the front and returns the rest.
fn complete(text: &[u8], depth: usize) -> Result<&[u8], Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::Depth);
    }
    let deeper = depth.saturating_add(1);
    match text {
        [b'v', rest @ ..] => Ok(rest),
        [c, rest @ ..] if is_basic(*c) => Ok(rest),
        [b'a' | b'm', rest @ ..] => complete(rest, deeper),
        [b'(', rest @ ..] => {
            let mut rest = rest;
            while !rest.starts_with(b")") {
                rest = complete(rest, deeper)?;
            }
            Ok(rest.get(1..).unwrap_or_default())
        }
        [b'{', key, rest @ ..] if is_basic(*key) => match complete(rest, deeper)? {
            [b'}', rest @ ..] => Ok(rest),
            _ => Err(Fault::TypeString),
        },
        _ => Err(Fault::TypeString),
    }
}

//! Values, and the parts of containers.

use super::check;
use super::error::{Error, Fault};
use super::frame::{framed_size, split_first, split_last, width_of};
use super::types::{MemberTypes, Type};
use std::fmt;

/// A serialised value in normal form.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Value<'a> {
    ty: Type<'a>,
    data: &'a [u8],
    offset: usize,
}

impl<'a> Value<'a> {
    /// Reads `data` as a value of type `ty`, and checks all of it.
    ///
    /// # Errors
    /// When it is not in normal form. The offset is that of the value or byte at fault.
    pub fn parse(ty: Type<'a>, data: &'a [u8]) -> Result<Self, Error> {
        let value = Self { ty, data, offset: 0 };
        check::normal(value)?;
        Ok(value)
    }

    /// Like [`Value::parse`]; a dictionary with the same key twice is refused as well, at any depth. Readers disagree about such a
    /// dictionary (GLib takes the first, others the last), so it must not be signed.
    ///
    /// # Errors
    /// Those of [`Value::parse`], and [`Fault::DuplicateKey`].
    pub fn parse_unique_keys(ty: Type<'a>, data: &'a [u8]) -> Result<Self, Error> {
        let value = Self { ty, data, offset: 0 };
        check::normal_with_unique_keys(value)?;
        Ok(value)
    }

    /// The value's type.
    #[must_use]
    pub const fn ty(self) -> Type<'a> {
        self.ty
    }

    /// The serialised bytes.
    #[must_use]
    pub const fn data(self) -> &'a [u8] {
        self.data
    }

    /// Where the value begins, in bytes from the beginning of the outermost value.
    #[must_use]
    pub const fn offset(self) -> usize {
        self.offset
    }

    /// The text of a string (`s`, `o` or `g`); `None` for other types.
    #[must_use]
    pub fn as_str(self) -> Option<&'a str> {
        if !matches!(self.ty.kind(), b's' | b'o' | b'g') {
            return None;
        }
        self.data.split_last().and_then(|(_, text)| std::str::from_utf8(text).ok())
    }

    /// The bytes of an `ay`; `None` for other types.
    #[must_use]
    pub fn as_bytes(self) -> Option<&'a [u8]> {
        (self.ty.as_str() == "ay").then_some(self.data)
    }

    /// A `t` that was written little-endian, as all numbers are on the machines that OSTree repositories are made on; `None` for other types.
    #[must_use]
    pub fn as_u64_le(self) -> Option<u64> {
        self.as_u64_bytes().map(u64::from_le_bytes)
    }

    /// A `t` that the writer swapped to big-endian by hand, as OSTree does with times; `None` for other types.
    #[must_use]
    pub fn as_u64_be(self) -> Option<u64> {
        self.as_u64_bytes().map(u64::from_be_bytes)
    }

    fn as_u64_bytes(self) -> Option<[u8; 8]> {
        if self.ty.kind() == b't' { self.data.try_into().ok() } else { None }
    }

    /// The value inside a variant.
    ///
    /// # Errors
    /// When this is not a variant with a type string and a value of the right size.
    pub fn inner(self) -> Result<Value<'a>, Error> {
        let split = self.data.iter().rposition(|b| *b == 0).filter(|_| self.ty.kind() == b'v');
        let (data, rest) = split.and_then(|at| self.data.split_at_checked(at)).ok_or(Fault::Variant.at(self.offset))?;
        let at_type = self.offset.saturating_add(data.len()).saturating_add(1);
        let text = std::str::from_utf8(rest.get(1..).unwrap_or_default()).map_err(|_| Fault::TypeString.at(at_type))?;
        let ty = Type::parse(text).map_err(|fault| fault.at(at_type))?;
        Ok(Value { ty, data, offset: self.offset })
    }

    /// The value inside a maybe, if there is one.
    ///
    /// # Errors
    /// When this is not a maybe, or its trailing byte is wrong.
    pub(crate) fn just(self) -> Result<Option<Value<'a>>, Error> {
        if self.ty.kind() != b'm' {
            return Err(Fault::Type.at(self.offset));
        }
        let ty = self.ty.element();
        let data = match (self.data, ty.fixed_size()) {
            ([], _) => return Ok(None),
            (data, Some(_)) => data,
            ([data @ .., 0], None) => data,
            _ => return Err(Fault::Maybe.at(self.offset)),
        };
        Ok(Some(Value { ty, data, offset: self.offset }))
    }

    /// The elements of an array.
    ///
    /// # Errors
    /// When this is not an array, or its framing as a whole is wrong.
    pub fn items(self) -> Result<Items<'a>, Error> {
        Items::new(self)
    }

    /// The members of a tuple or dictionary entry.
    ///
    /// # Errors
    /// When this is neither.
    pub fn members(self) -> Result<Members<'a>, Error> {
        if !matches!(self.ty.kind(), b'(' | b'{') {
            return Err(Fault::Type.at(self.offset));
        }
        let types = self.ty.members();
        Ok(Members { whole: self, types, front: 0, table: self.data, width: width_of(self.data.len()), offsets: 0, done: false })
    }

    /// The part of this value from `start` to `end`, as a value of type `ty`, after padding from `front`.
    fn part(self, ty: Type<'a>, front: usize, end: usize) -> Result<Value<'a>, Error> {
        let start = front.next_multiple_of(ty.alignment());
        let place = self.offset.saturating_add(front);
        let padding = self.data.get(front..start).ok_or(Fault::Offset.at(place))?;
        let data = self.data.get(start..end).ok_or(Fault::Offset.at(place))?;
        if padding.iter().any(|b| *b != 0) {
            return Err(Fault::Padding.at(place));
        }
        Ok(Value { ty, data, offset: self.offset.saturating_add(start) })
    }
}

/// Without the bytes, which may be many and are not ours to print.
impl fmt::Debug for Value<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} bytes at byte {}", self.ty.as_str(), self.data.len(), self.offset)
    }
}

/// The elements of an array. Each item is an error when the array's framing is wrong, which it never is after [`Value::parse`].
#[derive(Clone)]
pub struct Items<'a> {
    whole: Value<'a>,
    element: Type<'a>,
    fixed: Option<usize>,
    front: usize,
    body: usize,
    table: &'a [u8],
    width: usize,
}

impl<'a> Items<'a> {
    fn new(whole: Value<'a>) -> Result<Self, Error> {
        if whole.ty.kind() != b'a' {
            return Err(Fault::Type.at(whole.offset));
        }
        let (element, size) = (whole.ty.element(), whole.data.len());
        let fixed = element.fixed_size();
        let mut items = Self { whole, element, fixed, front: 0, body: size, table: &[], width: width_of(size) };
        match fixed {
            Some(each) if size.checked_rem(each) != Some(0) => return Err(Fault::Size.at(whole.offset)),
            None if size > 0 => items.find_table()?,
            _ => {}
        }
        Ok(items)
    }

    /// The last framing offset says where the table of offsets begins.
    fn find_table(&mut self) -> Result<(), Error> {
        let (data, end) = (self.whole.data, self.whole.offset.saturating_add(self.whole.data.len()));
        let wrong = |fault: Fault| fault.at(end.saturating_sub(self.width));
        let (_, body) = split_last(data, self.width).ok_or(wrong(Fault::Offset))?;
        let table = data.get(body..).ok_or(wrong(Fault::Offset))?;
        let count = table.len().checked_div(self.width).filter(|n| *n > 0).ok_or(wrong(Fault::OffsetTable))?;
        if table.len().checked_rem(self.width) != Some(0) {
            return Err(wrong(Fault::OffsetTable));
        }
        if framed_size(body, count) != Some(data.len()) {
            return Err(wrong(Fault::OffsetWidth));
        }
        (self.body, self.table) = (body, table);
        Ok(())
    }

    fn step(&mut self) -> Result<Value<'a>, Error> {
        let end = match self.fixed {
            Some(size) => self.front.saturating_add(size),
            None => {
                let place = self.whole.offset.saturating_add(self.whole.data.len()).saturating_sub(self.table.len());
                let (end, rest) = split_first(self.table, self.width).ok_or(Fault::OffsetTable.at(place))?;
                self.table = rest;
                if end > self.body {
                    return Err(Fault::Offset.at(place));
                }
                end
            }
        };
        let value = self.whole.part(self.element, self.front, end)?;
        self.front = end;
        Ok(value)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<Value<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let done = match self.fixed {
            Some(_) => self.front >= self.body,
            None => self.table.is_empty(),
        };
        if done {
            return None;
        }
        let step = self.step();
        if step.is_err() {
            (self.front, self.table) = (self.body, &[]);
        }
        Some(step)
    }
}

/// The members of a tuple. Each is an error when the tuple's framing is wrong, which it never is after [`Value::parse`].
#[derive(Clone)]
pub struct Members<'a> {
    whole: Value<'a>,
    types: MemberTypes<'a>,
    /// Where the next member may begin.
    front: usize,
    /// The bytes before the framing offsets that have been used, which stand at the end, last member first.
    table: &'a [u8],
    width: usize,
    offsets: usize,
    done: bool,
}

impl<'a> Members<'a> {
    fn step(&mut self, ty: Type<'a>) -> Result<Value<'a>, Error> {
        let last = self.types.is_empty();
        let end = match ty.fixed_size() {
            Some(size) => self.front.next_multiple_of(ty.alignment()).saturating_add(size),
            None if last => self.table.len(),
            None => {
                let place = self.whole.offset.saturating_add(self.table.len());
                let (rest, end) = split_last(self.table, self.width).ok_or(Fault::Offset.at(place))?;
                self.table = rest;
                self.offsets = self.offsets.saturating_add(1);
                end
            }
        };
        let value = self.whole.part(ty, self.front, end)?;
        self.front = end;
        Ok(value)
    }

    /// Nothing may stand between the last member and the framing offsets, save the padding of a tuple of fixed size.
    fn finish(&self) -> Result<(), Error> {
        let place = self.whole.offset.saturating_add(self.front);
        let rest = self.table.get(self.front..).ok_or(Fault::Offset.at(place))?;
        if let Some(size) = self.whole.ty.fixed_size() {
            return match (self.whole.data.len() == size, rest.iter().all(|b| *b == 0)) {
                (false, _) => Err(Fault::Size.at(self.whole.offset)),
                (true, false) => Err(Fault::Padding.at(place)),
                (true, true) => Ok(()),
            };
        }
        if !rest.is_empty() {
            return Err(Fault::OffsetTable.at(place));
        }
        if framed_size(self.front, self.offsets) != Some(self.whole.data.len()) {
            return Err(Fault::OffsetWidth.at(place));
        }
        Ok(())
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Result<Value<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.done {
            return None;
        }
        let Some(ty) = self.types.next() else {
            self.done = true;
            return self.finish().err().map(Err);
        };
        let step = self.step(ty);
        self.done = step.is_err();
        Some(step)
    }
}

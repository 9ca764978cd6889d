//! Reading length-prefixed bytes without ever indexing past the end.

/// What is left of a byte string that is being read. Every method returns `None`, and takes nothing, if too little is left.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bytes<'a> {
    rest: &'a [u8],
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (taken, rest) = self.rest.split_first_chunk::<N>()?;
        self.rest = rest;
        Some(*taken)
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A `u16be length | bytes` string.
    pub(crate) fn string16(&mut self) -> Option<&'a [u8]> {
        let mut at = *self;
        let length = at.u16()?;
        let taken = at.take(usize::from(length))?;
        *self = at;
        Some(taken)
    }

    /// A `u32be length | bytes` string.
    pub(crate) fn string32(&mut self) -> Option<&'a [u8]> {
        let mut at = *self;
        let length = usize::try_from(at.u32()?).ok()?;
        let taken = at.take(length)?;
        *self = at;
        Some(taken)
    }
}

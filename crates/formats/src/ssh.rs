//! How SSH writes strings (RFC 4251 section 5), and Ed25519 keys and signatures in them (RFC 8709).

/// OpenSSH's name for Ed25519 keys and signatures.
pub(crate) const ED25519: &str = "ssh-ed25519";

/// Appends a string: its length in 32 bits, big-endian, and its bytes.
pub(crate) fn put_string(out: &mut Vec<u8>, bytes: &[u8]) {
    // Nothing that we write comes near 4 GiB.
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(bytes);
}

/// An Ed25519 key or signature: the type's name and the bytes, each as a string.
pub(crate) fn encode_ed25519(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_string(&mut out, ED25519.as_bytes());
    put_string(&mut out, bytes);
    out
}

/// Reads [`encode_ed25519`]; `None` for everything else.
pub(crate) fn decode_ed25519<const N: usize>(bytes: &[u8]) -> Option<[u8; N]> {
    let mut reader = Reader::new(bytes);
    let (name, body) = (reader.string()?, reader.string()?);
    if name == ED25519.as_bytes() && reader.is_at_end() { body.try_into().ok() } else { None }
}

/// Reads one field after the other. `None` means that the bytes end too early.
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    /// Where the next field begins.
    pub(crate) const fn offset(&self) -> usize {
        self.length.saturating_sub(self.rest.len())
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    pub(crate) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count)?;
        self.rest = rest;
        Some(taken)
    }

    pub(crate) fn string(&mut self) -> Option<&'a [u8]> {
        let length = u32::from_be_bytes(self.take(4)?.try_into().ok()?);
        self.take(usize::try_from(length).ok()?)
    }
}

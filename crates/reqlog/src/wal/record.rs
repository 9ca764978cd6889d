//! One record: a batch of entries, the checkpoint after it, and the entries' private details.
//!
//! ```text
//! u32be body length | body | SHA-256(hash of the record before || body)
//! u32be private length | private | first 8 bytes of SHA-256(private)
//! body    = u32be count | count * (u16be length | entry) | signed checkpoint note
//! private = count * (u32be length | details), or nothing at all once it was redacted
//! ```
//! The private part is made durable by the same fdatasync but stands outside the hash chain, so that it can be deleted later without
//! breaking the proof of anything else.

use crate::bytes::Bytes;
use crate::log::NewEntry;
use sha2::{Digest as _, Sha256};

pub(crate) type RecordHash = [u8; 32];

/// An entry's leaf is never longer than this, in bytes (C2SP tlog-tiles: its length is a u16).
pub(crate) const MAX_ENTRY: usize = 65_535;

/// Neither part of a record is longer than this, in bytes: what reading back one record may cost in memory.
pub(crate) const MAX_PART: usize = 32 << 20;

const LENGTH: usize = 4;
const HASH: usize = 32;
const CHECK: usize = 8;

/// How long the record of a batch will be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sizes {
    body: usize,
    private: usize,
}

impl Sizes {
    /// `None` if an entry or a part is longer than a record can hold.
    pub(crate) fn of(entries: &[NewEntry], note: &str) -> Option<Self> {
        let mut sizes = Self { body: LENGTH.checked_add(note.len())?, private: 0 };
        for entry in entries {
            if entry.leaf.len() > MAX_ENTRY {
                return None;
            }
            sizes.body = sizes.body.checked_add(2)?.checked_add(entry.leaf.len())?;
            sizes.private = sizes.private.checked_add(LENGTH)?.checked_add(entry.details.len())?;
        }
        (sizes.body <= MAX_PART && sizes.private <= MAX_PART).then_some(sizes)
    }

    /// The whole record, in bytes.
    pub(crate) fn record(self) -> u64 {
        // Both parts are at most MAX_PART, so the sum is far below the type's limit.
        let frame = LENGTH.saturating_mul(2).saturating_add(HASH).saturating_add(CHECK);
        u64::try_from(self.body.saturating_add(self.private).saturating_add(frame)).unwrap_or(u64::MAX)
    }
}

/// Writes the record of a batch into `out` (emptied first) and returns its hash and its framed entries, which are also the bytes of
/// an entry bundle.
pub(crate) fn encode<'o>(
    out: &'o mut Vec<u8>,
    sizes: Sizes,
    entries: &[NewEntry],
    note: &str,
    previous: &RecordHash,
) -> (RecordHash, &'o [u8]) {
    let length = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).to_be_bytes();
    out.clear();
    out.extend_from_slice(&length(sizes.body));
    out.extend_from_slice(&length(entries.len()));
    let framed_from = out.len();
    for entry in entries {
        // `Sizes::of` refused longer entries; a bundle frames them in the same way.
        let _ = chancery_tlog::push_entry(out, &entry.leaf);
    }
    let framed_to = out.len();
    out.extend_from_slice(note.as_bytes());
    let hash = record_hash(previous, out.get(LENGTH..).unwrap_or_default());
    out.extend_from_slice(&hash);
    out.extend_from_slice(&length(sizes.private));
    let private_from = out.len();
    for entry in entries {
        out.extend_from_slice(&length(entry.details.len()));
        out.extend_from_slice(&entry.details);
    }
    let check = private_check(out.get(private_from..).unwrap_or_default());
    out.extend_from_slice(&check);
    (hash, out.get(framed_from..framed_to).unwrap_or_default())
}

pub(crate) fn record_hash(previous: &RecordHash, body: &[u8]) -> RecordHash {
    Sha256::new().chain_update(previous).chain_update(body).finalize().into()
}

pub(crate) fn private_check(private: &[u8]) -> [u8; CHECK] {
    let hash: [u8; 32] = Sha256::digest(private).into();
    hash.first_chunk().copied().unwrap_or_default()
}

/// Where the parts of a record end, as far as its length fields say; nothing is verified.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) body: &'a [u8],
    pub(crate) hash: RecordHash,
    pub(crate) private: &'a [u8],
    pub(crate) check: [u8; CHECK],
    /// The whole record, in bytes.
    pub(crate) length: usize,
}

/// What stands at a place where a record may begin.
#[derive(Debug)]
pub(crate) enum Framing<'a> {
    Record(Frame<'a>),
    /// A length of zero: no record begins here.
    End,
    /// At least this many bytes are needed to see the whole record.
    Needs(usize),
    /// A length beyond what is ever written.
    Implausible,
}

pub(crate) fn frame(bytes: &[u8]) -> Framing<'_> {
    let mut at = Bytes::new(bytes);
    let Some(body_length) = part(&mut at) else { return Framing::Needs(LENGTH) };
    if body_length == 0 {
        return Framing::End;
    }
    if body_length > MAX_PART {
        return Framing::Implausible;
    }
    // All lengths are at most MAX_PART here, so no sum below can saturate.
    let to_private = LENGTH.saturating_add(body_length).saturating_add(HASH).saturating_add(LENGTH);
    let (Some(body), Some(hash), Some(private_length)) = (at.take(body_length), at.array(), part(&mut at)) else {
        return Framing::Needs(to_private);
    };
    if private_length > MAX_PART {
        return Framing::Implausible;
    }
    let length = to_private.saturating_add(private_length).saturating_add(CHECK);
    match (at.take(private_length), at.array()) {
        (Some(private), Some(check)) => Framing::Record(Frame { body, hash, private, check, length }),
        _ => Framing::Needs(length),
    }
}

fn part(at: &mut Bytes<'_>) -> Option<usize> {
    at.u32().and_then(|n| usize::try_from(n).ok())
}

/// The parts of a body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body<'a> {
    pub(crate) entries: Entries<'a>,
    pub(crate) note: &'a str,
}

impl<'a> Body<'a> {
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let mut at = Bytes::new(body);
        let count = at.u32().filter(|n| *n > 0)?;
        let start = at.rest();
        for _ in 0..count {
            at.string16()?;
        }
        let framed = start.get(..start.len().checked_sub(at.rest().len())?)?;
        Some(Self { entries: Entries { count, framed: Bytes::new(framed) }, note: std::str::from_utf8(at.rest()).ok()? })
    }
}

/// The leaves of a record, in order.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entries<'a> {
    count: u32,
    framed: Bytes<'a>,
}

impl<'a> Entries<'a> {
    pub(crate) fn number(&self) -> u64 {
        u64::from(self.count)
    }

    /// All of them as `u16be length | entry`: the bytes of an entry bundle.
    pub(crate) fn framed(&self) -> &'a [u8] {
        self.framed.rest()
    }
}

impl<'a> Iterator for Entries<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.framed.string16()
    }
}

/// The details of a record's entries, in order; nothing if they were redacted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Private<'a> {
    rest: Bytes<'a>,
}

impl<'a> Private<'a> {
    /// `None` unless the bytes are the details of `count` entries, or were redacted.
    pub(crate) fn parse(private: &'a [u8], count: u64) -> Option<Self> {
        let mut at = Bytes::new(private);
        if !at.is_empty() {
            for _ in 0..count {
                at.string32()?;
            }
        }
        at.is_empty().then_some(Self { rest: Bytes::new(private) })
    }
}

impl<'a> Iterator for Private<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.rest.string32()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(leaf: &[u8], details: &[u8]) -> NewEntry {
        NewEntry { leaf: leaf.to_vec(), details: details.to_vec() }
    }

    fn record(entries: &[NewEntry], note: &str) -> (Vec<u8>, RecordHash) {
        let mut out = b"left over from before".to_vec();
        let sizes = Sizes::of(entries, note).unwrap();
        let (hash, _) = encode(&mut out, sizes, entries, note, &[7; 32]);
        assert_eq!(u64::try_from(out.len()).unwrap(), sizes.record());
        (out, hash)
    }

    #[test]
    fn the_bytes_are_those_of_the_documented_layout() {
        let (bytes, hash) = record(&[entry(b"ab", b"xyz"), entry(b"", b"")], "note\n");
        let body = b"\0\0\0\x02\0\x02ab\0\0note\n";
        let chained = Sha256::digest([&[7; 32][..], body].concat());
        assert_eq!(hash, chained.as_slice());
        let private = b"\0\0\0\x03xyz\0\0\0\0";
        let check = &Sha256::digest(private)[..8];
        let wanted = [b"\0\0\0\x0f", body.as_slice(), &hash, b"\0\0\0\x0b", private, check].concat();
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn a_record_reads_back() {
        let (bytes, hash) = record(&[entry(b"ab", b"xyz"), entry(b"", b"")], "note\n");
        let longer = [bytes.as_slice(), b"next"].concat();
        let Framing::Record(frame) = frame(&longer) else { panic!("no record") };
        assert_eq!((frame.length, frame.hash), (bytes.len(), hash));
        let body = Body::parse(frame.body).unwrap();
        assert_eq!(body.note, "note\n");
        assert_eq!(body.entries.collect::<Vec<_>>(), [b"ab".as_slice(), b""]);
        assert_eq!(Private::parse(frame.private, 2).unwrap().collect::<Vec<_>>(), [b"xyz".as_slice(), b""]);
        assert!(Private::parse(frame.private, 3).is_none());
        assert_eq!(Private::parse(b"", 3).unwrap().count(), 0);
    }

    #[test]
    fn a_cut_record_says_how_much_is_needed() {
        let (bytes, _) = record(&[entry(b"ab", b"xyz")], "note\n");
        for cut in 0..bytes.len() {
            let Framing::Needs(needs) = frame(&bytes[..cut]) else { panic!("cut at {cut}") };
            assert!(needs > cut && needs <= bytes.len());
        }
    }

    #[test]
    fn absurd_lengths_are_no_records() {
        assert!(matches!(frame(&[0; 64]), Framing::End));
        assert!(matches!(frame(&[0xff; 64]), Framing::Implausible));
        assert!(Body::parse(b"\xff\xff\xff\xff").is_none());
        assert!(Body::parse(b"\0\0\0\0note").is_none());
        assert!(Sizes::of(&[entry(&[0; MAX_ENTRY + 1], b"")], "").is_none());
        assert!(Sizes::of(&[entry(b"", &vec![0; MAX_PART])], "").is_none());
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_do_not_panic(mut bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300), small: bool) {
            if small {
                // Plausible lengths lead further into the record.
                bytes.iter_mut().take(3).for_each(|b| *b = 0);
            }
            if let Framing::Record(frame) = frame(&bytes) {
                let body = Body::parse(frame.body);
                let _ = Private::parse(frame.private, body.map_or(3, |b| b.entries.number())).map(Iterator::count);
            }
            let key = crate::testing::Key::new(crate::testing::ORIGIN).verifier;
            let place = super::super::Place { offset: 7, chain: &[0; 32], size: 0, key: &key };
            super::super::classify(&bytes, place);
        }
    }
}

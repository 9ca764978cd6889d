//! The header of a segment.
//!
//! `"chancery-wal" | u32be version | u16be length | origin | u64be first index | 32-byte hash of the record before | u8 count | peaks |
//! SHA-256 of all that`. The peaks are those of the tree of all entries before this segment, so that start-up needs only the newest
//! segment; they are checked by the signed root in the segment's first record.

use super::record::RecordHash;
use crate::bytes::Bytes;
use chancery_tlog::{Edge, Hash};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 12] = b"chancery-wal";
const VERSION: u32 = 1;

/// A header is never longer than this, in bytes: origin of up to 1,024, 63 peaks.
pub(crate) const MAX_HEADER: usize = 4096;

/// An origin is never longer than this, in bytes.
pub(crate) const MAX_ORIGIN: usize = 1024;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) origin: String,
    /// The hash of the last record before this segment; zeros in the first.
    pub(crate) previous: RecordHash,
    /// The tree of all entries before this segment; its size is the index of the segment's first entry.
    pub(crate) edge: Edge,
}

/// The start of a segment file is not a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    /// The file does not begin like a segment.
    #[error("the file does not begin like a segment of a request log")]
    Magic,
    /// A later version of this program wrote it.
    #[error("the segment has version {0}; this program reads version 1 only, a newer one is needed")]
    Version(u32),
    /// Cut off, or the checksum does not fit.
    #[error("the segment's header is damaged")]
    Damaged,
}

impl Header {
    pub(crate) fn first(&self) -> u64 {
        self.edge.size()
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(MAX_HEADER);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_be_bytes());
        // Origins are held to MAX_ORIGIN when a log is opened; a tree has at most 64 peaks.
        out.extend_from_slice(&u16::try_from(self.origin.len()).unwrap_or(u16::MAX).to_be_bytes());
        out.extend_from_slice(self.origin.as_bytes());
        out.extend_from_slice(&self.first().to_be_bytes());
        out.extend_from_slice(&self.previous);
        out.push(u8::try_from(self.edge.peaks().len()).unwrap_or(u8::MAX));
        self.edge.peaks().iter().for_each(|peak| out.extend_from_slice(&peak.0));
        let check = Sha256::digest(&out);
        out.extend_from_slice(&check);
        out
    }

    /// Reads a header from the first bytes of a file; also says how many bytes it takes.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut at = Bytes::new(bytes);
        if at.take(MAGIC.len()) != Some(MAGIC) {
            return Err(HeaderError::Magic);
        }
        match at.u32() {
            Some(VERSION) => {}
            Some(version) => return Err(HeaderError::Version(version)),
            None => return Err(HeaderError::Damaged),
        }
        let header = Self::decode_rest(&mut at).ok_or(HeaderError::Damaged)?;
        let covered = bytes.len().saturating_sub(at.rest().len());
        let check: [u8; 32] = at.array().ok_or(HeaderError::Damaged)?;
        let right = bytes.get(..covered).is_some_and(|b| Sha256::digest(b).as_slice() == check);
        if right { Ok((header, covered.saturating_add(check.len()))) } else { Err(HeaderError::Damaged) }
    }

    fn decode_rest(at: &mut Bytes<'_>) -> Option<Self> {
        let origin = std::str::from_utf8(at.string16()?).ok()?.to_owned();
        let first = at.u64()?;
        let previous = at.array()?;
        let count = at.u8()?;
        let peaks = (0..count).map(|_| at.array().map(Hash)).collect::<Option<Vec<_>>>()?;
        Some(Self { origin, previous, edge: Edge::from_peaks(first, peaks).ok()? })
    }

    /// What the first record of the segment is chained to: it covers origin and header.
    pub(crate) fn chain_start(&self) -> RecordHash {
        Sha256::new().chain_update(&self.origin).chain_update(self.encode()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(size: u64) -> Header {
        let peaks = (0..size.count_ones()).map(|i| Hash([u8::try_from(i).unwrap(); 32])).collect();
        Header { origin: "signer.example/requests".into(), previous: [9; 32], edge: Edge::from_peaks(size, peaks).unwrap() }
    }

    #[test]
    fn a_header_reads_back_and_fits_the_page_kept_for_it() {
        for size in [0, 1, 7, 1 << 40, (1 << 62) - 1] {
            let mut header = header(size);
            header.origin = "o".repeat(MAX_ORIGIN);
            let mut bytes = header.encode();
            let length = bytes.len();
            assert!(length <= MAX_HEADER);
            bytes.extend_from_slice(b"records");
            assert_eq!(Header::decode(&bytes), Ok((header, length)));
        }
    }

    #[test]
    fn no_damage_goes_unseen() {
        let good = header(5).encode();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            assert!(Header::decode(&bad).is_err(), "byte {at}");
            assert!(Header::decode(&good[..at]).is_err(), "cut at {at}");
        }
        let mut newer = good;
        newer[15] = 2;
        assert_eq!(Header::decode(&newer), Err(HeaderError::Version(2)));
    }
}

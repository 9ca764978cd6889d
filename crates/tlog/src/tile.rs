//! Tiles and entry bundles (C2SP tlog-tiles): the log as static files.

use crate::checkpoint::decimal;
use crate::hash::Hash;
use std::fmt;
use std::str::FromStr;

/// Hashes or entries of a full tile or bundle.
pub const TILE_WIDTH: u16 = 256;
const WIDTH_BITS: u32 = 8;
const MAX_LEVEL: u8 = 63;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TileLevel {
    /// Hashes of subtrees of `256^level` leaves, level 0 to 63.
    Hashes(u8),
    /// The entries themselves.
    Entries,
}

/// Name of a tile: `tile/<level>/<index>[.p/<width>]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TilePath {
    /// What it holds.
    pub level: TileLevel,
    /// Which one of its level.
    pub index: u64,
    /// How many hashes or entries: 1 to 256.
    pub width: u16,
}

/// Not the path of a tile, in its one canonical form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not the path of a tile; tile/0/x001/234 and tile/entries/000.p/7 are")]
pub struct TilePathError;

/// Why the bytes of a tile or a bundle were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TileError {
    /// Not 32 bytes for each hash.
    #[error("the tile has {found} bytes, not {wanted}")]
    Length {
        /// Bytes found.
        found: usize,
        /// Bytes that a tile of this width has.
        wanted: usize,
    },
    /// An entry's length goes beyond the end, or bytes are left over.
    #[error("the entry bundle is cut off or has bytes left over after entry {0}")]
    Bundle(usize),
    /// More or fewer entries than the path says.
    #[error("the entry bundle has {found} entries, not {wanted}")]
    Entries {
        /// Entries found.
        found: usize,
        /// Entries that the path says.
        wanted: u16,
    },
}

impl FromStr for TilePath {
    type Err = TilePathError;
    fn from_str(s: &str) -> Result<Self, TilePathError> {
        let path = parse(s).ok_or(TilePathError)?;
        if path.to_string() == s { Ok(path) } else { Err(TilePathError) }
    }
}

fn parse(s: &str) -> Option<TilePath> {
    let (level, rest) = s.strip_prefix("tile/")?.split_once('/')?;
    let level = match level {
        "entries" => TileLevel::Entries,
        n => TileLevel::Hashes(u8::try_from(decimal(n)?).ok().filter(|n| *n <= MAX_LEVEL)?),
    };
    let (rest, width) = match rest.split_once(".p/") {
        Some((rest, width)) => (rest, u16::try_from(decimal(width)?).ok().filter(|w| (1..TILE_WIDTH).contains(w))?),
        None => (rest, TILE_WIDTH),
    };
    let index = rest.split('/').try_fold(0_u64, |n, group| {
        let digits = group.strip_prefix('x').unwrap_or(group);
        let group: u64 = (digits.len() == 3 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())??;
        n.checked_mul(1000)?.checked_add(group)
    })?;
    Some(TilePath { level, index, width })
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            TileLevel::Hashes(n) => write!(f, "tile/{n}/")?,
            TileLevel::Entries => f.write_str("tile/entries/")?,
        }
        let mut groups = Vec::new();
        let mut n = self.index;
        loop {
            groups.push(n % 1000);
            n /= 1000;
            if n == 0 {
                break;
            }
        }
        for (left, group) in groups.iter().enumerate().rev() {
            if left > 0 { write!(f, "x{group:03}/")? } else { write!(f, "{group:03}")? }
        }
        if self.width < TILE_WIDTH { write!(f, ".p/{}", self.width) } else { Ok(()) }
    }
}

/// All tiles of a tree of `new` leaves that a tree of `old` leaves does not have, bundles first, each level in order.
pub fn new_tiles(old: u64, new: u64) -> impl Iterator<Item = TilePath> {
    let bundles = level_tiles(TileLevel::Entries, old, new);
    let hashes = (0..8_u8).flat_map(move |level| {
        let shift = u32::from(level).saturating_mul(8);
        level_tiles(TileLevel::Hashes(level), old >> shift, new >> shift)
    });
    bundles.chain(hashes)
}

/// All tiles of a tree of `size` leaves.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TilePath> {
    new_tiles(0, size)
}

fn level_tiles(level: TileLevel, old: u64, new: u64) -> impl Iterator<Item = TilePath> {
    let full = (old >> WIDTH_BITS..new >> WIDTH_BITS).map(move |index| TilePath { level, index, width: TILE_WIDTH });
    let left = u16::try_from(new & u64::from(TILE_WIDTH).saturating_sub(1)).ok().filter(|left| *left > 0 && new > old);
    full.chain(left.map(move |width| TilePath { level, index: new >> WIDTH_BITS, width }))
}

/// Reads the hashes of a tile.
///
/// # Errors
/// [`TileError::Length`].
pub fn decode_tile(data: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let wanted = usize::from(width).saturating_mul(32);
    if data.len() != wanted {
        return Err(TileError::Length { found: data.len(), wanted });
    }
    Ok(data.as_chunks::<32>().0.iter().map(|h| Hash(*h)).collect())
}

/// Writes the hashes of a tile.
#[must_use]
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|h| h.0).collect()
}

/// Appends an entry to a bundle: its length in two bytes, big-endian, and itself.
///
/// Returns whether it fits; an entry has at most 65,535 bytes.
#[must_use]
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> bool {
    let Ok(len) = u16::try_from(entry.len()) else { return false };
    bundle.extend_from_slice(&len.to_be_bytes());
    bundle.extend_from_slice(entry);
    true
}

/// Reads the entries of a bundle.
///
/// # Errors
/// [`TileError`] when it is cut off, has bytes left over, or not as many entries as its path says.
pub fn decode_bundle(data: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let mut entries = Vec::new();
    let mut rest = data;
    while !rest.is_empty() && entries.len() < usize::from(width) {
        let cut = TileError::Bundle(entries.len());
        let (len, after) = rest.split_first_chunk::<2>().ok_or(cut)?;
        let (entry, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len))).ok_or(cut)?;
        entries.push(entry);
        rest = after;
    }
    match (rest.is_empty(), entries.len() == usize::from(width)) {
        (false, _) => Err(TileError::Bundle(entries.len())),
        (true, false) => Err(TileError::Entries { found: entries.len(), wanted: width }),
        (true, true) => Ok(entries),
    }
}

//! In which tile a node of the tree stands.

use super::edge::subtree_root;
use chancery_tlog::{Hash, TILE_WIDTH, TileLevel, TilePath};

/// Where the hash of a complete subtree can be computed from: a run of hashes in one tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NodePlace {
    pub(crate) level: u8,
    pub(crate) index: u64,
    from: usize,
    count: usize,
}

impl NodePlace {
    /// The path of the tile in a tree of this size.
    pub(crate) fn path(&self, size: u64) -> Option<TilePath> {
        Some(TilePath { level: TileLevel::Hashes(self.level), index: self.index, width: width_at(self.level, self.index, size)? })
    }

    /// The node, computed from the tile's hashes; `None` if the tile is too narrow.
    pub(crate) fn node(&self, hashes: &[Hash]) -> Option<Hash> {
        hashes.get(self.from..self.from.checked_add(self.count)?).map(subtree_root)
    }
}

/// Where the complete subtree of `2^level` leaves that begins at leaf `index << level` stands.
pub(crate) fn node_place(level: u8, index: u64) -> Option<NodePlace> {
    let (tile_level, above) = (level >> 3, level & 7);
    // The subtree is `2^above` hashes wide in its tile, beginning at hash `index << above` of that level.
    let first = index.checked_mul(1 << above)?;
    let from = usize::try_from(first & u64::from(TILE_WIDTH).checked_sub(1)?).ok()?;
    Some(NodePlace { level: tile_level, index: first >> 8, from, count: 1 << above })
}

/// How many hashes a tile has in a tree of this size; `None` if there is no such tile.
pub(crate) fn width_at(level: u8, index: u64, size: u64) -> Option<u16> {
    let hashes = size.checked_shr(u32::from(level).checked_mul(8)?)?;
    let width = hashes.checked_sub(index.checked_mul(u64::from(TILE_WIDTH))?)?.min(u64::from(TILE_WIDTH));
    u16::try_from(width).ok().filter(|w| *w > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_found_in_the_tiles_of_the_spec() {
        let place = node_place(0, 70_000).unwrap();
        assert_eq!((place.level, place.index, place.from, place.count), (0, 273, 112, 1));
        let place = node_place(7, 3).unwrap();
        assert_eq!((place.level, place.index, place.from, place.count), (0, 1, 128, 128));
        let place = node_place(8, 272).unwrap();
        assert_eq!((place.level, place.index, place.from, place.count), (1, 1, 16, 1));
    }

    #[test]
    fn widths_are_those_of_the_spec() {
        assert_eq!(width_at(0, 273, 70_000), Some(112));
        assert_eq!(width_at(0, 272, 70_000), Some(256));
        assert_eq!(width_at(0, 274, 70_000), None);
        assert_eq!(width_at(1, 1, 70_000), Some(17));
        assert_eq!(width_at(2, 0, 70_000), Some(1));
        assert_eq!(width_at(3, 0, 70_000), None);
    }
}

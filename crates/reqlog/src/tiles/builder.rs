//! Making tiles and bundles out of entries, one after the other.

use super::Tile;
use super::edge::{RightEdge, subtree_root};
use chancery_tlog::{Hash, TILE_WIDTH, TileLevel, TilePath, decode_bundle, decode_tile, encode_tile, leaf_hash, new_tiles};

/// Everything that is needed to make the next tile. Memory: one bundle and at most 255 hashes for each level.
#[derive(Clone, Debug, Default)]
pub(crate) struct Builder {
    size: u64,
    /// The entries of the partial bundle, framed.
    bundle: Vec<u8>,
    edge: RightEdge,
}

/// The tiles at the right edge of what was published cannot be taken up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError<E> {
    #[error("a tile at the right edge cannot be read")]
    Read(E),
    #[error("{0} is missing")]
    Missing(TilePath),
    #[error("{0} does not belong to the signed tree")]
    Differs(TilePath),
}

impl Builder {
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Goes on with the tiles of a tree of this size and root, which `read` finds.
    pub(crate) fn load<E>(
        size: u64,
        root: &Hash,
        mut read: impl FnMut(TilePath) -> Result<Option<Vec<u8>>, E>,
    ) -> Result<Self, LoadError<E>> {
        let mut builder = Self { size, ..Self::default() };
        let mut shown = TilePath { level: TileLevel::Entries, index: 0, width: TILE_WIDTH };
        for (level, width) in (0_u8..).zip(RightEdge::widths(size)) {
            let index = tile_index(size, level);
            let mut hashes = Vec::new();
            if width > 0 {
                let path = TilePath { level: TileLevel::Hashes(level), index, width };
                let bytes = read(path).map_err(LoadError::Read)?.ok_or(LoadError::Missing(path))?;
                hashes = decode_tile(&bytes, width).map_err(|_| LoadError::Differs(path))?;
                shown = path;
            }
            builder.edge.levels.push(hashes);
        }
        if !builder.edge.to_edge(size).is_ok_and(|edge| edge.root() == *root) {
            return Err(LoadError::Differs(shown));
        }
        builder.load_bundle(read)?;
        Ok(builder)
    }

    fn load_bundle<E>(&mut self, mut read: impl FnMut(TilePath) -> Result<Option<Vec<u8>>, E>) -> Result<(), LoadError<E>> {
        let hashes = self.edge.levels.first().map_or(&[][..], Vec::as_slice);
        let width = u16::try_from(hashes.len()).unwrap_or(TILE_WIDTH);
        if width == 0 {
            return Ok(());
        }
        let path = TilePath { level: TileLevel::Entries, index: tile_index(self.size, 0), width };
        let bytes = read(path).map_err(LoadError::Read)?.ok_or(LoadError::Missing(path))?;
        let entries = decode_bundle(&bytes, width).map_err(|_| LoadError::Differs(path))?;
        if !entries.iter().map(|e| leaf_hash(e)).eq(hashes.iter().copied()) {
            return Err(LoadError::Differs(path));
        }
        self.bundle = bytes;
        Ok(())
    }

    /// Adds an entry; full tiles and the full bundle that it completes go to `out`.
    pub(crate) fn push(&mut self, entry: &[u8], leaf: Hash, out: &mut Vec<Tile>) {
        // Entries come from records and bundles, which cannot hold longer ones.
        let _ = chancery_tlog::push_entry(&mut self.bundle, entry);
        self.size = self.size.saturating_add(1);
        let last = self.size.saturating_sub(1);
        if self.size.is_multiple_of(u64::from(TILE_WIDTH)) {
            let path = TilePath { level: TileLevel::Entries, index: last >> 8, width: TILE_WIDTH };
            out.push(Tile { path, bytes: std::mem::take(&mut self.bundle) });
        }
        let mut node = leaf;
        for level in 0_u8..8 {
            let at = usize::from(level);
            if self.edge.levels.len() <= at {
                self.edge.levels.push(Vec::new());
            }
            let Some(hashes) = self.edge.levels.get_mut(at) else { return };
            hashes.push(node);
            if hashes.len() < usize::from(TILE_WIDTH) {
                return;
            }
            let index = last >> 8_u32.saturating_mul(u32::from(level).saturating_add(1));
            out.push(Tile { path: TilePath { level: TileLevel::Hashes(level), index, width: TILE_WIDTH }, bytes: encode_tile(hashes) });
            node = subtree_root(hashes);
            hashes.clear();
        }
    }

    /// The partial tiles and bundle of the tree as it is, but those that a tree of `published` entries has as well.
    pub(crate) fn partials(&self, published: u64, out: &mut Vec<Tile>) {
        for path in new_tiles(published, self.size).filter(|path| path.width < TILE_WIDTH) {
            let bytes = match path.level {
                TileLevel::Entries => self.bundle.clone(),
                TileLevel::Hashes(level) => self.edge.levels.get(usize::from(level)).map(|h| encode_tile(h)).unwrap_or_default(),
            };
            out.push(Tile { path, bytes });
        }
    }
}

/// The index of the last, partial tile of a level.
fn tile_index(size: u64, level: u8) -> u64 {
    size.checked_shr(u32::from(level).saturating_add(1).saturating_mul(8)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_tlog::{Edge, tiles_of};
    use std::collections::BTreeMap;
    use std::convert::Infallible;

    fn entry(i: u64) -> Vec<u8> {
        format!("entry {i}").into_bytes()
    }

    /// Publishes at each of the sizes; returns all files and the edge.
    fn publish(sizes: &[u64]) -> (BTreeMap<TilePath, Vec<u8>>, Edge) {
        let (mut builder, mut edge, mut files) = (Builder::default(), Edge::new(), BTreeMap::new());
        for size in sizes {
            let (published, mut out) = (builder.size(), Vec::new());
            while builder.size() < *size {
                let leaf = leaf_hash(&entry(builder.size()));
                edge.push(leaf);
                builder.push(&entry(builder.size()), leaf, &mut out);
            }
            builder.partials(published, &mut out);
            for tile in out {
                assert!(files.insert(tile.path, tile.bytes).is_none(), "{} twice", tile.path);
            }
        }
        (files, edge)
    }

    #[test]
    fn a_log_has_exactly_the_files_of_its_size_with_the_right_bytes() {
        for size in [1, 2, 255, 256, 257, 511, 512, 65_536, 70_000] {
            let (files, edge) = publish(&[size]);
            assert_eq!(files.keys().copied().collect::<Vec<_>>(), {
                let mut paths: Vec<_> = tiles_of(size).collect();
                paths.sort();
                paths
            });
            for (path, bytes) in &files {
                let width = usize::from(path.width);
                match path.level {
                    TileLevel::Entries => {
                        let first = path.index * 256;
                        let wanted: Vec<_> = (first..first + u64::from(path.width)).map(entry).collect();
                        assert_eq!(decode_bundle(bytes, path.width).unwrap(), wanted);
                    }
                    TileLevel::Hashes(0) => assert_eq!(bytes.len(), width * 32),
                    TileLevel::Hashes(level) => {
                        let below = TilePath { level: TileLevel::Hashes(level - 1), index: path.index * 256, width: 256 };
                        assert_eq!(bytes[..32], subtree_root(&decode_tile(&files[&below], 256).unwrap()).0);
                    }
                }
            }
            let loaded = Builder::load(size, &edge.root(), |p| Ok::<_, Infallible>(files.get(&p).cloned())).unwrap();
            assert_eq!(loaded.edge.to_edge(size).unwrap(), edge);
        }
    }

    #[test]
    fn publishing_step_by_step_makes_the_same_full_tiles() {
        let (once, edge) = publish(&[600]);
        let (steps, same) = publish(&[1, 3, 255, 256, 300, 599, 600]);
        assert_eq!(edge.root(), same.root());
        for (path, bytes) in once {
            assert_eq!(steps[&path], bytes, "{path}");
        }
    }

    #[test]
    fn what_was_changed_or_lost_is_not_taken_up() {
        let (files, edge) = publish(&[70_000]);
        for path in files.keys().filter(|p| p.width < 256) {
            let mut bad = files.clone();
            *bad.get_mut(path).unwrap().last_mut().unwrap() ^= 1;
            let result = Builder::load(70_000, &edge.root(), |p| Ok::<_, Infallible>(bad.get(&p).cloned()));
            assert!(matches!(result, Err(LoadError::Differs(_))), "{path}");
            bad.remove(path);
            let result = Builder::load(70_000, &edge.root(), |p| Ok::<_, Infallible>(bad.get(&p).cloned()));
            assert!(matches!(result, Err(LoadError::Missing(p)) if p == *path));
        }
    }
}

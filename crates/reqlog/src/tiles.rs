//! The static files of a log: making them, and reading nodes out of them.

mod builder;
mod edge;
mod source;

pub(crate) use builder::{Builder, LoadError};
pub(crate) use edge::{RightEdge, subtree_root};
pub(crate) use source::{node_place, width_at};

use chancery_tlog::TilePath;

/// A tile or bundle and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    pub(crate) path: TilePath,
    pub(crate) bytes: Vec<u8>,
}

//! C2SP transparency logs: notes, checkpoints, Merkle trees, tiles and proofs.
//!
//! Everything here is a pure function of its arguments: no I/O, no clock, no randomness.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects, reason = "tests count small things"))]

mod batch;
mod checkpoint;
mod cosignature;
mod edge;
mod hash;
mod key;
mod note;
mod proof;
mod tile;
mod tlog_proof;

pub use batch::Batch;
pub use checkpoint::{Checkpoint, CheckpointError};
pub use cosignature::cosign;
pub use edge::{Edge, EdgeError};
pub use hash::{Hash, leaf_hash, node_hash};
pub use key::{KeyError, KeyType, VerifierKey, is_key_name};
pub use note::{Note, NoteError, NoteSignature, NoteSigner, Verified, sign_note};
pub use proof::{NodeSource, ProofError, ProveError, consistency_proof, inclusion_proof, root_at, verify_consistency, verify_inclusion};
pub use tile::{
    TILE_WIDTH, TileError, TileLevel, TilePath, TilePathError, decode_bundle, decode_tile, encode_tile, new_tiles, push_entry, tiles_of,
};
pub use tlog_proof::{TlogProof, TlogProofError, encode_receipt};

#[cfg(test)]
mod tests;

//! C2SP transparency logs: notes, checkpoints, Merkle trees, tiles, proofs. Pure.

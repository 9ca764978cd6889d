//! The bytes that were recorded are the bytes that are signed.
use chancery_keeper::prepare::Prepared;

fn swap(prepared: &mut Prepared, other: Vec<u8>) {
    prepared.tbs_sha256 = [0; 32];
    prepared.tbs().copy_from_slice(&other);
}

fn main() {}

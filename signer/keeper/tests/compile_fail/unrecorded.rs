//! What is not recorded cannot be signed.
use chancery_keeper::key::{OpenKeys, sign};
use chancery_keeper::prepare::Prepared;

fn skip_the_log(keys: &OpenKeys, prepared: Prepared) {
    let _ = sign(keys, prepared);
}

fn main() {}

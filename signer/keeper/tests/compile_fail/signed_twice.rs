//! One record gives one signature.
use chancery_keeper::key::{OpenKeys, sign};
use chancery_keeper::prepare::Prepared;
use chancery_keeper::record::Recorded;

fn twice(keys: &OpenKeys, recorded: Recorded<Prepared>) {
    let _ = sign(keys, recorded);
    let _ = sign(keys, recorded);
}

fn main() {}

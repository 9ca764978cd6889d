//! What was denied cannot be prepared.
use chancery_keeper::policy::Denial;
use chancery_keeper::prepare::{Prepared, prepare};

fn go_on(denial: Denial) -> Prepared {
    prepare(denial).unwrap()
}

fn main() {}

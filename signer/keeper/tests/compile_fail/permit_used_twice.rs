//! One permit prepares one thing.
use chancery_keeper::policy::Permit;
use chancery_keeper::prepare::prepare;

fn twice(permit: Permit) {
    let _ = prepare(permit);
    let _ = prepare(permit);
}

fn main() {}

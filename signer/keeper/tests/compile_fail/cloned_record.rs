//! Nothing on the way to a signature can be copied.
use chancery_keeper::prepare::Prepared;
use chancery_keeper::record::Recorded;

fn copy(recorded: &Recorded<Prepared>) -> Recorded<Prepared> {
    recorded.clone()
}

fn main() {}

//! Only the record room says that something is recorded.
use chancery_keeper::prepare::Prepared;
use chancery_keeper::record::Recorded;

fn forge(prepared: Prepared) -> Recorded<Prepared> {
    Recorded { inner: prepared, index: 7 }
}

fn main() {}

//! Reading the log of a key host that is stopped, from its static files.

use chancery_reqlog::{Directory, Leaf, StaticLog};
use chancery_tests::KeyHost;
use std::path::Path;

/// Every entry of a log, with all of its tiles verified.
pub(crate) fn leaves(public: &Path, vkey: &str) -> Vec<Leaf> {
    let log = StaticLog::open(Directory::new(public), &vkey.parse().unwrap()).unwrap();
    log.verify(None, |_| ()).unwrap();
    let entries = log.entries(0..log.checkpoint().checkpoint.size);
    entries.map(|entry| Leaf::parse(&entry.unwrap().1).unwrap()).collect()
}

/// Stops a key host and reads its log.
pub(crate) fn leaves_of(host: &mut KeyHost) -> Vec<Leaf> {
    assert_eq!(host.stop(), Some(0), "the key host stops in order");
    leaves(&host.public(), &host.vkey())
}

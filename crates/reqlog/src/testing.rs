//! What the tests of this crate share.

use crate::log::{Log, LogConfig, NewEntry, Recovery};
use crate::store::{Disk, Store};
use chancery_tlog::{NoteSigner, VerifierKey};
use ed25519_dalek::{Signer as _, SigningKey};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(crate) const ORIGIN: &str = "signer.example/requests";

/// A log's key, made for one test.
#[derive(Clone)]
pub(crate) struct Key {
    signing: SigningKey,
    pub(crate) verifier: VerifierKey,
}

impl Key {
    pub(crate) fn new(origin: &str) -> Self {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).unwrap();
        Self::from_seed(origin, &seed)
    }

    /// Of a published test vector.
    pub(crate) fn from_seed(origin: &str, seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from_bytes(seed);
        let verifier = VerifierKey::ed25519(origin, signing.verifying_key().as_bytes()).unwrap();
        Self { signing, verifier }
    }
}

impl NoteSigner for Key {
    fn name(&self) -> &str {
        self.verifier.name()
    }

    fn key_id(&self) -> [u8; 4] {
        self.verifier.id()
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.signing.sign(text).to_bytes()
    }
}

/// A directory with a log, and its key.
pub(crate) struct Bed {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) key: Key,
    pub(crate) config: LogConfig,
}

impl Bed {
    /// Small segments, and publishing only when asked for.
    pub(crate) fn new() -> Self {
        // What these tests show does not depend on a real disk, and thousands of syncs take long on one.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let config = LogConfig {
            segment_bytes: 256 << 10,
            reserve_bytes: 16 << 10,
            publish_interval: Duration::from_secs(3600),
            ..LogConfig::new(dir.path(), ORIGIN)
        };
        Self { dir, key: Key::new(ORIGIN), config }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn open(&self) -> (Log, Recovery) {
        self.try_open().unwrap()
    }

    pub(crate) fn try_open(&self) -> Result<(Log, Recovery), crate::OpenError> {
        self.open_on(Arc::new(Disk))
    }

    /// Waits a little for the lock. Tests run beside each other: the child of another one, which is not its own program yet, may still
    /// hold the lock that was just given up here.
    pub(crate) fn open_on(&self, store: Arc<dyn Store>) -> Result<(Log, Recovery), crate::OpenError> {
        let deadline = Instant::now() + Duration::from_secs(2);
        loop {
            let (config, key) = (self.config.clone(), self.key.clone());
            match crate::log::open_with(Arc::clone(&store), config, Box::new(key), self.key.verifier.clone()) {
                Err(crate::OpenError::Locked { .. }) if Instant::now() < deadline => std::thread::yield_now(),
                opened => return opened,
            }
        }
    }

    /// The newest segment and where its last record ends.
    pub(crate) fn last_segment(&self) -> (PathBuf, u64) {
        let wal = self.path("wal");
        let last = *crate::wal::list_segments(&wal).unwrap().last().unwrap();
        let path = crate::wal::segment_path(&wal, last);
        let mut walk = crate::wal::Walk::open(&path).unwrap();
        while walk.next().unwrap().is_some() {}
        (path, walk.offset())
    }

    /// A copy of the whole directory, as a crash at this moment would leave it.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self { key: self.key.clone(), ..Self::new() };
        copy_tree(self.dir.path(), copy.dir.path());
        Self { config: LogConfig { dir: copy.dir.path().to_owned(), ..self.config.clone() }, ..copy }
    }
}

pub(crate) fn copy_tree(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

pub(crate) fn leaf(number: u64) -> Vec<u8> {
    format!("entry {number}").into_bytes()
}

pub(crate) fn details(number: u64) -> Vec<u8> {
    format!("details of {number}").into_bytes()
}

/// Entries `from..to` with the leaves and details of above.
pub(crate) fn batch(from: u64, to: u64) -> Vec<NewEntry> {
    (from..to).map(|n| NewEntry { leaf: leaf(n), details: details(n) }).collect()
}

/// The root of the tree of the first `size` such entries.
pub(crate) fn root(size: u64) -> chancery_tlog::Hash {
    let mut edge = chancery_tlog::Edge::new();
    (0..size).for_each(|n| edge.push(chancery_tlog::leaf_hash(&leaf(n))));
    edge.root()
}

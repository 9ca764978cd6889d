//! Opening a log: the recovery table.
//!
//! | state found | what is done |
//! | --- | --- |
//! | clean, not behind what was published | published files are brought up to date |
//! | last record cut off, and the rest not behind what was published | its bytes are put aside and erased; reported in [`Recovery`] |
//! | a record damaged that was acknowledged | refused: `Corrupt` |
//! | fewer entries than a checkpoint that was published, seen, or cosigned by a witness | refused: `Rollback` |
//! | another root than such a checkpoint | refused: `Fork` |
//! | a backup it came out of, and no checkpoint of others since | refused: `Restored` |
//! | newest checkpoint not of these entries or not by this key | refused: `Corrupt`, `KeyMismatch`, `Checkpoint` |
//!
//! Nothing is changed before everything was found in order.

use super::{Log, LogConfig};
use crate::durable::{self, DurableError};
use crate::error::OpenError;
use crate::publish::{Housekeeper, PublisherConfig, PublisherStatus};
use crate::reader::Reader;
use crate::restored;
use crate::scan::{self, Scanned, Scanner};
use crate::state::{Shared, SignedCheckpoint, State};
use crate::store::{Store, remove_if_exists};
use crate::wal::{MAX_ORIGIN, RoomError, Segments, Writer, WriterConfig, ready_reserve, segment_path};
use chancery_tlog::{Checkpoint, CheckpointError, Edge, Hash, NoteError, NoteSigner, VerifierKey, sign_note};
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found when a log was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// How many entries the log has.
    pub size: u64,
    /// Whether the log did not exist before.
    pub created: bool,
    /// How long the record was, in bytes, whose write was cut off and which was dropped; 0 if there was none. It was never
    /// acknowledged.
    pub dropped_bytes: u64,
    /// Where the dropped bytes were put aside.
    pub dropped_to: Option<PathBuf>,
    /// How many entries were published when the log was opened; the rest follows in the background.
    pub published: u64,
}

/// A checkpoint that the log must not contradict.
struct Seen {
    file: PathBuf,
    signed: SignedCheckpoint,
}

pub(crate) fn open_with(
    store: Arc<dyn Store>,
    config: LogConfig,
    signer: Box<dyn NoteSigner>,
    key: VerifierKey,
) -> Result<(Log, Recovery), OpenError> {
    check_names(&config, &*signer, &key)?;
    let (wal, public) = (config.dir.join("wal"), config.dir.join("public"));
    durable::create_dir_all(&config.dir, 0o755)?;
    let lock = lock(&config.dir)?;
    if !config.accept_restored && restored::is_marked(&config.dir) {
        return Err(OpenError::Restored { dir: config.dir });
    }
    let (published, seen) = load_seen(&config, &key)?;
    let segments = scan::segments(&wal)?;
    let found = match segments.last() {
        None => None,
        Some(last) => {
            from_disk(&wal, *last)?;
            let mut targets: Vec<u64> = seen.iter().map(|s| s.signed.checkpoint.size).collect();
            targets.sort_unstable();
            let published = published.as_ref().map_or(0, |p| p.checkpoint.size);
            Some(Scanner { wal: &wal, segments: &segments, key: &key, targets, keep_from: published }.scan(*last)?)
        }
    };
    let newest = with_cosignatures(newest(&config, found.as_ref(), &*signer), published.as_ref());
    seen.iter().try_for_each(|seen| compare(seen, &newest, found.as_ref(), &wal, &segments))?;
    // From here on the directory is changed.
    durable::create_dir_all(&wal, 0o700)?;
    durable::create_dir_all(&public, 0o755)?;
    durable::create_dir_all(&config.dir.join("staging"), 0o700)?;
    clean(&config.dir)?;
    ready_reserve(&*store, &wal).map_err(io_error("ready the reserve in", &wal))?;
    start(store, config, signer, lock, newest, published, segments, found)
}

fn check_names(config: &LogConfig, signer: &dyn NoteSigner, key: &VerifierKey) -> Result<(), OpenError> {
    let wrong = |what, found: &str| Err(OpenError::Origin { origin: config.origin.clone(), what, found: found.to_owned() });
    if key.name() != config.origin || config.origin.len() > MAX_ORIGIN {
        return wrong("verification key", key.name());
    }
    if signer.name() != config.origin || signer.key_id() != key.id() {
        return wrong("signing key", signer.name());
    }
    Ok(())
}

fn lock(dir: &Path) -> Result<File, OpenError> {
    let path = dir.join("lock");
    let file = File::options().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(io_error("open", &path))?;
    match durable::try_lock(&file) {
        Ok(true) => Ok(file),
        Ok(false) => Err(OpenError::Locked { dir: dir.to_owned() }),
        Err(e) => Err(io_error("lock", &path)(e)),
    }
}

/// The published checkpoint, if there is one, and all checkpoints that the log must not contradict.
fn load_seen(config: &LogConfig, key: &VerifierKey) -> Result<(Option<Arc<SignedCheckpoint>>, Vec<Seen>), OpenError> {
    let file = config.dir.join("public/checkpoint");
    let mut seen = Vec::new();
    let published = load_checkpoint(&file, key)?;
    if let Some(signed) = &published {
        seen.push(Seen { file, signed: signed.clone() });
    }
    let witness = config.dir.join(crate::witness::DIRECTORY);
    for file in crate::witness::kept_files(&config.dir).map_err(io_error("list", &witness))? {
        if let Some(signed) = load_checkpoint(&file, key)? {
            seen.push(Seen { file, signed });
        }
    }
    for (number, note) in config.seen.iter().enumerate() {
        let file = PathBuf::from(format!("seen checkpoint {number}"));
        let checkpoint = Checkpoint::open(note, key).map_err(|e| published_error(e, &file, key))?;
        seen.push(Seen { file, signed: SignedCheckpoint { checkpoint, note: note.clone() } });
    }
    Ok((published.map(Arc::new), seen))
}

fn load_checkpoint(file: &Path, key: &VerifierKey) -> Result<Option<SignedCheckpoint>, OpenError> {
    let note = match std::fs::read_to_string(file) {
        Ok(note) => note,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        // Not UTF-8: not a note.
        Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(published_error(NoteError::Form.into(), file, key)),
        Err(e) => return Err(io_error("read", file)(e)),
    };
    let checkpoint = Checkpoint::open(&note, key).map_err(|e| published_error(e, file, key))?;
    Ok(Some(SignedCheckpoint { checkpoint, note }))
}

fn published_error(source: CheckpointError, file: &Path, key: &VerifierKey) -> OpenError {
    match source {
        CheckpointError::Note(NoteError::Unsigned) => OpenError::KeyMismatch { origin: key.name().to_owned(), file: file.to_owned() },
        source => OpenError::Published { file: file.to_owned(), source },
    }
}

/// The newest checkpoint of the log. That of an empty log stands in no record: it is signed here.
fn newest(config: &LogConfig, found: Option<&Scanned>, signer: &dyn NoteSigner) -> Arc<SignedCheckpoint> {
    if let Some(signed) = found.and_then(|f| f.newest.clone()) {
        return Arc::new(signed);
    }
    let checkpoint = Checkpoint { origin: config.origin.clone(), size: 0, root: Hash::EMPTY_ROOT, extensions: Vec::new() };
    let note = sign_note(&checkpoint.to_string(), signer);
    Arc::new(SignedCheckpoint { checkpoint, note })
}

/// The records hold the log's own signature alone; what was published of the newest checkpoint may have more.
fn with_cosignatures(newest: Arc<SignedCheckpoint>, published: Option<&Arc<SignedCheckpoint>>) -> Arc<SignedCheckpoint> {
    let more = published.filter(|p| p.checkpoint == newest.checkpoint && p.note.starts_with(&newest.note));
    more.map_or(newest, Arc::clone)
}

fn compare(seen: &Seen, newest: &SignedCheckpoint, found: Option<&Scanned>, wal: &Path, segments: &Segments) -> Result<(), OpenError> {
    let (size, theirs) = (seen.signed.checkpoint.size, seen.signed.note.clone());
    let (file, ours) = (seen.file.clone(), newest.note.clone());
    if size > newest.checkpoint.size {
        return Err(OpenError::Rollback { file, ours_size: newest.checkpoint.size, theirs_size: size, ours, theirs });
    }
    let root = match found.and_then(|f| f.roots.get(&size)) {
        _ if size == 0 => Hash::EMPTY_ROOT,
        Some(root) => *root,
        None => scan::root_at(wal, segments, size, &newest.checkpoint.origin)?,
    };
    if root == seen.signed.checkpoint.root { Ok(()) } else { Err(OpenError::Fork { file, size, ours, theirs }) }
}

/// Sees to it that the newest segment is read from the disk, under a name that is on the disk. After a sync that failed the kernel may still
/// show what was never written, to the next process as well, and a later sync says that all is well.
fn from_disk(wal: &Path, last: u64) -> Result<(), OpenError> {
    durable::sync_dir(wal)?;
    let path = segment_path(wal, last);
    durable::forget(&path).map_err(io_error("sync", &path))
}

/// Removes what an earlier process left half-made. None of it was ever used.
fn clean(dir: &Path) -> Result<(), OpenError> {
    let wal = dir.join("wal");
    for name in ["spare", "spare-now"] {
        remove_if_exists(&wal.join(name)).map_err(io_error("remove", &wal.join(name)))?;
    }
    for (directory, prefix) in
        [(wal, durable::TEMPORARY_PREFIX), (dir.join("public"), durable::TEMPORARY_PREFIX), (dir.join("staging"), "")]
    {
        for entry in std::fs::read_dir(&directory).map_err(io_error("list", &directory))? {
            let entry = entry.map_err(io_error("list", &directory))?;
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                remove_if_exists(&entry.path()).map_err(io_error("remove", &entry.path()))?;
            }
        }
    }
    Ok(())
}

#[expect(clippy::too_many_arguments, reason = "the parts that opening has gathered, used once")]
fn start(
    store: Arc<dyn Store>,
    config: LogConfig,
    signer: Box<dyn NoteSigner>,
    lock: File,
    newest: Arc<SignedCheckpoint>,
    published: Option<Arc<SignedCheckpoint>>,
    mut segments: Segments,
    found: Option<Scanned>,
) -> Result<(Log, Recovery), OpenError> {
    let wal = config.dir.join("wal");
    let mut recovery = Recovery {
        size: newest.checkpoint.size,
        created: found.is_none(),
        dropped_bytes: 0,
        dropped_to: None,
        published: published.as_ref().map_or(0, |p| p.checkpoint.size),
    };
    let writer_config =
        WriterConfig { store: Arc::clone(&store), wal: wal.clone(), origin: config.origin.clone(), segment_bytes: config.segment_bytes };
    let (writer, found) = match found {
        None => (create(writer_config)?, Scanned::empty()),
        Some(found) => (resume(writer_config, &found, &mut recovery)?, found),
    };
    segments.insert(writer.first());
    // Nothing is published of a log without a published checkpoint, which is that of the empty tree.
    let empty = || Arc::new(SignedCheckpoint { checkpoint: empty_checkpoint(&config.origin), note: String::new() });
    let shared = Arc::new(Shared::new(State {
        newest,
        published: published.unwrap_or_else(empty),
        cosigned: None,
        tail: found.tail,
        segments,
        places: found.places,
        to_seal: found.to_seal,
        wants_spare: false,
        urgent: true,
        idle: false,
        closing: false,
        status: PublisherStatus::default(),
    }));
    let reader = Reader::new(&config.dir, Arc::clone(&shared));
    let publisher = PublisherConfig {
        store,
        dir: config.dir.clone(),
        interval: config.publish_interval,
        segment_bytes: config.segment_bytes,
        reserve_bytes: config.reserve_bytes,
    };
    let housekeeper = Housekeeper::spawn(publisher, reader.clone()).map_err(io_error("start a thread for", &config.dir))?;
    let log = Log {
        writer,
        edge: found.edge,
        origin: config.origin,
        signer,
        shared,
        reader,
        housekeeper: Some(housekeeper),
        remember_requests: config.remember_requests,
        publish_early: config.publish_early,
        tail_limit: config.tail_limit,
        buffer: Vec::new(),
        doubt: None,
        _lock: lock,
    };
    Ok((log, recovery))
}

fn empty_checkpoint(origin: &str) -> Checkpoint {
    Checkpoint { origin: origin.to_owned(), size: 0, root: Hash::EMPTY_ROOT, extensions: Vec::new() }
}

fn create(config: WriterConfig) -> Result<Writer, OpenError> {
    let dir = config.wal.clone();
    Writer::create(config, &Edge::new(), [0; 32]).map_err(|e| match e {
        RoomError::Full => OpenError::Full { dir },
        RoomError::Io { step, source } => OpenError::Io { step, path: dir, source },
    })
}

fn resume(config: WriterConfig, found: &Scanned, recovery: &mut Recovery) -> Result<Writer, OpenError> {
    let path = segment_path(&config.wal, found.first);
    if let Some(torn) = &found.torn {
        let kept = path.with_extension(format!("{}.torn", found.offset));
        durable::write_atomic(&kept, torn, 0o600)?;
        (recovery.dropped_bytes, recovery.dropped_to) = (u64::try_from(torn.len()).unwrap_or(u64::MAX), Some(kept));
    }
    let writer = Writer::resume(config, found.first, found.offset, found.chain).map_err(io_error("open", &path))?;
    if found.torn.is_some() {
        writer.erase(recovery.dropped_bytes).map_err(io_error("erase the cut-off record of", &path))?;
    }
    Ok(writer)
}

pub(crate) fn read_only(dir: &Path, key: &VerifierKey) -> Result<Reader, OpenError> {
    let file = dir.join("public/checkpoint");
    let missing = || OpenError::Durable(DurableError::Io { step: "read", path: file.clone(), source: io::ErrorKind::NotFound.into() });
    let published = Arc::new(load_checkpoint(&file, key)?.ok_or_else(missing)?);
    let shared = Arc::new(Shared::new(State {
        newest: Arc::clone(&published),
        published,
        cosigned: None,
        tail: crate::state::TailChunks::default(),
        segments: scan::segments(&dir.join("wal"))?,
        places: crate::state::Places::default(),
        to_seal: Vec::new(),
        wants_spare: false,
        urgent: false,
        idle: false,
        closing: true,
        status: PublisherStatus::default(),
    }));
    Ok(Reader::new(dir, shared))
}

fn io_error<'a>(step: &'static str, path: &'a Path) -> impl Fn(io::Error) -> OpenError + 'a {
    move |source| OpenError::Io { step, path: path.to_owned(), source }
}

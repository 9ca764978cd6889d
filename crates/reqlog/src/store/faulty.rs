//! A disk that fails on command, for the fault table.

use super::{Disk, Store};
use crate::durable::DurableError;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

const ALWAYS: u32 = u32::MAX;

/// A step that can fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Step {
    Allocate,
    Write,
    Sync,
    Rename,
    SyncDir,
    Seal,
    Stage,
    SyncStaged,
    Checkpoint,
}

/// How it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// It is not done, and says so.
    Fails,
    /// It is done, but says that it failed.
    FailsButIsDone,
    /// There is no space; half of a write is done.
    Full,
    /// The power goes before it is done: what was not synced is lost, and nothing works any more.
    PowerCut,
    /// The process dies half-way: what was written stays, and nothing works any more.
    Killed,
}

enum Undo {
    Write { file: File, offset: u64, old: Vec<u8> },
    Staged(PathBuf),
    Renamed { from: PathBuf, to: PathBuf },
}

#[derive(Default)]
struct Inner {
    fault: Option<(Step, u32, How)>,
    counts: HashMap<Step, u32>,
    dead: bool,
    happened: bool,
    undo: Vec<Undo>,
}

/// See the module.
pub(crate) struct Faulty {
    inner: Mutex<Inner>,
}

impl std::fmt::Debug for Faulty {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Faulty")
    }
}

/// What a call is to do.
enum Verdict {
    Do,
    DoHalf(io::Error),
    DoThen(io::Error),
    Dont(io::Error),
}

impl Faulty {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: Mutex::default() })
    }

    /// The `nth` call of this step from now on (0 = the next) fails.
    pub(crate) fn arm(&self, step: Step, nth: u32, how: How) {
        let mut inner = self.inner.lock().unwrap();
        inner.counts.clear();
        inner.happened = false;
        inner.fault = Some((step, nth, how));
    }

    /// Every call of this step from now on fails.
    pub(crate) fn arm_always(&self, step: Step, how: How) {
        self.arm(step, ALWAYS, how);
    }

    /// Whether the fault has happened; it is forgotten, and a disk that was only failing works again.
    pub(crate) fn disarm(&self) -> bool {
        let mut inner = self.inner.lock().unwrap();
        inner.fault = None;
        inner.happened
    }

    fn verdict(&self, step: Step) -> Verdict {
        let mut inner = self.inner.lock().unwrap();
        if inner.dead {
            return Verdict::Dont(io::Error::other("the machine is off"));
        }
        let count = inner.counts.entry(step).or_default();
        let this = *count;
        *count += 1;
        let how = match inner.fault {
            Some((s, n, how)) if s == step && (n == this || n == ALWAYS) => how,
            _ => return Verdict::Do,
        };
        inner.happened = true;
        match how {
            How::Fails => Verdict::Dont(io::Error::from_raw_os_error(5)),
            How::FailsButIsDone => Verdict::DoThen(io::Error::from_raw_os_error(5)),
            How::Full => Verdict::DoHalf(io::Error::from_raw_os_error(28)),
            How::PowerCut => {
                inner.dead = true;
                inner.undo.drain(..).rev().for_each(Undo::run);
                Verdict::Dont(io::Error::other("power cut"))
            }
            How::Killed => {
                inner.dead = true;
                Verdict::DoHalf(io::Error::other("killed"))
            }
        }
    }

    /// Runs a step that cannot be done by half.
    fn whole<T>(&self, step: Step, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        match self.verdict(step) {
            Verdict::Do => run(),
            Verdict::DoThen(error) => run().and(Err(error)),
            Verdict::Dont(error) | Verdict::DoHalf(error) => Err(error),
        }
    }

    fn remember(&self, undo: Undo) {
        self.inner.lock().unwrap().undo.push(undo);
    }

    fn synced(&self, keep: impl Fn(&Undo) -> bool) -> io::Result<()> {
        let mut inner = self.inner.lock().unwrap();
        if inner.dead {
            // The power went on another thread before the sync was over.
            return Err(io::Error::other("power cut"));
        }
        inner.undo.retain(keep);
        Ok(())
    }
}

impl Undo {
    fn run(self) {
        match self {
            Self::Write { file, offset, old } => file.write_all_at(&old, offset).unwrap(),
            // Later steps may have moved the file already.
            Self::Staged(path) => drop(File::options().write(true).open(path).and_then(|f| f.set_len(0))),
            Self::Renamed { from, to } => std::fs::hard_link(&to, from).and_then(|()| std::fs::remove_file(to)).unwrap(),
        }
    }
}

fn durable_error(path: &Path) -> impl Fn(io::Error) -> DurableError + '_ {
    move |source| DurableError::Io { step: "sync", path: path.to_owned(), source }
}

impl Store for Faulty {
    fn allocate(&self, path: &Path, length: u64) -> io::Result<()> {
        self.whole(Step::Allocate, || Disk.allocate(path, length))
    }

    fn allocate_anew(&self, file: &File, from: u64, length: u64) -> io::Result<()> {
        self.whole(Step::Allocate, || Disk.allocate_anew(file, from, length))
    }

    fn write_at(&self, file: &File, bytes: &[u8], offset: u64) -> io::Result<()> {
        let verdict = self.verdict(Step::Write);
        let mut old = vec![0; bytes.len()];
        let again = format!("/proc/self/fd/{}", file.as_raw_fd());
        let read = File::open(&again)?.read_at(&mut old, offset)?;
        old[read..].fill(0);
        let (part, answer) = match verdict {
            Verdict::Do => (bytes, Ok(())),
            Verdict::DoThen(error) => (bytes, Err(error)),
            Verdict::DoHalf(error) => (&bytes[..bytes.len() / 2], Err(error)),
            Verdict::Dont(error) => return Err(error),
        };
        let file = file.try_clone()?;
        Disk.write_at(&file, part, offset)?;
        self.remember(Undo::Write { file, offset, old });
        answer
    }

    fn sync_data(&self, file: &File) -> io::Result<()> {
        self.whole(Step::Sync, || {
            Disk.sync_data(file)?;
            self.synced(|undo| !matches!(undo, Undo::Write { .. }))
        })
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.whole(Step::Rename, || {
            Disk.rename(from, to)?;
            self.remember(Undo::Renamed { from: from.to_owned(), to: to.to_owned() });
            Ok(())
        })
    }

    fn sync_dir(&self, path: &Path) -> Result<(), DurableError> {
        self.whole(Step::SyncDir, || {
            Disk.sync_dir(path).map_err(io::Error::other)?;
            self.synced(|undo| !matches!(undo, Undo::Renamed { to, .. } if to.parent() == Some(path)))
        })
        .map_err(durable_error(path))
    }

    fn seal(&self, path: &Path, length: u64) -> io::Result<()> {
        self.whole(Step::Seal, || Disk.seal(path, length))
    }

    fn stage(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let half = bytes.len() / 2;
        match self.verdict(Step::Stage) {
            Verdict::Do => {
                Disk.stage(path, bytes)?;
                self.remember(Undo::Staged(path.to_owned()));
                Ok(())
            }
            Verdict::DoThen(error) => Disk.stage(path, bytes).and(Err(error)),
            Verdict::DoHalf(error) => Disk.stage(path, &bytes[..half]).and(Err(error)),
            Verdict::Dont(error) => Err(error),
        }
    }

    fn sync_staged(&self, files: &[PathBuf]) -> io::Result<()> {
        self.whole(Step::SyncStaged, || {
            Disk.sync_staged(files)?;
            self.synced(|undo| !matches!(undo, Undo::Staged(_)))
        })
    }

    fn publish_checkpoint(&self, path: &Path, bytes: &[u8]) -> Result<(), DurableError> {
        self.whole(Step::Checkpoint, || Disk.publish_checkpoint(path, bytes).map_err(io::Error::other)).map_err(durable_error(path))
    }
}

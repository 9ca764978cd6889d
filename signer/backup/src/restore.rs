//! Making a key host out of a backup.

use super::names::expected;
use super::{BackupError, FORMAT, MANIFEST, Manifest, Places, io_error};
use age::x25519::Identity;
use chancery_keeper::config::Config;
use chancery_keeper::{guarded, key};
use chancery_reqlog::{durable, restored};
use chancery_tlog::Checkpoint;
use std::collections::BTreeSet;
use std::fs::{File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

/// A file of identities is never larger, in bytes.
const MAX_IDENTITY: usize = 64 * 1024;
/// Nor is the manifest.
const MAX_MANIFEST: u64 = 64 * 1024;

/// What opens a backup.
pub struct Opener(Identity);

/// What was restored.
#[derive(Debug)]
pub struct Restored {
    /// How many files were written.
    pub files: usize,
    /// When the backup was made.
    pub created: String,
    /// Whether the log's entries were in it.
    pub with_log: bool,
    /// How many entries the log had by its checkpoint.
    pub entries: u64,
}

impl Opener {
    /// Reads an identity as `age-keygen` writes it, out of a file that nobody else can read.
    ///
    /// # Errors
    /// [`BackupError`].
    pub fn read(path: &Path) -> Result<Self, BackupError> {
        let none = || BackupError::Identity { path: path.to_owned() };
        let bytes = guarded::read(path, MAX_IDENTITY)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| none())?;
        text.lines().find_map(|line| Identity::from_str(line.trim()).ok()).map(Self).ok_or_else(none)
    }

    pub(super) const fn of(identity: Identity) -> Self {
        Self(identity)
    }

    #[cfg(test)]
    pub(super) fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }
}

/// Writes what is in a backup into a directory that is not there yet or empty, and the request log into `log`, or a directory of that name in
/// it. The restored log is marked, so that nothing is signed before
/// it was compared with what others hold.
///
/// # Errors
/// [`BackupError`]; a directory that was not there before is taken away again.
pub fn restore(backup: &Path, opener: &Opener, dir: &Path, log: Option<&Path>) -> Result<Restored, BackupError> {
    let places = Places { dir: dir.to_owned(), log: log.map_or_else(|| dir.join("log"), Path::to_owned) };
    let roots = [&places.dir, &places.log].map(|path| (path.clone(), path.exists()));
    for (path, existed) in &roots {
        if *existed && std::fs::read_dir(path).map_err(io_error("list", path))?.next().is_some() {
            return Err(BackupError::NotEmpty { dir: path.clone() });
        }
    }
    let unpacked = Unpacking { backup, places, written: BTreeSet::new() }.run(opener);
    if unpacked.is_err() {
        for (path, _) in roots.iter().filter(|(_, existed)| !existed) {
            // Half a key host is of no use; why it is so is told already.
            let _ = std::fs::remove_dir_all(path);
        }
    }
    unpacked
}

struct Unpacking<'a> {
    backup: &'a Path,
    places: Places,
    written: BTreeSet<PathBuf>,
}

impl Unpacking<'_> {
    fn run(mut self, opener: &Opener) -> Result<Restored, BackupError> {
        let sealed = |source| BackupError::Sealed { path: self.backup.to_owned(), source };
        let file = File::open(self.backup).map_err(io_error("open", self.backup))?;
        let decryptor = age::Decryptor::new_buffered(io::BufReader::new(file)).map_err(sealed)?;
        let stream = decryptor.decrypt(std::iter::once(&opener.0 as &dyn age::Identity)).map_err(sealed)?;
        let mut archive = tar::Archive::new(stream);
        let mut entries = archive.entries().map_err(|e| self.damaged(e))?;
        let manifest = match entries.next() {
            Some(first) => self.manifest(first.map_err(|e| self.damaged(e))?)?,
            None => return Err(self.content("it is empty")),
        };
        durable::create_dir_all(&self.places.dir, 0o700)?;
        restored::mark(&self.places.log)?;
        for entry in entries {
            self.write(entry.map_err(|e| self.damaged(e))?)?;
        }
        drop(archive);
        self.check(&manifest)
    }

    fn manifest(&self, entry: tar::Entry<'_, impl Read>) -> Result<Manifest, BackupError> {
        let first = entry.path_bytes().as_ref() == MANIFEST.as_bytes();
        let mut text = String::new();
        entry.take(MAX_MANIFEST).read_to_string(&mut text).map_err(|e| self.damaged(e))?;
        let manifest: Option<Manifest> = toml::from_str(&text).ok().filter(|_| first);
        let manifest = manifest.ok_or_else(|| self.content("its first file is not the one that says what it is"))?;
        if manifest.format == FORMAT { Ok(manifest) } else { Err(self.content("it is of another version of this program")) }
    }

    fn write(&mut self, mut entry: tar::Entry<'_, impl Read>) -> Result<(), BackupError> {
        let bytes = entry.path_bytes().into_owned();
        let name = String::from_utf8_lossy(&bytes);
        let known = expected(&name).ok_or_else(|| self.content(&format!("it has a file {name:?}, which no key host has")))?;
        let size = entry.size();
        if entry.header().entry_type() != tar::EntryType::Regular || size > known.max {
            return Err(self.content(&format!("{name:?} in it is no file, or too large")));
        }
        let path = self.places.of(&name);
        durable::create_dir_all(path.parent().unwrap_or(&self.places.dir), if name.starts_with("log/public/") { 0o755 } else { 0o700 })?;
        let opened = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = opened.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists => self.content(&format!("it has {name:?} twice")),
            _ => io_error("create", &path)(e),
        })?;
        let copied = io::copy(&mut entry, &mut file).map_err(|e| self.damaged(e))?;
        if copied != size {
            return Err(self.damaged(io::ErrorKind::UnexpectedEof.into()));
        }
        file.set_permissions(Permissions::from_mode(known.mode)).map_err(io_error("set the mode of", &path))?;
        durable::sync_file(&path)?;
        self.written.insert(path);
        Ok(())
    }

    /// Whether what was written is a key host, and the one that the backup says.
    fn check(&self, manifest: &Manifest) -> Result<Restored, BackupError> {
        for needed in ["signer.toml", "policy.toml", "keys/keyring.toml", "keys/log.toml", "log/public/checkpoint"] {
            if !self.written.contains(&self.places.of(needed)) {
                return Err(self.content(&format!("it has no {needed}")));
            }
        }
        let folders: BTreeSet<&Path> = self.written.iter().filter_map(|path| path.parent()).collect();
        folders.into_iter().try_for_each(durable::sync_dir)?;
        let config = Config::read(&self.places.dir)?;
        self.places.check(&config)?;
        let key = key::log_verifier_key(&config.keys)?;
        let checkpoint = Checkpoint::open(&manifest.checkpoint, &key).ok().filter(|c| c.origin == config.origin);
        let checkpoint = checkpoint.ok_or_else(|| self.content("its checkpoint is not by the log's key in it"))?;
        Ok(Restored { files: self.written.len(), created: manifest.created.clone(), with_log: manifest.with_log, entries: checkpoint.size })
    }

    fn damaged(&self, source: io::Error) -> BackupError {
        BackupError::Damaged { path: self.backup.to_owned(), source }
    }

    fn content(&self, what: &str) -> BackupError {
        BackupError::Content { path: self.backup.to_owned(), what: what.to_owned() }
    }
}

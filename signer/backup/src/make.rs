//! Making a backup.

use super::names::expected;
use super::{BackupError, FORMAT, MANIFEST, Manifest, Places, io_error};
use age::x25519::Recipient;
use chancery_keeper::config::Config;
use chancery_keeper::key::time_text;
use chancery_reqlog::durable;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// What is to be in a backup.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plan {
    /// The request log with its private details.
    pub with_log: bool,
    /// The private keys of the CA and of the gateway.
    pub with_pki_keys: bool,
}

/// What was made.
#[derive(Debug)]
pub struct Made {
    /// How many files are in it.
    pub files: usize,
    /// How many entries the log had by its checkpoint.
    pub entries: u64,
}

/// Seals a key host's directory into a new file that these recipients can open. `now` is in seconds since 1970. The key host may be
/// serving meanwhile.
///
/// # Errors
/// [`BackupError`]; then there is no such file.
pub fn make(dir: &Path, config: &Config, to: &Path, recipients: &[Recipient], plan: Plan, now: u64) -> Result<Made, BackupError> {
    let places = Places { dir: dir.to_owned(), log: config.log.clone() };
    places.check(config)?;
    // First: what is read of the log after it is at least as new.
    let checkpoint = std::fs::read_to_string(config.log.join("public/checkpoint")).map_err(|_| BackupError::NoCheckpoint)?;
    let entries = checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).ok_or(BackupError::NoCheckpoint)?;
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        created: time_text(now),
        origin: config.origin.clone(),
        with_log: plan.with_log,
        checkpoint: checkpoint.clone(),
    };
    let encryptor = age::Encryptor::with_recipients(recipients.iter().map(|r| r as &dyn age::Recipient)).map_err(BackupError::Seal)?;
    let opened = File::options().write(true).create_new(true).mode(0o600).open(to);
    let file = opened.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => BackupError::Exists { path: to.to_owned() },
        _ => io_error("create", to)(e),
    })?;
    let written = encryptor.wrap_output(io::BufWriter::new(file)).map_err(io_error("write", to)).and_then(|sealed| {
        let mut archive = Archive { tar: tar::Builder::new(sealed), places, to, files: 0 };
        archive.fill(&manifest, plan)?;
        archive.finish()
    });
    let made = written.and_then(|files| {
        durable::sync_file(to)?;
        durable::sync_dir(to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new(".")))?;
        Ok(Made { files, entries })
    });
    if made.is_err() {
        // What is half written is of no use; why it is so is told already.
        let _ = std::fs::remove_file(to);
    }
    made
}

struct Archive<'a, W: Write> {
    tar: tar::Builder<age::stream::StreamWriter<W>>,
    places: Places,
    to: &'a Path,
    files: usize,
}

impl<W: Write> Archive<'_, W> {
    fn fill(&mut self, manifest: &Manifest, plan: Plan) -> Result<(), BackupError> {
        let text = toml::to_string(manifest).unwrap_or_default();
        self.add(MANIFEST, 0o644, text.len(), text.as_bytes())?;
        self.add("log/public/checkpoint", 0o644, manifest.checkpoint.len(), manifest.checkpoint.as_bytes())?;
        for name in ["signer.toml", "policy.toml", "pki/ca.crt", "pki/server.crt", "pki/clients.crl"] {
            self.add_file(name)?;
        }
        if plan.with_pki_keys {
            self.add_file("ca/ca.key")?;
            self.add_file("pki/server.key")?;
        }
        self.add_below("ca/issued")?;
        self.add_below("keys")?;
        self.add_below("log/witness")?;
        if plan.with_log {
            // Tiles before segments: a tile must have no entry that the segments lack.
            self.add_below("log/public/tile")?;
            self.add_segments()?;
        }
        Ok(())
    }

    /// Segments that begin while others are copied are copied too, until there is no new one.
    fn add_segments(&mut self) -> Result<(), BackupError> {
        let mut done = BTreeSet::new();
        loop {
            let new: Vec<String> = self.names_in("log/wal")?.into_iter().filter(|name| !done.contains(name)).collect();
            if new.is_empty() {
                return Ok(());
            }
            for name in new {
                if expected(&name).is_some() {
                    self.add_file(&name)?;
                }
                done.insert(name);
            }
        }
    }

    fn add_below(&mut self, folder: &str) -> Result<(), BackupError> {
        for name in self.names_in(folder)? {
            if self.places.of(&name).is_dir() {
                self.add_below(&name)?;
            } else if expected(&name).is_some() {
                self.add_file(&name)?;
            }
        }
        Ok(())
    }

    fn names_in(&self, folder: &str) -> Result<Vec<String>, BackupError> {
        let path = self.places.of(folder);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(io_error("list", &path)(e)),
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(io_error("list", &path))?.file_name();
            names.extend(name.to_str().map(|name| format!("{folder}/{name}")));
        }
        names.sort_unstable();
        Ok(names)
    }

    fn add_file(&mut self, name: &str) -> Result<(), BackupError> {
        let path = self.places.of(name);
        let Some(known) = expected(name) else { return Ok(()) };
        let file = match File::open(&path) {
            Ok(file) => file,
            // Partial tiles go when a whole one takes their place.
            Err(e) if e.kind() == io::ErrorKind::NotFound && name.starts_with("log/public/tile/") => return Ok(()),
            Err(e) => return Err(io_error("read", &path)(e)),
        };
        let whole = file.metadata().map_err(io_error("look at", &path))?.len();
        let len = if name.starts_with("log/wal/") { used(&path).map_err(io_error("read", &path))?.min(whole) } else { whole };
        self.add(name, known.mode, usize::try_from(len).unwrap_or(usize::MAX), file.take(len))
    }

    fn add(&mut self, name: &str, mode: u32, len: usize, from: impl Read) -> Result<(), BackupError> {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(mode);
        header.set_size(u64::try_from(len).unwrap_or(u64::MAX));
        header.set_mtime(0);
        self.tar.append_data(&mut header, name, from).map_err(io_error("write", self.to))?;
        self.files = self.files.saturating_add(1);
        Ok(())
    }

    fn finish(self) -> Result<usize, BackupError> {
        let failed = io_error("write", self.to);
        let mut inner = self.tar.into_inner().and_then(age::stream::StreamWriter::finish).map_err(&failed)?;
        inner.flush().map_err(&failed)?;
        Ok(self.files)
    }
}

/// How much of a segment is in use: the rest is room that was kept, and reads as zeros. No record ends with so many of them.
fn used(path: &Path) -> io::Result<u64> {
    const PAGE: usize = 64 * 1024;
    let mut file = File::open(path)?;
    let (mut page, mut at, mut used) = (vec![0; PAGE], 0_u64, 0_u64);
    loop {
        let read = file.read(&mut page)?;
        if read == 0 {
            return Ok(used.saturating_add(u64::try_from(PAGE).unwrap_or_default()));
        }
        at = at.saturating_add(u64::try_from(read).unwrap_or(u64::MAX));
        if page.iter().take(read).any(|byte| *byte != 0) {
            used = at;
        }
    }
}

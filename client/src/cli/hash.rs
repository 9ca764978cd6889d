//! Digests of files of any size, in constant memory.

use super::error::CliError;
use blake2::{Blake2b512, Digest as _};
use chancery::{Construction, HashAlgorithm, Material};
use chancery_formats::openpgp::{Hash, Hasher};
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

const BUFFER: usize = 256 * 1024;
const BUFFERS: usize = 4;

/// Shows how far reading has come; nothing at all when nobody sits at a terminal.
pub(crate) struct Progress(ProgressBar);

impl Progress {
    /// For so many bytes in all.
    pub(crate) fn new(total: u64) -> Self {
        // Small files are read before anybody could see a bar.
        if total < 64 * 1024 * 1024 || !io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::new(total);
        if let Ok(style) = ProgressStyle::with_template("reading {wide_bar} {bytes}/{total_bytes} {eta}") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn finish(&self) {
        self.0.finish_and_clear();
    }
}

/// What a file is hashed with.
pub(crate) enum Hashing {
    /// For SSH signatures and OpenPGP.
    Sha2(Hasher),
    /// For minisign.
    Blake2b(Blake2b512),
}

impl Hashing {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha2(hasher) => hasher.update(bytes),
            Self::Blake2b(hasher) => hasher.update(bytes),
        }
    }
}

/// What a construction needs to know of a file, in constant memory: a digest, or the content itself where nothing less will do.
pub(crate) fn material(
    construction: Construction,
    path: &Path,
    namespace: &str,
    algorithm: HashAlgorithm,
    progress: &Progress,
) -> Result<Material, CliError> {
    let hash = match algorithm {
        HashAlgorithm::Sha256 => Hash::Sha256,
        HashAlgorithm::Sha512 => Hash::Sha512,
    };
    let hashing = match construction {
        Construction::Sshsig | Construction::OpenpgpDetached => Hashing::Sha2(Hasher::new(hash)),
        Construction::Minisign => Hashing::Blake2b(Blake2b512::new()),
        _ => return Ok(Material::content(super::session::read_small(path)?.into())),
    };
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    Ok(match read_through(file, hashing, progress).map_err(failed)? {
        Hashing::Blake2b(hasher) => Material::Blake2b(hasher.finalize().into()),
        Hashing::Sha2(hasher) if construction == Construction::Sshsig => {
            Material::Sshsig { namespace: namespace.to_owned(), algorithm, digest: hasher.finish() }
        }
        Hashing::Sha2(hasher) => Material::HashState(hasher.state()),
    })
}

/// Hashes on this thread what another one reads, so that neither waits for the other. Two buffers go round between them.
fn read_through(file: impl Read + Send, mut hashing: Hashing, progress: &Progress) -> io::Result<Hashing> {
    let (full, filled) = sync_channel::<Vec<u8>>(BUFFERS);
    let (empty, emptied) = sync_channel(BUFFERS);
    std::thread::scope(|threads| {
        let reader = threads.spawn(move || read_all(file, &full, &emptied));
        for _ in 0..BUFFERS {
            // The reader may have ended already, after a short file.
            let _ = empty.send(vec![0; BUFFER]);
        }
        for buffer in filled {
            hashing.update(&buffer);
            progress.0.inc(u64::try_from(buffer.len()).unwrap_or(0));
            let _ = empty.send(buffer);
        }
        drop(empty);
        reader.join().unwrap_or_else(|_| Err(io::Error::other("the thread that reads has ended")))
    })?;
    Ok(hashing)
}

/// Reads to the end; a buffer comes back as long as what was read into it.
fn read_all(mut file: impl Read, full: &SyncSender<Vec<u8>>, emptied: &Receiver<Vec<u8>>) -> io::Result<()> {
    for mut buffer in emptied {
        buffer.resize(BUFFER, 0);
        let n = loop {
            match file.read(&mut buffer) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                read => break read?,
            }
        };
        buffer.truncate(n);
        if n == 0 || full.send(buffer).is_err() {
            break;
        }
    }
    Ok(())
}

/// The digest of what is in memory.
pub(crate) fn digest_of(algorithm: HashAlgorithm, bytes: &[u8]) -> Vec<u8> {
    let mut hasher = Hasher::new(match algorithm {
        HashAlgorithm::Sha256 => Hash::Sha256,
        HashAlgorithm::Sha512 => Hash::Sha512,
    });
    hasher.update(bytes);
    hasher.finish()
}

/// How many bytes the files have together; those that cannot be looked at count nothing.
pub(crate) fn total(paths: &[impl AsRef<Path>]) -> u64 {
    paths.iter().filter_map(|p| std::fs::metadata(p).ok()).fold(0, |sum: u64, m| sum.saturating_add(m.len()))
}

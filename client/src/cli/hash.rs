//! Digests of files of any size, in constant memory.

use super::error::CliError;
use chancery::HashAlgorithm;
use indicatif::{ProgressBar, ProgressStyle};
use sha2::{Sha256, Sha512};
use std::fs::File;
use std::io::{self, IsTerminal as _, Read};
use std::path::Path;

const BUFFER: usize = 1024 * 1024;

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

/// The digest of a file.
pub(crate) fn digest(path: &Path, algorithm: HashAlgorithm, progress: &Progress) -> Result<Vec<u8>, CliError> {
    let failed = |source| CliError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    match algorithm {
        HashAlgorithm::Sha256 => hash::<Sha256>(file, progress),
        HashAlgorithm::Sha512 => hash::<Sha512>(file, progress),
    }
    .map_err(failed)
}

fn hash<D: sha2::Digest>(mut file: impl Read, progress: &Progress) -> io::Result<Vec<u8>> {
    let mut hasher = D::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hasher.finalize().to_vec()),
            Ok(n) => {
                hasher.update(buffer.get(..n).unwrap_or_default());
                progress.0.inc(u64::try_from(n).unwrap_or(0));
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}

/// How many bytes the files have together; those that cannot be looked at count nothing.
pub(crate) fn total(paths: &[impl AsRef<Path>]) -> u64 {
    paths.iter().filter_map(|p| std::fs::metadata(p).ok()).fold(0, |sum: u64, m| sum.saturating_add(m.len()))
}

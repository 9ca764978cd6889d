//! Reading a repository: `bare` and `archive` ones keep commits and the summary in the same places.

use chancery_formats::ostree::is_ref_name;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// OSTree's own limit for metadata is 128 MiB (`OSTREE_MAX_METADATA_SIZE`).
const MAX_BYTES: u64 = 128 * 1024 * 1024;

/// A repository on this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    path: PathBuf,
}

/// SHA-256 of a commit object, which is its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CommitId(pub [u8; 32]);

/// A commit whose bytes are those that its name promises.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// The bytes of the object.
    pub bytes: Vec<u8>,
}

/// Why something cannot be read from a repository.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RepoError {
    /// The directory is no repository.
    #[error("{} is not an OSTree repository: it has no {missing}", path.display())]
    NotARepo {
        /// The directory.
        path: PathBuf,
        /// What a repository has.
        missing: &'static str,
    },
    /// There is no summary.
    #[error("{} has no summary; make one with `ostree --repo={} summary -u`", path.display(), path.display())]
    NoSummary {
        /// The repository.
        path: PathBuf,
    },
    /// There is no index.
    #[error("{} has no summary.idx; make one with `flatpak build-update-repo {}`", path.display(), path.display())]
    NoIndex {
        /// The repository.
        path: PathBuf,
    },
    /// Neither a ref name nor a checksum.
    #[error("{name:?} is neither the name of a local ref nor a commit checksum of 64 lower-case hex digits")]
    Name {
        /// What was given.
        name: String,
    },
    /// No such ref.
    #[error("{} has no ref {name}; `ostree --repo={} refs` lists them", path.display(), path.display())]
    NoRef {
        /// The repository.
        path: PathBuf,
        /// The name of the ref.
        name: String,
    },
    /// The file of a ref does not hold a checksum.
    #[error("the ref {name} does not hold the checksum of a commit")]
    BadRef {
        /// The name of the ref.
        name: String,
    },
    /// No such commit.
    #[error("{} does not hold the commit {id} itself; pull it first", path.display())]
    NoCommit {
        /// The repository.
        path: PathBuf,
        /// The commit.
        id: CommitId,
    },
    /// The object has another hash than its name.
    #[error("the object {} is damaged: its SHA-256 is {found}; run `ostree fsck`", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The hash that it has.
        found: CommitId,
    },
    /// A file is larger than OSTree allows.
    #[error("{} is larger than the 128 MiB that OSTree allows", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The answer of the file system.
        #[source]
        source: std::io::Error,
    },
}

impl Repo {
    /// Takes a directory that has what every repository has.
    ///
    /// # Errors
    /// [`RepoError::NotARepo`].
    pub fn open(path: &Path) -> Result<Self, RepoError> {
        for missing in ["config", "objects"] {
            if !path.join(missing).exists() {
                return Err(RepoError::NotARepo { path: path.to_owned(), missing });
            }
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The bytes of the summary as it lies there.
    ///
    /// # Errors
    /// [`RepoError`] when there is none or it cannot be read.
    pub fn summary(&self) -> Result<Vec<u8>, RepoError> {
        read_optional(&self.path.join("summary"))?.ok_or_else(|| RepoError::NoSummary { path: self.path.clone() })
    }

    /// Where the signatures of the summary are.
    #[must_use]
    pub fn summary_signatures(&self) -> PathBuf {
        self.path.join("summary.sig")
    }

    /// The bytes of Flatpak's index as it lies there.
    ///
    /// # Errors
    /// [`RepoError`] when there is none or it cannot be read.
    pub fn index(&self) -> Result<Vec<u8>, RepoError> {
        read_optional(&self.path.join("summary.idx"))?.ok_or_else(|| RepoError::NoIndex { path: self.path.clone() })
    }

    /// Where the signatures of an index are: by its digest, where a client finds those that belong to the index that it got, and under
    /// the name that older clients ask for.
    #[must_use]
    pub fn index_signatures(&self, index: &[u8]) -> [PathBuf; 2] {
        let digest = CommitId(Sha256::digest(index).into());
        [self.path.join("summaries").join(format!("{digest}.idx.sig")), self.path.join("summary.idx.sig")]
    }

    /// Where the signatures of a commit are.
    #[must_use]
    pub fn commit_signatures(&self, id: CommitId) -> PathBuf {
        self.object(id, "commitmeta")
    }

    /// Finds the commit that a local ref points to, or that has this checksum.
    ///
    /// # Errors
    /// [`RepoError`].
    pub fn resolve(&self, name: &str) -> Result<CommitId, RepoError> {
        if let Ok(id) = name.parse() {
            return Ok(id);
        }
        if !is_ref_name(name) {
            return Err(RepoError::Name { name: crate::text::printable(name) });
        }
        let bytes = read_optional(&self.path.join("refs/heads").join(name))?;
        let bytes = bytes.ok_or_else(|| RepoError::NoRef { path: self.path.clone(), name: name.to_owned() })?;
        let text = std::str::from_utf8(&bytes).unwrap_or_default();
        text.trim_end().parse().map_err(|()| RepoError::BadRef { name: name.to_owned() })
    }

    /// Reads a commit and makes sure that its bytes are those that its name promises.
    ///
    /// # Errors
    /// [`RepoError`].
    pub fn commit(&self, id: CommitId) -> Result<Commit, RepoError> {
        let path = self.object(id, "commit");
        let bytes = read_optional(&path)?.ok_or_else(|| RepoError::NoCommit { path: self.path.clone(), id })?;
        let found = CommitId(Sha256::digest(&bytes).into());
        if found == id { Ok(Commit { id, bytes }) } else { Err(RepoError::Damaged { path, found }) }
    }

    fn object(&self, id: CommitId, kind: &str) -> PathBuf {
        let hex = id.to_string();
        let (directory, rest) = hex.split_at_checked(2).unwrap_or_default();
        self.path.join("objects").join(directory).join(format!("{rest}.{kind}"))
    }
}

/// The bytes of a file; `None` when there is no such file.
pub(super) fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, RepoError> {
    let failed = |source| RepoError::Read { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    match File::open(path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory) => return Ok(None),
        Err(e) => return Err(failed(e)),
        Ok(file) if file.metadata().map_err(failed)?.is_dir() => return Ok(None),
        Ok(file) => file.take(MAX_BYTES.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?,
    };
    let fits = u64::try_from(bytes.len()).is_ok_and(|n| n <= MAX_BYTES);
    if fits { Ok(Some(bytes)) } else { Err(RepoError::TooLarge { path: path.to_owned() }) }
}

impl FromStr for CommitId {
    type Err = ();
    fn from_str(s: &str) -> Result<Self, ()> {
        let (pairs, rest) = s.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(());
        }
        let mut id = [0; 32];
        for (byte, [high, low]) in id.iter_mut().zip(pairs) {
            *byte = (nibble(*high)? << 4) | nibble(*low)?;
        }
        Ok(Self(id))
    }
}

fn nibble(digit: u8) -> Result<u8, ()> {
    match digit {
        b'0'..=b'9' => Ok(digit.wrapping_sub(b'0')),
        b'a'..=b'f' => Ok(digit.wrapping_sub(b'a').wrapping_add(10)),
        _ => Err(()),
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chancery_reqlog::durable::{create_dir_all, write_atomic};

    /// A repository with one commit under one ref.
    fn repo(bytes: &[u8]) -> (tempfile::TempDir, Repo, CommitId) {
        let dir = tempfile::tempdir().unwrap();
        let id = CommitId(Sha256::digest(bytes).into());
        let hex = id.to_string();
        for sub in ["objects".to_owned(), format!("objects/{}", &hex[..2]), "refs/heads/app/x".to_owned()] {
            create_dir_all(&dir.path().join(sub), 0o755).unwrap();
        }
        write_atomic(&dir.path().join("config"), b"[core]\n", 0o644).unwrap();
        write_atomic(&dir.path().join(format!("objects/{}/{}.commit", &hex[..2], &hex[2..])), bytes, 0o644).unwrap();
        write_atomic(&dir.path().join("refs/heads/app/x/stable"), format!("{hex}\n").as_bytes(), 0o644).unwrap();
        let repo = Repo::open(dir.path()).unwrap();
        (dir, repo, id)
    }

    #[test]
    fn a_commit_is_found_by_ref_and_by_checksum() {
        let (_dir, repo, id) = repo(b"commit");
        assert_eq!(repo.resolve("app/x/stable").unwrap(), id);
        assert_eq!(repo.resolve(&id.to_string()).unwrap(), id);
        assert_eq!(repo.commit(id).unwrap().bytes, b"commit");
        assert!(matches!(repo.resolve("app/x/beta"), Err(RepoError::NoRef { .. })));
        assert!(matches!(repo.resolve("app/x"), Err(RepoError::NoRef { .. })));
        assert!(matches!(repo.commit(CommitId([0; 32])), Err(RepoError::NoCommit { .. })));
    }

    #[test]
    fn names_that_lead_out_of_the_repository_are_refused() {
        let (_dir, repo, _) = repo(b"commit");
        for bad in ["../../../etc/passwd", "/etc/passwd", "", "a//b", "origin:app/x"] {
            assert!(matches!(repo.resolve(bad), Err(RepoError::Name { .. })), "{bad:?}");
        }
    }

    #[test]
    fn a_damaged_commit_is_not_taken() {
        let (dir, repo, id) = repo(b"commit");
        let hex = id.to_string();
        write_atomic(&dir.path().join(format!("objects/{}/{}.commit", &hex[..2], &hex[2..])), b"other", 0o644).unwrap();
        assert!(matches!(repo.commit(id), Err(RepoError::Damaged { .. })));
    }

    #[test]
    fn a_directory_that_is_no_repository_is_said_to_be_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(matches!(Repo::open(dir.path()), Err(RepoError::NotARepo { missing: "config", .. })));
        let (_dir, repo, _) = repo(b"commit");
        assert!(matches!(repo.summary(), Err(RepoError::NoSummary { .. })));
    }
}

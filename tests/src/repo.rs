//! A real OSTree repository, made by the real `ostree`.

use crate::run::{run, tool};
use std::fs;
use std::path::{Path, PathBuf};

/// An archive repository with a few refs.
pub struct OstreeRepo {
    path: PathBuf,
}

impl OstreeRepo {
    /// Makes one below `dir` with a commit on each of these refs and a summary; `None` when `ostree` is to be skipped.
    #[must_use]
    pub fn make(dir: &Path, refs: &[&str]) -> Option<Self> {
        let path = dir.join("repo");
        let repo = Self { path };
        let _ = run(repo.ostree()?.args(["init", "--mode=archive"])).ok();
        for name in refs {
            repo.commit(name, "first");
        }
        repo.summary();
        Some(repo)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An `ostree` command on it.
    #[must_use]
    pub fn ostree(&self) -> Option<std::process::Command> {
        let mut command = tool("ostree")?;
        command.arg(format!("--repo={}", self.path.display()));
        Some(command)
    }

    /// Commits a small tree to a ref.
    pub fn commit(&self, name: &str, text: &str) {
        let tree = tempfile::tempdir().unwrap();
        fs::write(tree.path().join("file"), text).unwrap();
        let mut command = self.ostree().unwrap();
        let _ = run(command.args(["commit", "-b", name, "-s", text]).arg(format!("--tree=dir={}", tree.path().display()))).ok();
    }

    /// Makes the summary anew.
    pub fn summary(&self) {
        let _ = run(self.ostree().unwrap().args(["summary", "-u"])).ok();
    }

    /// The commit that a ref points to.
    #[must_use]
    pub fn rev(&self, name: &str) -> String {
        run(self.ostree().unwrap().args(["rev-parse", name])).ok().stdout.trim().to_owned()
    }

    /// The file with a commit's detached metadata.
    #[must_use]
    pub fn commitmeta(&self, checksum: &str) -> PathBuf {
        self.path.join("objects").join(&checksum[..2]).join(format!("{}.commitmeta", &checksum[2..]))
    }
}

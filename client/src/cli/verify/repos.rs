//! Signatures in OSTree repositories.

use super::super::error::CliError;
use super::super::{Global, session};
use super::{Found, OstreeCommit, OstreeSummary, Trust};
use chancery::ostree::Repo;
use chancery::{Construction, Material, open};
use chancery_formats::ostree::signatures::SignatureSet;
use std::path::Path;

impl OstreeSummary {
    pub(super) fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let repo = Repo::open(&self.repo)?;
        let summary = repo.summary()?;
        let what = format!("the summary of {}", self.repo.display());
        let constructions = [Construction::OstreeSummaryEd25519, Construction::OstreeSummaryOpenpgp];
        self.trust.in_set(what, constructions, summary, &repo.summary_signatures(), global)
    }
}

impl OstreeCommit {
    pub(super) fn verify(&self, global: &Global) -> Result<Found, CliError> {
        let repo = Repo::open(&self.repo)?;
        let commit = repo.commit(repo.resolve(&self.commit)?)?;
        let path = repo.commit_signatures(commit.id);
        let constructions = [Construction::OstreeCommitEd25519, Construction::OstreeCommitOpenpgp];
        self.trust.in_set(format!("commit {}", commit.id), constructions, commit.bytes, &path, global)
    }
}

impl Trust {
    /// The first signature of a file that is by a key that is believed.
    fn in_set(
        &self,
        what: String,
        [ed25519, openpgp]: [Construction; 2],
        signed: Vec<u8>,
        path: &Path,
        global: &Global,
    ) -> Result<Found, CliError> {
        let keys = self.keys(global)?;
        let bytes = session::read_small(path)?;
        let (set, _) = SignatureSet::parse(&bytes).map_err(|source| CliError::Signatures { path: path.to_owned(), source })?;
        let material = Material::content(signed.into());
        let all = set.ed25519().iter().map(|s| (ed25519, s.as_slice())).chain(set.openpgp().iter().map(|s| (openpgp, s.as_slice())));
        for (construction, signature) in all {
            for by in &keys {
                if let Ok(opened) = open(construction, &material, "", by, signature) {
                    return Ok(Found { what, by: *by, construction, opened });
                }
            }
        }
        Err(CliError::NotSigned { what, by: "the given key".to_owned() })
    }
}

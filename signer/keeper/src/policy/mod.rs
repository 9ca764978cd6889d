//! What each principal may have signed. Whatever no grant allows is denied.
//!
//! A grant allows a request only as a whole: a summary whose refs are covered by two grants together, but by neither alone, is denied.

mod decide;
mod glob;
mod read;
mod reason;
mod refs;

pub use crate::sheet::{Finding, Findings as PolicyErrors};
pub use decide::{Denial, KeyFacts, Permit, decide};
pub use glob::{Glob, GlobError};
pub use reason::Reason;
pub use refs::RefGlob;

use chancery_channel::{KeyDescription, KeyName, Namespace, Principal};
use chancery_formats::Construction;

/// A policy that was read without errors.
#[derive(Debug)]
pub struct Policy {
    grants: Vec<Grant>,
    warnings: Vec<Finding>,
    digest: [u8; 32],
}

/// One rule: this principal may use this key for these constructions on these subjects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    place: Place,
    rule: Rule,
}

/// What a grant says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rule {
    principal: Principal,
    key: KeyName,
    constructions: Vec<Construction>,
    subject: Glob,
    refs: Vec<RefGlob>,
    namespaces: Vec<Namespace>,
    names: Vec<Glob>,
    max_content: Option<u64>,
}

/// Where a grant stands in its file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    file: String,
    line: usize,
    column: usize,
}

impl Policy {
    /// Reads a policy. `file_name` is for messages only.
    ///
    /// # Errors
    /// [`PolicyErrors`]: all mistakes, each with its place and what to write instead.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, PolicyErrors> {
        read::policy(text, file_name)
    }

    /// SHA-256 of the file.
    #[must_use]
    pub const fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// The grants, in the order of the file.
    #[must_use]
    pub fn grants(&self) -> &[Grant] {
        &self.grants
    }

    /// What is probably not meant, but no reason to refuse the policy.
    #[must_use]
    pub fn warnings(&self) -> &[Finding] {
        &self.warnings
    }

    /// What the policy says that does not fit the keys that there are: requests under these grants will be denied.
    #[must_use]
    pub fn check_keys(&self, keys: &[KeyDescription]) -> Vec<Finding> {
        let misfit = |grant: &Grant| {
            let names = keys.iter().map(|k| k.name.as_str());
            read::misfit(grant, keys.iter().find(|k| k.name == grant.rule.key), names)
        };
        self.grants.iter().filter_map(misfit).collect()
    }
}

impl Grant {
    /// Who may ask.
    #[must_use]
    pub const fn principal(&self) -> &Principal {
        &self.rule.principal
    }

    /// The key that may be used.
    #[must_use]
    pub const fn key(&self) -> &KeyName {
        &self.rule.key
    }

    /// What it may be used for.
    #[must_use]
    pub fn constructions(&self) -> &[Construction] {
        &self.rule.constructions
    }

    /// The subjects.
    #[must_use]
    pub const fn subject(&self) -> &Glob {
        &self.rule.subject
    }

    /// The refs, for `ostree-*`.
    #[must_use]
    pub fn refs(&self) -> &[RefGlob] {
        &self.rule.refs
    }

    /// The namespaces, for `sshsig`.
    #[must_use]
    pub fn namespaces(&self) -> &[Namespace] {
        &self.rule.namespaces
    }

    /// The names inside the content, where its construction has names: of a tag, of files.
    #[must_use]
    pub fn names(&self) -> &[Glob] {
        &self.rule.names
    }

    /// Greatest content, in bytes.
    #[must_use]
    pub const fn max_content(&self) -> Option<u64> {
        self.rule.max_content
    }

    /// Line of the file that it begins on.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.place.line
    }
}

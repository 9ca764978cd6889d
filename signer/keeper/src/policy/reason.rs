//! Why requests are denied, for machines and for people.

use super::Grant;
use crate::content::SummaryRef;
use crate::text::quote;
use chancery_channel::{KeyDescription, SignRequest};

/// Why a request is denied: how near the nearest grant came, then what is the matter with the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Reason {
    /// The principal has no grant at all.
    NoGrant,
    /// None of its grants is for this key.
    KeyNotGranted,
    /// None is for this key and construction.
    ConstructionNotGranted,
    /// None of those is for this subject.
    SubjectNotGranted,
    /// The content is larger than those allow.
    TooLarge,
    /// None of those is for this namespace.
    NamespaceNotGranted,
    /// The commit is bound to no ref, and none of those allows every ref.
    NoRefBinding,
    /// A ref is not among those that they allow.
    RefNotGranted,
    /// A name in the content is not among those that they allow.
    NameNotGranted,
    /// A grant allows it, but there is no such key.
    KeyUnknown,
    /// A grant allows it, but the key was not made for it.
    ConstructionNotForKey,
    /// A grant allows it, but the key is sealed.
    KeyLocked,
    /// A grant allows it, but the time of all versions of the key is over.
    KeyRetired,
}

impl Reason {
    /// A stable code for machines.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoGrant => "no-grant",
            Self::KeyNotGranted => "key-not-granted",
            Self::ConstructionNotGranted => "construction-not-granted",
            Self::SubjectNotGranted => "subject-not-granted",
            Self::TooLarge => "too-large",
            Self::NamespaceNotGranted => "namespace-not-granted",
            Self::NoRefBinding => "no-ref-binding",
            Self::RefNotGranted => "ref-not-granted",
            Self::NameNotGranted => "name-not-granted",
            Self::KeyUnknown => "key-unknown",
            Self::ConstructionNotForKey => "construction-not-for-key",
            Self::KeyLocked => "key-locked",
            Self::KeyRetired => "key-retired",
        }
    }

    /// Whether the key does not exist.
    #[must_use]
    pub const fn is_unknown_key(self) -> bool {
        matches!(self, Self::KeyUnknown)
    }
}

/// How a grant, or the key, fails a request.
pub(super) enum Miss<'a> {
    Grant,
    Key,
    Construction,
    Subject,
    Size { max: u64, has: u64 },
    Namespace(&'a str),
    Binding(&'a Grant),
    CommitRef(&'a Grant, &'a str),
    SummaryRef(&'a Grant, &'a SummaryRef),
    Name(&'a Grant, &'a str),
    KeyUnknown,
    Purpose(&'a KeyDescription),
    KeyLocked,
    KeyRetired(&'a KeyDescription),
}

impl Miss<'_> {
    pub(super) const fn reason(&self) -> Reason {
        match self {
            Self::Grant => Reason::NoGrant,
            Self::Key => Reason::KeyNotGranted,
            Self::Construction => Reason::ConstructionNotGranted,
            Self::Subject => Reason::SubjectNotGranted,
            Self::Size { .. } => Reason::TooLarge,
            Self::Namespace(_) => Reason::NamespaceNotGranted,
            Self::Binding(_) => Reason::NoRefBinding,
            Self::CommitRef(..) | Self::SummaryRef(..) => Reason::RefNotGranted,
            Self::Name(..) => Reason::NameNotGranted,
            Self::KeyUnknown => Reason::KeyUnknown,
            Self::Purpose(_) => Reason::ConstructionNotForKey,
            Self::KeyLocked => Reason::KeyLocked,
            Self::KeyRetired(_) => Reason::KeyRetired,
        }
    }

    /// What happened and what to do next, for the one who asked.
    pub(super) fn message(&self, request: &SignRequest) -> String {
        let (who, key) = (quote(request.principal.as_str()), quote(request.key.as_str()));
        let (construction, subject) = (request.construction, quote(request.subject.as_str()));
        let ask = "ask the operator of the key host for a grant";
        match self {
            Self::Grant => format!("the policy has no grant for {who}; {ask}"),
            Self::Key => format!("no grant of {who} is for key {key}; use another key, or {ask}"),
            Self::Construction => format!("no grant of {who} for key {key} is for {construction}; {ask}"),
            Self::Subject => {
                format!("no grant of {who} for key {key} and {construction} is for subject {subject}; check the subject, or {ask}")
            }
            Self::Size { max, has } => {
                format!("the content has {has} bytes, the grant allows {max}; send less, or ask the operator to raise its max_content")
            }
            Self::Namespace(namespace) => {
                format!("namespace {} is not granted to {who} for key {key}; use one that is, or {ask}", quote(namespace))
            }
            Self::Binding(grant) => format!(
                "the commit is bound to no ref, so nothing says where it may be published; commit with a ref binding, or ask the operator for \
                 refs = [\"**\"] in the grant at line {} of the policy",
                grant.line()
            ),
            Self::CommitRef(grant, name) => {
                let line = grant.line();
                format!(
                    "the commit is bound to ref {}, which the grant at line {line} of the policy does not allow; commit to another ref, or {ask}",
                    quote(name)
                )
            }
            Self::SummaryRef(grant, r) => {
                let name = r.collection.as_ref().map_or_else(|| quote(&r.name), |c| quote(&format!("{c}:{}", r.name)));
                let line = grant.line();
                format!(
                    "the summary lists ref {name}, which the grant at line {line} of the policy does not allow; remove the ref, or {ask}"
                )
            }
            Self::Name(grant, name) => {
                let line = grant.line();
                format!(
                    "the content names {}, which the grant at line {line} of the policy does not allow; use another name, or {ask}",
                    quote(name)
                )
            }
            Self::KeyUnknown => format!("there is no key {key}; check its name, or ask the operator of the key host to make it"),
            Self::Purpose(description) => {
                let made_for: Vec<&str> = description.constructions.iter().map(|c| c.name()).collect();
                format!("key {key} was made for {}, for good, not for {construction}; use another key", made_for.join(" and "))
            }
            Self::KeyRetired(description) => {
                let (version, end) = (description.version, crate::key::time_text(description.retires.unwrap_or_default()));
                format!(
                    "version {version} of key {key}, its newest, was retired on {end}; ask the operator of the key host for a new version"
                )
            }
            Self::KeyLocked => format!("key {key} is sealed; ask the operator of the key host to open it, then send the same again"),
        }
    }
}

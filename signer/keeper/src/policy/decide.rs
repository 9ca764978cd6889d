//! The decision: a pure function of policy, request, facts of the content, key and time.

use super::{Grant, Policy};
use crate::content::{Checked, Facts, SummaryRef};
use crate::text::quote;
use chancery_channel::{KeyDescription, KeyState, SignRequest};

/// A request that the policy allows. Made by [`decide`] and by nothing else; can neither be cloned nor changed.
pub struct Permit {
    checked: Checked,
    grant: usize,
    key_version: u32,
    key_id: [u8; 32],
    policy_digest: [u8; 32],
}

/// A request that the policy does not allow, and why.
pub struct Denial {
    reason: Reason,
    message: String,
    checked: Box<Checked>,
}

/// What a decision needs to know of the key that was asked for.
#[derive(Debug, Clone, Copy)]
pub struct KeyFacts<'a> {
    /// What it was made for, its version and its state.
    pub description: &'a KeyDescription,
    /// SHA-256 of its `SubjectPublicKeyInfo`.
    pub id: &'a [u8; 32],
}

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
    /// A grant allows it, but there is no such key.
    KeyUnknown,
    /// A grant allows it, but the key was not made for it.
    ConstructionNotForKey,
    /// A grant allows it, but the key is sealed.
    KeyLocked,
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
            Self::KeyUnknown => "key-unknown",
            Self::ConstructionNotForKey => "construction-not-for-key",
            Self::KeyLocked => "key-locked",
        }
    }

    /// Whether the key does not exist.
    #[must_use]
    pub const fn is_unknown_key(self) -> bool {
        matches!(self, Self::KeyUnknown)
    }
}

/// Decides a request: permitted when one grant covers all of it and the key can do it. No rule of this version depends on the time,
/// which is in milliseconds since 1970.
///
/// # Errors
/// [`Denial`] names the nearest miss, and keeps the request so that it can be recorded. Sending the same again gives the same.
pub fn decide(policy: &Policy, checked: Checked, key: Option<KeyFacts<'_>>, _now_ms: u64) -> Result<Permit, Denial> {
    match permission(policy, &checked, key) {
        Ok(Allowed { grant, key_version, key_id }) => Ok(Permit { checked, grant, key_version, key_id, policy_digest: policy.digest() }),
        Err(miss) => {
            let (reason, message) = (miss.reason(), miss.message(checked.request()));
            Err(Denial { reason, message, checked: Box::new(checked) })
        }
    }
}

/// By which grant, and with which key.
struct Allowed {
    grant: usize,
    key_version: u32,
    key_id: [u8; 32],
}

fn permission<'a>(policy: &'a Policy, checked: &'a Checked, key: Option<KeyFacts<'a>>) -> Result<Allowed, Miss<'a>> {
    let mut nearest = Miss::Grant;
    for (grant, rule) in policy.grants().iter().enumerate() {
        match try_grant(rule, checked) {
            Ok(()) => {
                let key = usable(checked.request(), key)?;
                return Ok(Allowed { grant, key_version: key.description.version, key_id: *key.id });
            }
            Err(miss) if miss.reason() > nearest.reason() => nearest = miss,
            Err(_) => {}
        }
    }
    Err(nearest)
}

fn try_grant<'a>(grant: &'a Grant, checked: &'a Checked) -> Result<(), Miss<'a>> {
    let request = checked.request();
    let rule = &grant.rule;
    if rule.principal != request.principal {
        return Err(Miss::Grant);
    }
    if rule.key != request.key {
        return Err(Miss::Key);
    }
    if !rule.constructions.contains(&request.construction) {
        return Err(Miss::Construction);
    }
    if !rule.subject.matches(request.subject.as_str()) {
        return Err(Miss::Subject);
    }
    if let Some(max) = rule.max_content.filter(|max| checked.len() > *max) {
        return Err(Miss::Size { max, has: checked.len() });
    }
    names(grant, checked.facts())
}

/// The names inside the content, as far as it can be seen.
fn names<'a>(grant: &'a Grant, facts: &'a Facts) -> Result<(), Miss<'a>> {
    let rule = &grant.rule;
    let allowed = |collection: Option<&str>, name: &str| rule.refs.iter().any(|glob| glob.matches(collection, name));
    match facts {
        Facts::Digest { namespace } if rule.namespaces.contains(namespace) => Ok(()),
        Facts::Digest { namespace } => Err(Miss::Namespace(namespace.as_str())),
        Facts::Summary { refs, .. } => {
            let stranger = refs.iter().find(|r| !allowed(r.collection.as_deref(), &r.name));
            stranger.map_or(Ok(()), |r| Err(Miss::SummaryRef(grant, r)))
        }
        Facts::Commit { refs, .. } if refs.is_empty() => {
            let everything = rule.refs.iter().any(super::RefGlob::is_everything);
            if everything { Ok(()) } else { Err(Miss::Binding(grant)) }
        }
        Facts::Commit { refs, .. } => {
            let stranger = refs.iter().find(|name| !allowed(None, name));
            stranger.map_or(Ok(()), |name| Err(Miss::CommitRef(grant, name)))
        }
    }
}

fn usable<'a>(request: &SignRequest, key: Option<KeyFacts<'a>>) -> Result<KeyFacts<'a>, Miss<'a>> {
    let key = key.ok_or(Miss::KeyUnknown)?;
    if !key.description.constructions.contains(&request.construction) {
        return Err(Miss::Purpose(key.description));
    }
    match key.description.state {
        KeyState::Open => Ok(key),
        KeyState::Locked => Err(Miss::KeyLocked),
    }
}

/// How a grant, or the key, fails a request.
enum Miss<'a> {
    Grant,
    Key,
    Construction,
    Subject,
    Size { max: u64, has: u64 },
    Namespace(&'a str),
    Binding(&'a Grant),
    CommitRef(&'a Grant, &'a str),
    SummaryRef(&'a Grant, &'a SummaryRef),
    KeyUnknown,
    Purpose(&'a KeyDescription),
    KeyLocked,
}

impl Miss<'_> {
    const fn reason(&self) -> Reason {
        match self {
            Self::Grant => Reason::NoGrant,
            Self::Key => Reason::KeyNotGranted,
            Self::Construction => Reason::ConstructionNotGranted,
            Self::Subject => Reason::SubjectNotGranted,
            Self::Size { .. } => Reason::TooLarge,
            Self::Namespace(_) => Reason::NamespaceNotGranted,
            Self::Binding(_) => Reason::NoRefBinding,
            Self::CommitRef(..) | Self::SummaryRef(..) => Reason::RefNotGranted,
            Self::KeyUnknown => Reason::KeyUnknown,
            Self::Purpose(_) => Reason::ConstructionNotForKey,
            Self::KeyLocked => Reason::KeyLocked,
        }
    }

    /// What happened and what to do next, for the one who asked.
    fn message(&self, request: &SignRequest) -> String {
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
            Self::KeyUnknown => format!("there is no key {key}; check its name, or ask the operator of the key host to make it"),
            Self::Purpose(description) => {
                let made_for: Vec<&str> = description.constructions.iter().map(|c| c.name()).collect();
                format!("key {key} was made for {}, for good, not for {construction}; use another key", made_for.join(" and "))
            }
            Self::KeyLocked => format!("key {key} is sealed; ask the operator of the key host to open it, then send the same again"),
        }
    }
}

impl Permit {
    /// What is permitted.
    #[must_use]
    pub const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &SignRequest {
        self.checked.request()
    }

    /// Index of the grant that permits it.
    #[must_use]
    pub const fn grant(&self) -> usize {
        self.grant
    }

    /// Version of the key that is to sign.
    #[must_use]
    pub const fn key_version(&self) -> u32 {
        self.key_version
    }

    /// SHA-256 of the `SubjectPublicKeyInfo` of the key that is to sign.
    #[must_use]
    pub const fn key_id(&self) -> &[u8; 32] {
        &self.key_id
    }

    /// SHA-256 of the policy that permits it.
    #[must_use]
    pub const fn policy_digest(&self) -> &[u8; 32] {
        &self.policy_digest
    }

    /// What was permitted; the permit is used up.
    #[must_use]
    pub fn into_checked(self) -> Checked {
        self.checked
    }
}

impl Denial {
    /// Why.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// What happened and what to do next, for the one who asked.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What was asked for.
    #[must_use]
    pub const fn checked(&self) -> &Checked {
        &self.checked
    }

    /// What was asked for, without its content.
    #[must_use]
    pub fn into_request(self) -> SignRequest {
        self.checked.into_request()
    }
}

#[cfg(test)]
mod tests;

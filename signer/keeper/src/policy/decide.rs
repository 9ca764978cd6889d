//! The decision: a pure function of policy, request, facts of the content, key and time.

use super::reason::{Miss, Reason};
use super::{Grant, Policy};
use crate::content::{Checked, Facts};
use chancery_channel::{KeyDescription, KeyState, SignRequest};

/// A request that the policy allows. Made by [`decide`] and by nothing else; can neither be cloned nor changed.
pub struct Permit {
    checked: Checked,
    grant: usize,
    key_version: u32,
    key_id: [u8; 32],
    key_created: u64,
    public_key: [u8; 32],
    decided: u64,
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

/// Decides a request: permitted when one grant covers all of it and the key can do it. Of all rules, only the end of
/// the key depends on the time, which is in milliseconds since 1970.
///
/// # Errors
/// [`Denial`] names the nearest miss, and keeps the request so that it can be recorded. Sending the same again gives the same.
pub fn decide(policy: &Policy, checked: Checked, key: Option<KeyFacts<'_>>, now_ms: u64) -> Result<Permit, Denial> {
    match permission(policy, &checked, key, now_ms / 1000) {
        Ok(Allowed { grant, key_version, key_id, key_created, public_key }) => {
            let (decided, policy_digest) = (now_ms / 1000, policy.digest());
            Ok(Permit { checked, grant, key_version, key_id, key_created, public_key, decided, policy_digest })
        }
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
    key_created: u64,
    public_key: [u8; 32],
}

fn permission<'a>(policy: &'a Policy, checked: &'a Checked, key: Option<KeyFacts<'a>>, now: u64) -> Result<Allowed, Miss<'a>> {
    let mut nearest = Miss::Grant;
    for (grant, rule) in policy.grants().iter().enumerate() {
        match try_grant(rule, checked) {
            Ok(()) => {
                let key = usable(checked.request(), key, now)?;
                let KeyDescription { version, created, public_key, .. } = *key.description;
                return Ok(Allowed { grant, key_version: version, key_id: *key.id, key_created: created, public_key });
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
        Facts::Said { names, .. } => {
            let stranger = names.iter().find(|name| !rule.names.iter().any(|glob| glob.matches(name)));
            stranger.map_or(Ok(()), |name| Err(Miss::Name(grant, name)))
        }
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

fn usable<'a>(request: &SignRequest, key: Option<KeyFacts<'a>>, now: u64) -> Result<KeyFacts<'a>, Miss<'a>> {
    let key = key.ok_or(Miss::KeyUnknown)?;
    if !key.description.constructions.contains(&request.construction) {
        return Err(Miss::Purpose(key.description));
    }
    if key.description.is_retired(now) {
        return Err(Miss::KeyRetired(key.description));
    }
    match key.description.state {
        // Whether the token answers is not for the policy: what is granted now is signed when it is sent again.
        KeyState::Open | KeyState::Unreachable => Ok(key),
        KeyState::Locked => Err(Miss::KeyLocked),
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

    /// The public half of the key that is to sign.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.public_key
    }

    /// When the key that is to sign was made, in seconds since 1970.
    #[must_use]
    pub const fn key_created(&self) -> u64 {
        self.key_created
    }

    /// The same with another time of decision, in seconds since 1970: the clock's, where it was decided as of the log's time, which is later.
    #[must_use]
    pub fn dated(self, decided: u64) -> Self {
        Self { decided, ..self }
    }

    /// When it was decided, in seconds since 1970.
    #[must_use]
    pub const fn decided(&self) -> u64 {
        self.decided
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

//! What an entry says: the public leaf, and the private details under it.

use super::{Arrival, StartFacts, Turned};
use crate::content::Facts;
use crate::prepare::Prepared;
use chancery_channel::{KeyDescription, Payload, SignRequest};
use chancery_reqlog::{Decision, Details, DetailsError, Leaf, NewEntry, Salts, SaltsError, Token, TokenError};
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;

/// Salts that one entry may need, at most.
const SALTS: usize = 10;
/// More of a list of refs is not written out: its length and its digest stand for the rest.
const REFS_MAX: usize = 16 * 1024;

/// Why an entry could not be made. Nothing is signed then.
#[derive(Debug, thiserror::Error)]
pub enum EntryError {
    /// No random numbers.
    #[error(transparent)]
    Salts(#[from] SaltsError),
    /// Details that cannot be recorded.
    #[error(transparent)]
    Details(#[from] DetailsError),
    /// A code with other characters.
    #[error("a code of an entry is not in its alphabet")]
    Token(#[from] TokenError),
    /// No salts were made.
    #[error("there are no random salts for the entry's details")]
    NoSalts,
    /// There is nothing to record.
    #[error("nothing was decided")]
    Nothing,
}

/// Makes entries whose times never go back.
pub(super) struct EntryMaker {
    last_ms: u64,
    /// How far behind that the clock was when it was last asked, in milliseconds.
    behind_ms: u64,
}

impl EntryMaker {
    pub(super) const fn new(last_ms: u64) -> Self {
        Self { last_ms, behind_ms: 0 }
    }

    /// The time for the next entry, and how far behind the newest entry the clock is, in milliseconds, if it went back by more than a second
    /// since it was last asked. So each jump is told once, and not again with every entry until the clock has caught up.
    pub(super) fn time(&mut self, now_ms: u64) -> (u64, Option<u64>) {
        let behind = self.last_ms.saturating_sub(now_ms);
        let back = (behind > self.behind_ms.saturating_add(1000)).then_some(behind);
        self.last_ms = self.last_ms.max(now_ms);
        self.behind_ms = behind;
        (self.last_ms, back)
    }

    /// The time of the newest entry, in milliseconds since 1970; no decision is made as of an earlier one.
    pub(super) const fn last_ms(&self) -> u64 {
        self.last_ms
    }

    pub(super) fn salts(entries: usize) -> Result<Salts, SaltsError> {
        Salts::random(entries.saturating_mul(SALTS))
    }
}

/// A request by its fingerprint, and how it came.
type Came<'a> = (&'a [u8; 32], &'a Arrival);

pub(super) fn signing(prepared: &Prepared, came: Came<'_>, time: u64, salts: &mut Salts) -> Result<NewEntry, EntryError> {
    let permit = prepared.permit();
    let mut leaf = Leaf::event(Token::SIGN, Decision::Permit, time);
    leaf.key = Some(*permit.key_id());
    leaf.key_version = Some(permit.key_version());
    leaf.policy = Some(*permit.policy_digest());
    leaf.tbs = Some(*prepared.tbs_sha256());
    let facts = facts_text(permit.checked().facts());
    let grant = permit.grant().to_string();
    let mut values = vec![("facts", facts.as_bytes()), ("grant", grant.as_bytes())];
    let time = prepared.own_time().map(|t| t.to_string());
    values.extend(time.iter().map(|t| ("time", t.as_bytes())));
    request_entry(leaf, prepared.request(), came, &values, salts)
}

pub(super) fn refusal(turned: &Turned, came: Came<'_>, time: u64, salts: &mut Salts) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::DENY, Decision::Deny, time);
    leaf.reason = Some(Token::new(turned.reason)?);
    if let Some((id, version)) = &turned.key {
        leaf.key = Some(*id);
        leaf.key_version = Some(*version);
    }
    leaf.policy = turned.policy;
    request_entry(leaf, &turned.request, came, &[("message", turned.message.as_bytes())], salts)
}

fn request_entry(
    mut leaf: Leaf,
    request: &SignRequest,
    (fingerprint, arrival): Came<'_>,
    more: &[(&str, &[u8])],
    salts: &mut Salts,
) -> Result<NewEntry, EntryError> {
    leaf.construction = Some(Token::new(request.construction.name())?);
    leaf.rid = Some(request.request_id.0);
    let payload = payload_text(&request.payload);
    let waited = arrival.since.elapsed().as_micros().to_string();
    let mut values: Vec<(&str, &[u8])> = vec![
        ("key", request.key.as_str().as_bytes()),
        ("payload", payload.as_bytes()),
        ("principal", request.principal.as_str().as_bytes()),
        ("request", fingerprint),
        ("subject", request.subject.as_str().as_bytes()),
        ("waited-us", waited.as_bytes()),
    ];
    values.extend(Some(("peer", arrival.peer.as_bytes())).filter(|(_, peer)| !peer.is_empty()));
    values.extend_from_slice(more);
    let details = Details::new(&values, salts)?;
    leaf.principal = details.field("principal").map(chancery_reqlog::Field::commitment);
    leaf.subject = details.field("subject").map(chancery_reqlog::Field::commitment);
    Ok(finish(leaf, &details))
}

/// The first entries of a run: that it begins, the policy in force, and each key that is open.
pub(super) fn start(facts: &StartFacts, time: u64) -> Result<Vec<NewEntry>, EntryError> {
    let mut salts = EntryMaker::salts(facts.keys.len().saturating_add(2))?;
    let mut begin = Leaf::event(Token::START, Decision::None, time);
    begin.policy = Some(facts.policy);
    let dropped = facts.dropped_bytes.to_string();
    let values: [(&str, &[u8]); 2] = [("dropped-bytes", dropped.as_bytes()), ("version", env!("CARGO_PKG_VERSION").as_bytes())];
    let mut entries = vec![event(begin, &values, &mut salts)?, policy(facts.policy, "in-force", time)?];
    for key in &facts.keys {
        let certificate =
            facts.certificates.iter().find(|(name, version, _)| *name == key.name && *version == key.version).map(|(.., digest)| digest);
        entries.push(key_entry(key, certificate, facts.policy, time, &mut salts)?);
    }
    Ok(entries)
}

/// That a policy is in force, and why it is told.
pub(super) fn policy(digest: [u8; 32], reason: &str, time: u64) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::POLICY, Decision::None, time);
    leaf.policy = Some(digest);
    leaf.reason = Some(Token::new(reason)?);
    Ok(NewEntry { leaf: leaf.to_bytes(), details: Vec::new() })
}

fn key_entry(
    key: &KeyDescription,
    certificate: Option<&[u8; 32]>,
    policy: [u8; 32],
    time: u64,
    salts: &mut Salts,
) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::KEY, Decision::None, time);
    leaf.key = chancery_formats::ed25519::PublicKey::from_bytes(&key.public_key).ok().map(|k| k.key_id());
    leaf.key_version = Some(key.version);
    leaf.policy = Some(policy);
    leaf.reason = Some(Token::new("in-service")?);
    let made_for: Vec<&str> = key.constructions.iter().map(|c| c.name()).collect();
    let (made_for, certificate) = (made_for.join(","), certificate.map(|digest| Hex(digest).to_string()));
    let mut values = vec![("constructions", made_for.as_bytes()), ("key", key.name.as_str().as_bytes())];
    values.extend(certificate.iter().map(|digest| ("openpgp-certificate", digest.as_bytes())));
    let retires = key.retires.map(crate::key::time_text);
    values.extend(retires.iter().map(|end| ("retires", end.as_bytes())));
    event(leaf, &values, salts)
}

/// That the clock went back by so many milliseconds.
pub(super) fn clock(back_ms: u64, time: u64, salts: &mut Salts) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::CLOCK, Decision::None, time);
    leaf.reason = Some(Token::new("went-back")?);
    event(leaf, &[("milliseconds", back_ms.to_string().as_bytes())], salts)
}

/// That requests are signed again, why they were not, and the policy in force.
pub(super) fn resume(why: &str, policy: Option<[u8; 32]>, time: u64) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::new("resume")?, Decision::None, time);
    leaf.policy = policy;
    leaf.reason = Some(Token::new("log-unavailable")?);
    event(leaf, &[("cause", why.as_bytes())], &mut EntryMaker::salts(1)?)
}

/// That the log ends here and goes on in the one with this verification key.
pub(super) fn sealed(next_vkey: &str, time: u64) -> Result<NewEntry, EntryError> {
    rotation("sealed", next_vkey.as_bytes(), &[("next-log", next_vkey.as_bytes())], time)
}

/// That the log goes on from the one whose last checkpoint this is.
pub(super) fn continues(previous_vkey: &str, note: &str, time: u64) -> Result<NewEntry, EntryError> {
    // What others sign below is not part of it.
    let text = note.split_inclusive("\n\n").next().and_then(|text| text.strip_suffix('\n')).unwrap_or(note);
    let details = [("previous-checkpoint", note.as_bytes()), ("previous-log", previous_vkey.as_bytes())];
    rotation("continues", text.as_bytes(), &details, time)
}

fn rotation(reason: &str, bound_to: &[u8], details: &[(&str, &[u8])], time: u64) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::new("rotate")?, Decision::None, time);
    leaf.reason = Some(Token::new(reason)?);
    leaf.tbs = Some(Sha256::digest(bound_to).into());
    event(leaf, details, &mut EntryMaker::salts(1)?)
}

/// That the log came out of a backup, and was accepted against a checkpoint of so many entries that others held.
pub(super) fn restored(size: u64, time: u64) -> Result<NewEntry, EntryError> {
    let mut leaf = Leaf::event(Token::RESTORE, Decision::None, time);
    leaf.reason = Some(Token::new("accepted")?);
    event(leaf, &[("checkpoint-size", size.to_string().as_bytes())], &mut EntryMaker::salts(1)?)
}

/// That the run ends in order.
pub(super) fn stop(time: u64) -> NewEntry {
    NewEntry { leaf: Leaf::event(Token::STOP, Decision::None, time).to_bytes(), details: Vec::new() }
}

fn event(leaf: Leaf, values: &[(&str, &[u8])], salts: &mut Salts) -> Result<NewEntry, EntryError> {
    if values.is_empty() {
        return Ok(NewEntry { leaf: leaf.to_bytes(), details: Vec::new() });
    }
    Ok(finish(leaf, &Details::new(values, salts)?))
}

fn finish(mut leaf: Leaf, details: &Details) -> NewEntry {
    leaf.details = Some(details.commitment());
    NewEntry { leaf: leaf.to_bytes(), details: details.encode() }
}

fn payload_text(payload: &Payload) -> String {
    match payload {
        Payload::Content { len, sha256 } => format!("content of {len} bytes sha256:{}", Hex(sha256)),
        Payload::Digest { namespace, digest } => {
            let algorithm = match digest.algorithm() {
                chancery_channel::DigestAlgorithm::Sha256 => "sha256",
                chancery_channel::DigestAlgorithm::Sha512 => "sha512",
            };
            format!("{namespace} {algorithm}:{}", Hex(digest.bytes()))
        }
        Payload::Blake2b(halves) => format!("blake2b:{}", Hex(halves.as_flattened())),
        Payload::HashState(state) => format!("hash state of {} bytes", state.length),
        Payload::Statement(statement) => format!("statement about {} files", statement.subjects.len()),
    }
}

/// The facts that the decision was made from, a line each.
fn facts_text(facts: &Facts) -> String {
    let mut out = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name} {value}");
    };
    match facts {
        Facts::Summary { refs, collection_id, last_modified, expires } => {
            collection_id.iter().for_each(|id| line("collection-id", id));
            last_modified.iter().for_each(|t| line("last-modified", &t.to_string()));
            expires.iter().for_each(|t| line("expires", &t.to_string()));
            let mut list = String::new();
            for r in refs {
                let collection = r.collection.as_deref().map_or_else(String::new, |c| format!("({c}) "));
                let _ = writeln!(list, "ref {collection}{} {}", r.name, Hex(&r.commit));
            }
            if list.len() > REFS_MAX {
                line("refs", &format!("{} sha256:{}", refs.len(), Hex(&Sha256::digest(&list))));
            } else {
                out.push_str(&list);
            }
        }
        Facts::Commit { refs, collection, parent, timestamp, version } => {
            refs.iter().take(64).for_each(|r| line("ref", r));
            collection.iter().for_each(|c| line("collection", c));
            parent.iter().for_each(|p| line("parent", &Hex(p).to_string()));
            line("timestamp", &timestamp.to_string());
            version.iter().for_each(|v| line("version", &v.chars().take(256).collect::<String>()));
        }
        Facts::Digest { .. } => {}
        Facts::Said { said, .. } => {
            let mut list = String::new();
            for (name, value) in said {
                let _ = writeln!(list, "{name} {value}");
            }
            if list.len() > REFS_MAX {
                line("said", &format!("{} sha256:{}", said.len(), Hex(&Sha256::digest(&list))));
            } else {
                out.push_str(&list);
            }
        }
    }
    out
}

struct Hex<'a>(&'a [u8]);

impl std::fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crate::text::hex(self.0))
    }
}

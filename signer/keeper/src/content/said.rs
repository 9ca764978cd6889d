//! What content says, as its construction reads it.

use super::{Content, Facts, SummaryRef, UnfitFault};
use chancery_channel::{DigestAlgorithm, HashState, Statement, StatementSubject};
use chancery_formats::checksums::Checksums;
use chancery_formats::dsse::{self, StatementError};
use chancery_formats::ostree::{self, Commit, Index, Summary};
use chancery_formats::{Construction, ContentError, git, note, openpgp, raw, signify, tuf};

/// Reads content whose digest is the declared one.
pub(super) fn content(construction: Construction, content: &Content) -> Result<Facts, UnfitFault> {
    let bytes = content.bytes.as_slice();
    let read = match construction {
        Construction::OstreeSummaryEd25519 | Construction::OstreeSummaryOpenpgp => summary(bytes),
        Construction::OstreeCommitEd25519 | Construction::OstreeCommitOpenpgp => commit(bytes),
        Construction::FlatpakIndexEd25519 | Construction::FlatpakIndexOpenpgp => index(bytes),
        Construction::ChecksumsSshsig
        | Construction::ChecksumsOpenpgp
        | Construction::ChecksumsMinisign
        | Construction::ChecksumsSignify => checksums(bytes),
        Construction::GitTagSshsig | Construction::GitTagOpenpgp => tag(bytes),
        Construction::GitCommitSshsig | Construction::GitCommitOpenpgp => git_commit(bytes),
        Construction::Tuf => tuf_role(bytes),
        Construction::SignedNote => note::NoteText::parse(bytes).map(|_| nothing()),
        Construction::Signify => signify::check(bytes).map(|()| nothing()),
        // The rest are made from digests, and none of them comes here.
        _ => raw::check(bytes).map(|()| nothing()),
    };
    read.map_err(UnfitFault::Malformed)
}

/// Nothing is known of what is signed.
pub(super) const fn nothing() -> Facts {
    Facts::Said { names: Vec::new(), time: None, said: Vec::new() }
}

/// A state of a hash must be one that a document can lead to; what the document's digest is, is worth recording.
pub(super) fn hash_state(state: &HashState) -> Result<Facts, UnfitFault> {
    let state = to_formats(state);
    let hasher = openpgp::Hasher::resume(&state).map_err(UnfitFault::HashState)?;
    let digest = format!("{}:{}", state.hash.name(), crate::text::hex(&hasher.finish()));
    Ok(Facts::Said { names: Vec::new(), time: None, said: vec![("digest", digest), ("length", state.length.to_string())] })
}

/// The same state in the words of the formats.
pub(crate) fn to_formats(state: &HashState) -> openpgp::HashState {
    let hash = match state.algorithm {
        DigestAlgorithm::Sha256 => openpgp::Hash::Sha256,
        DigestAlgorithm::Sha512 => openpgp::Hash::Sha512,
    };
    openpgp::HashState { hash, words: state.words.clone(), length: state.length, tail: state.tail.clone() }
}

/// A statement names files, each of which a grant must allow.
pub(super) fn statement(statement: &Statement) -> Result<Facts, UnfitFault> {
    let statement = to_statement(statement).map_err(UnfitFault::Statement)?;
    let names = statement.subjects().iter().map(|s| s.name.clone()).collect();
    let files = statement.subjects().iter().map(|s| ("file", format!("{} {}", crate::text::hex(&s.sha256), s.name)));
    let said = [("predicate-type", statement.predicate_type().to_owned())].into_iter().chain(files);
    let said = said.chain(statement.predicate().iter().map(|(name, value)| ("predicate", format!("{name} {value}")))).collect();
    Ok(Facts::Said { names, time: None, said })
}

/// The same statement in the words of the formats, which write it.
pub(crate) fn to_statement(statement: &Statement) -> Result<dsse::Statement, StatementError> {
    let subject = |s: &StatementSubject| dsse::Subject { name: s.name.clone(), sha256: s.sha256, sha512: None };
    let subjects = statement.subjects.iter().map(subject).collect();
    dsse::Statement::new(subjects, &statement.predicate_type, statement.predicate.iter().cloned().collect())
}

fn tuf_role(bytes: &[u8]) -> Result<Facts, ContentError> {
    let metadata = tuf::Metadata::parse(bytes)?;
    let role = match metadata.role {
        tuf::Role::Root(_) => "root",
        tuf::Role::Timestamp(_) => "timestamp",
        tuf::Role::Snapshot(_) => "snapshot",
        tuf::Role::Targets(_) => "targets",
    };
    let said =
        vec![("role", role.to_owned()), ("version", metadata.version.to_string()), ("expires", metadata.expires.as_str().to_owned())];
    Ok(Facts::Said { names: vec![role.to_owned()], time: None, said })
}

fn summary(bytes: &[u8]) -> Result<Facts, ContentError> {
    let summary = Summary::parse(bytes)?;
    let published = |(collection, r): (Option<&str>, &ostree::SummaryRef<'_>)| SummaryRef {
        collection: collection.map(str::to_owned),
        name: r.name.to_owned(),
        commit: r.commit,
    };
    Ok(Facts::Summary {
        refs: summary.all_refs().map(published).collect(),
        collection_id: summary.collection_id.map(str::to_owned),
        last_modified: summary.last_modified,
        expires: summary.expires,
    })
}

fn commit(bytes: &[u8]) -> Result<Facts, ContentError> {
    let commit = Commit::parse(bytes)?;
    Ok(Facts::Commit {
        refs: commit.ref_bindings.iter().map(|r| (*r).to_owned()).collect(),
        collection: commit.collection_binding.map(str::to_owned),
        parent: commit.parent,
        timestamp: commit.timestamp,
        version: commit.version.map(str::to_owned),
    })
}

fn index(bytes: &[u8]) -> Result<Facts, ContentError> {
    let index = Index::parse(bytes)?;
    let names = index.parts.iter().map(|p| p.name.to_owned()).collect();
    let said = index.parts.iter().map(|p| ("part", format!("{} {}", crate::text::hex(&p.digest), p.name))).collect();
    Ok(Facts::Said { names, time: index.last_modified, said })
}

fn checksums(bytes: &[u8]) -> Result<Facts, ContentError> {
    let list = Checksums::parse(bytes)?;
    // A grant says names as they are; `./` before one changes nothing.
    let bare = |name: &str| name.strip_prefix("./").unwrap_or(name).to_owned();
    let names = list.entries.iter().map(|e| bare(e.name)).collect();
    let said = list.entries.iter().map(|e| ("file", format!("{} {}", e.digest, e.name))).collect();
    Ok(Facts::Said { names, time: None, said })
}

fn tag(bytes: &[u8]) -> Result<Facts, ContentError> {
    let tag = git::Tag::parse(bytes)?;
    let said = vec![("object", tag.object.to_owned()), ("type", tag.kind.to_owned()), ("tagger", tag.tagger.name.to_owned())];
    let said = said.into_iter().chain([("tag", tag.name.to_owned())]).collect();
    Ok(Facts::Said { names: vec![tag.name.to_owned()], time: Some(tag.tagger.time), said })
}

fn git_commit(bytes: &[u8]) -> Result<Facts, ContentError> {
    let commit = git::Commit::parse(bytes)?;
    let mut said = vec![("tree", commit.tree.to_owned())];
    said.extend(commit.parents.iter().take(64).map(|p| ("parent", (*p).to_owned())));
    said.extend([("author", commit.author.name.to_owned()), ("committer", commit.committer.name.to_owned())]);
    Ok(Facts::Said { names: Vec::new(), time: Some(commit.committer.time), said })
}

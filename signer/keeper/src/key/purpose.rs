//! What keys are made for.
//!
//! A key is made for named constructions, for good, and only for constructions whose signatures cannot be taken for one another's:
//!
//! - A key makes signatures of one framing. What one framing signs may be the whole of what another one signs: 64 bytes are an OpenPGP
//!   digest, and `SSHSIG…` is the message of an SSH signature.
//! - What is signed without having been read strictly (`sshsig`, `openpgp-detached`, `minisign`, `signify`, `raw-ed25519`) never shares
//!   a key with anything: it could be a summary, a tag, a list of checksums. OSTree has no prefix that keeps its signatures apart.
//! - What is read strictly may share a key: no bytes are content of two kinds. A client that trusts a key for a remote takes it for
//!   summaries and commits alike, so two keys would keep nothing apart.
//!
//! `docs/decisions/0010-what-a-key-is-made-for.md` has the bytes.

use crate::sheet::listed;
use crate::text::nearest;
use chancery_formats::Construction;

/// Constructions that cannot share a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PurposeError {
    /// A key for nothing.
    #[error("a key must be made for at least one construction")]
    Nothing,
    /// A blind construction next to another one.
    #[error("{blind} and {other} cannot share a key: what {blind} signs is not read, and could be made to pass as {other}")]
    Mixed {
        /// The construction that signs what it has not read.
        blind: Construction,
        /// The construction that could be forged.
        other: Construction,
    },
    /// Constructions whose signatures are framed differently.
    #[error("{one} and {other} cannot share a key: their signatures are framed differently, so one could be made to pass as the other")]
    Framings {
        /// The one.
        one: Construction,
        /// The other.
        other: Construction,
    },
}

/// Whether a key may be made for all of these.
///
/// # Errors
/// [`PurposeError`] names two that cannot share a key.
pub fn check(constructions: &[Construction]) -> Result<(), PurposeError> {
    let first = *constructions.first().ok_or(PurposeError::Nothing)?;
    let blind = constructions.iter().copied().find(|c| c.is_blind());
    if let Some(blind) = blind
        && let Some(other) = constructions.iter().copied().find(|c| *c != blind)
    {
        return Err(PurposeError::Mixed { blind, other });
    }
    match constructions.iter().copied().find(|c| c.framing() != first.framing()) {
        Some(other) => Err(PurposeError::Framings { one: first, other }),
        None => Ok(()),
    }
}

/// Whether one key can serve all that these names mean, each a construction or a family of them.
///
/// # Errors
/// [`PurposeError`] names two that cannot share a key.
pub(crate) fn check_names(names: &[&str]) -> Result<(), PurposeError> {
    let choice = |framing| -> Option<Vec<Construction>> {
        names.iter().map(|name| named(name)?.into_iter().find(|c| c.framing() == framing)).collect()
    };
    let mut framings = names.first().and_then(|name| named(name)).unwrap_or_default().into_iter().map(Construction::framing);
    if framings.any(|framing| choice(framing).is_some_and(|chosen| check(&chosen).is_ok())) {
        return Ok(());
    }
    check(&names.iter().filter_map(|name| for_key(name)).collect::<Vec<_>>())
}

/// Whether the content of a construction publishes refs.
pub(crate) const fn has_refs(construction: Construction) -> bool {
    use Construction::{OstreeCommitEd25519, OstreeCommitOpenpgp, OstreeSummaryEd25519, OstreeSummaryOpenpgp};
    matches!(construction, OstreeSummaryEd25519 | OstreeCommitEd25519 | OstreeSummaryOpenpgp | OstreeCommitOpenpgp)
}

/// Whether the content of a construction has names that a grant must allow: of a tag, of files, of a role.
pub(crate) fn has_names(construction: Construction) -> bool {
    matches!(construction.family(), "git-tag" | "checksums" | "flatpak-index" | "dsse" | "tuf")
}

/// The constructions that a person means by a name: one, or all of a family (`ostree-summary`).
pub(crate) fn named(name: &str) -> Option<Vec<Construction>> {
    let all: Vec<_> = Construction::ALL.into_iter().filter(|c| c.name() == name || c.family() == name).collect();
    (!all.is_empty()).then_some(all)
}

/// The one construction that a key is made for by a name: a family means the kind that its own format knows without another tool.
pub(crate) fn for_key(name: &str) -> Option<Construction> {
    let all = named(name)?;
    all.iter().copied().find(|c| c.name() == name).or_else(|| all.first().copied())
}

/// What to write instead of a name that no construction has.
pub(crate) fn advice(name: &str) -> String {
    let names = Construction::ALL.into_iter().flat_map(|c| [c.name(), c.family()]);
    match nearest(name, names) {
        Some(meant) => format!("write \"{meant}\" instead"),
        None => format!("there are {}", listed(&Construction::ALL.map(Construction::name))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Construction::{OstreeCommitEd25519 as Commit, OstreeSummaryEd25519 as Summary, Sshsig};

    #[test]
    fn what_signs_unseen_never_shares_a_key() {
        for good in [&[Summary][..], &[Commit], &[Summary, Commit], &[Sshsig], &[Construction::GitTagSshsig, Construction::ChecksumsSshsig]]
        {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        let openpgp = Construction::OstreeSummaryOpenpgp;
        let blind = [Construction::OpenpgpDetached, openpgp];
        for bad in [&[][..], &[Sshsig, Commit], &[Summary, Sshsig], &[Summary, openpgp], &blind, &Construction::ALL] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_family_means_all_its_constructions_and_a_slip_is_guessed() {
        assert_eq!(named("ostree-summary"), Some(vec![Summary, Construction::OstreeSummaryOpenpgp]));
        assert_eq!(for_key("ostree-summary"), Some(Summary));
        assert_eq!(named("ostree-summary/ed25519"), Some(vec![Summary]));
        assert_eq!(named("ostree"), None);
        assert_eq!(advice("ostree-sumary"), "write \"ostree-summary\" instead");
        assert!(advice("gpg").contains("`sshsig`"));
    }
}

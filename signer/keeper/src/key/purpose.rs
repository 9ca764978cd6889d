//! What keys are made for.
//!
//! A key is made for named constructions, for good, and only for constructions whose signatures cannot be taken for one another's:
//!
//! - `ostree-summary` and `ostree-commit` may share a key. Both sign content that the keeper has read strictly, and a client that
//!   trusts a key for a remote takes it for both, so two keys would keep nothing apart.
//! - `sshsig` never shares a key with them. Its signer sees a digest and nothing else, so a publisher chooses 64 of the bytes that are
//!   signed. OSTree has no prefix that keeps its signatures apart and reads GVariant from the end of the file, where the chosen bytes
//!   stand: a summary could hide in an SSHSIG. The other way round, a summary may begin with a ref named `SSHSIG`.
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
    /// A blind construction next to one without domain separation.
    #[error("{blind} and {other} cannot share a key: {blind} signs a digest unseen, and could be made to sign what passes as {other}")]
    Mixed {
        /// The construction that signs what it has not seen.
        blind: Construction,
        /// The construction that could be forged.
        other: Construction,
    },
}

/// Whether a key may be made for all of these.
///
/// # Errors
/// [`PurposeError`] names two that cannot share a key.
pub fn check(constructions: &[Construction]) -> Result<(), PurposeError> {
    let blind = constructions.iter().find(|c| is_blind(**c));
    let other = constructions.iter().find(|c| !is_blind(**c));
    match (blind, other) {
        (None, None) => Err(PurposeError::Nothing),
        (Some(blind), Some(other)) => Err(PurposeError::Mixed { blind: *blind, other: *other }),
        _ => Ok(()),
    }
}

/// Whether the keeper signs a digest without having seen the content.
const fn is_blind(construction: Construction) -> bool {
    matches!(construction, Construction::Sshsig)
}

/// Whether the content of a construction publishes refs.
pub(crate) const fn has_refs(construction: Construction) -> bool {
    matches!(construction, Construction::OstreeSummaryEd25519 | Construction::OstreeCommitEd25519)
}

/// The constructions that a person means by a name: one, or all of a family (`ostree-summary`).
pub(crate) fn named(name: &str) -> Option<Vec<Construction>> {
    let all: Vec<_> = Construction::ALL.into_iter().filter(|c| c.name() == name || c.family() == name).collect();
    (!all.is_empty()).then_some(all)
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
        for good in [&[Summary][..], &[Commit], &[Summary, Commit], &[Sshsig]] {
            assert_eq!(check(good), Ok(()), "{good:?}");
        }
        for bad in [&[][..], &[Sshsig, Commit], &[Summary, Sshsig], &Construction::ALL] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_family_means_all_its_constructions_and_a_slip_is_guessed() {
        assert_eq!(named("ostree-summary"), Some(vec![Summary]));
        assert_eq!(named("ostree-summary/ed25519"), Some(vec![Summary]));
        assert_eq!(named("ostree"), None);
        assert_eq!(advice("ostree-sumary"), "write \"ostree-summary\" instead");
        assert!(advice("gpg").contains("`sshsig`"));
    }
}

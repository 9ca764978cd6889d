//! The names of constructions.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Exactly which bytes are signed and how the signature is framed. Never a `prehashed: bool`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "&'static str")]
#[non_exhaustive]
pub enum Construction {
    /// `ostree-summary/ed25519`: pure Ed25519 over the bytes of an OSTree `summary`; 64 bytes for `ostree.sign.ed25519`.
    OstreeSummaryEd25519,
    /// `ostree-commit/ed25519`: pure Ed25519 over the bytes of an OSTree commit object; 64 bytes for `ostree.sign.ed25519`.
    OstreeCommitEd25519,
    /// `sshsig`: an SSH signature (PROTOCOL.sshsig) made from a digest, armored.
    Sshsig,
}

impl Construction {
    /// All constructions, in the order in which they are listed to people.
    pub const ALL: [Self; 3] = [Self::OstreeSummaryEd25519, Self::OstreeCommitEd25519, Self::Sshsig];

    /// The exact name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OstreeSummaryEd25519 => "ostree-summary/ed25519",
            Self::OstreeCommitEd25519 => "ostree-commit/ed25519",
            Self::Sshsig => "sshsig",
        }
    }

    /// The name without the kind of signature: what a policy may say to mean every kind.
    #[must_use]
    pub fn family(self) -> &'static str {
        let name = self.name();
        name.split_once('/').map_or(name, |(family, _)| family)
    }
}

/// No construction has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no construction is named {name:?}; there are ostree-summary/ed25519, ostree-commit/ed25519 and sshsig")]
pub struct UnknownConstruction {
    /// The name that was given, shortened to 64 characters.
    pub name: String,
}

impl FromStr for Construction {
    type Err = UnknownConstruction;
    fn from_str(s: &str) -> Result<Self, UnknownConstruction> {
        let found = Self::ALL.into_iter().find(|c| c.name() == s);
        found.ok_or_else(|| UnknownConstruction { name: s.chars().take(64).collect() })
    }
}

impl TryFrom<String> for Construction {
    type Error = UnknownConstruction;
    fn try_from(s: String) -> Result<Self, UnknownConstruction> {
        s.parse()
    }
}

impl From<Construction> for &'static str {
    fn from(c: Construction) -> Self {
        c.name()
    }
}

impl fmt::Display for Construction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_others_are_not() {
        for construction in Construction::ALL {
            assert_eq!(construction.name().parse(), Ok(construction));
        }
        for bad in ["", "ostree-summary", "ostree-summary/ED25519", "sshsig ", "raw-ed25519"] {
            assert!(bad.parse::<Construction>().is_err(), "{bad}");
        }
        assert_eq!("é".repeat(70).parse::<Construction>(), Err(UnknownConstruction { name: "é".repeat(64) }));
        assert_eq!(Construction::ALL.map(Construction::family), ["ostree-summary", "ostree-commit", "sshsig"]);
    }
}

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
    /// `ostree-summary/openpgp`: an OpenPGP signature of an OSTree `summary`, one packet for `ostree.gpgsigs`.
    OstreeSummaryOpenpgp,
    /// `ostree-commit/openpgp`: an OpenPGP signature of an OSTree commit object, one packet for `ostree.gpgsigs`.
    OstreeCommitOpenpgp,
    /// `flatpak-index/ed25519`: pure Ed25519 over the bytes of Flatpak's `summary.idx`; 64 bytes for `ostree.sign.ed25519`.
    FlatpakIndexEd25519,
    /// `flatpak-index/openpgp`: an OpenPGP signature of Flatpak's `summary.idx`, one packet for `ostree.gpgsigs`.
    FlatpakIndexOpenpgp,
    /// `openpgp-detached`: an OpenPGP signature of a file, made from the state of its hash; one packet.
    OpenpgpDetached,
    /// `minisign`: a prehashed minisign signature made from a BLAKE2b-512 digest; the whole `.minisig` file.
    Minisign,
    /// `signify`: an OpenBSD signify signature of a file; the whole `.sig` file.
    Signify,
    /// `checksums/sshsig`: an SSH signature in namespace `file` of a list of checksums, armored.
    ChecksumsSshsig,
    /// `checksums/openpgp`: an OpenPGP signature of a list of checksums; one packet.
    ChecksumsOpenpgp,
    /// `checksums/minisign`: a minisign signature of a list of checksums; the whole `.minisig` file.
    ChecksumsMinisign,
    /// `checksums/signify`: a signify signature of a list of checksums; the whole `.sig` file.
    ChecksumsSignify,
    /// `git-tag/sshsig`: an SSH signature in namespace `git` of a tag object, armored.
    GitTagSshsig,
    /// `git-tag/openpgp`: an OpenPGP signature of a tag object; one packet.
    GitTagOpenpgp,
    /// `git-commit/sshsig`: an SSH signature in namespace `git` of a commit object, armored.
    GitCommitSshsig,
    /// `git-commit/openpgp`: an OpenPGP signature of a commit object; one packet.
    GitCommitOpenpgp,
    /// `signed-note`: a C2SP signed note: the line that is added to the note.
    SignedNote,
    /// `dsse`: an in-toto statement that the key host writes, in a DSSE envelope; the whole envelope.
    Dsse,
    /// `tuf`: pure Ed25519 over the `signed` part of TUF metadata; 64 bytes.
    Tuf,
    /// `raw-ed25519`: pure Ed25519 over any bytes that no other construction signs; 64 bytes.
    RawEd25519,
}

/// How a signature is made of a key and framed. A key is for one of these only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Framing {
    /// The content itself is signed, as OSTree does it.
    Ed25519,
    /// `PROTOCOL.sshsig` of OpenSSH.
    Sshsig,
    /// OpenPGP, version 4.
    Openpgp,
    /// minisign, prehashed.
    Minisign,
    /// OpenBSD's signify.
    Signify,
    /// C2SP signed-note.
    Note,
    /// DSSE version 1.
    Dsse,
    /// TUF metadata: the content itself is signed.
    Tuf,
    /// The content itself is signed, whatever it is.
    Raw,
}

impl Construction {
    /// All constructions, in the order in which they are listed to people.
    pub const ALL: [Self; 22] = [
        Self::OstreeSummaryEd25519,
        Self::OstreeCommitEd25519,
        Self::Sshsig,
        Self::OstreeSummaryOpenpgp,
        Self::OstreeCommitOpenpgp,
        Self::FlatpakIndexEd25519,
        Self::FlatpakIndexOpenpgp,
        Self::OpenpgpDetached,
        Self::Minisign,
        Self::Signify,
        Self::ChecksumsSshsig,
        Self::ChecksumsOpenpgp,
        Self::ChecksumsMinisign,
        Self::ChecksumsSignify,
        Self::GitTagSshsig,
        Self::GitTagOpenpgp,
        Self::GitCommitSshsig,
        Self::GitCommitOpenpgp,
        Self::SignedNote,
        Self::Dsse,
        Self::Tuf,
        Self::RawEd25519,
    ];

    /// The exact name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OstreeSummaryEd25519 => "ostree-summary/ed25519",
            Self::OstreeCommitEd25519 => "ostree-commit/ed25519",
            Self::Sshsig => "sshsig",
            Self::OstreeSummaryOpenpgp => "ostree-summary/openpgp",
            Self::OstreeCommitOpenpgp => "ostree-commit/openpgp",
            Self::FlatpakIndexEd25519 => "flatpak-index/ed25519",
            Self::FlatpakIndexOpenpgp => "flatpak-index/openpgp",
            Self::OpenpgpDetached => "openpgp-detached",
            Self::Minisign => "minisign",
            Self::Signify => "signify",
            Self::ChecksumsSshsig => "checksums/sshsig",
            Self::ChecksumsOpenpgp => "checksums/openpgp",
            Self::ChecksumsMinisign => "checksums/minisign",
            Self::ChecksumsSignify => "checksums/signify",
            Self::GitTagSshsig => "git-tag/sshsig",
            Self::GitTagOpenpgp => "git-tag/openpgp",
            Self::GitCommitSshsig => "git-commit/sshsig",
            Self::GitCommitOpenpgp => "git-commit/openpgp",
            Self::SignedNote => "signed-note",
            Self::Dsse => "dsse",
            Self::Tuf => "tuf",
            Self::RawEd25519 => "raw-ed25519",
        }
    }

    /// The name without the kind of signature: what a policy may say to mean every kind.
    #[must_use]
    pub fn family(self) -> &'static str {
        let name = self.name();
        name.split_once('/').map_or(name, |(family, _)| family)
    }

    /// How its signatures are framed.
    #[must_use]
    pub const fn framing(self) -> Framing {
        match self {
            Self::OstreeSummaryEd25519 | Self::OstreeCommitEd25519 | Self::FlatpakIndexEd25519 => Framing::Ed25519,
            Self::Sshsig | Self::ChecksumsSshsig | Self::GitTagSshsig | Self::GitCommitSshsig => Framing::Sshsig,
            Self::OstreeSummaryOpenpgp
            | Self::OstreeCommitOpenpgp
            | Self::FlatpakIndexOpenpgp
            | Self::OpenpgpDetached
            | Self::ChecksumsOpenpgp
            | Self::GitTagOpenpgp
            | Self::GitCommitOpenpgp => Framing::Openpgp,
            Self::Minisign | Self::ChecksumsMinisign => Framing::Minisign,
            Self::Signify | Self::ChecksumsSignify => Framing::Signify,
            Self::SignedNote => Framing::Note,
            Self::Dsse => Framing::Dsse,
            Self::Tuf => Framing::Tuf,
            Self::RawEd25519 => Framing::Raw,
        }
    }

    /// Whether the keeper signs something of which it saw no more than a digest, or which may be anything.
    #[must_use]
    pub const fn is_blind(self) -> bool {
        matches!(self, Self::Sshsig | Self::OpenpgpDetached | Self::Minisign | Self::Signify | Self::RawEd25519)
    }
}

/// No construction has this name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no construction is named {name:?}; there are {}", Construction::ALL.map(Construction::name).join(", "))]
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
        for bad in ["", "ostree-summary", "ostree-summary/ED25519", "sshsig ", "ed25519"] {
            assert!(bad.parse::<Construction>().is_err(), "{bad}");
        }
        assert_eq!("é".repeat(70).parse::<Construction>(), Err(UnknownConstruction { name: "é".repeat(64) }));
        assert_eq!(Construction::OstreeSummaryOpenpgp.family(), "ostree-summary");
        assert_eq!(Construction::Sshsig.family(), "sshsig");
    }
}

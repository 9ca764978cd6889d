//! The identity of a backup, split so that a number of people are needed to open it (Shamir, over GF(256)).
//!
//! A share is a text file that can be printed:
//!
//! ```text
//! chancery-share/v1
//! number 2 of 5
//! needed 3
//! recipient age1…
//! share BASE64
//! checksum HEX
//! ```
//!
//! The checksum is the first half of the SHA-256 of the lines before it: it finds damage, and is no protection against forgers. What the
//! shares make is compared with the recipient, so a forged one opens nothing.

use super::restore::Opener;
use super::{BackupError, io_error};
use age::secrecy::ExposeSecret as _;
use age::x25519::{Identity, Recipient};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blahaj::{Share, Sharks};
use chancery_keeper::guarded;
use chancery_keeper::text::hex;
use chancery_reqlog::durable;
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use zeroize::Zeroizing;

const FORMAT: &str = "chancery-share/v1";
/// No share is larger, in bytes.
const MAX: usize = 4096;

/// How many shares there are to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Split {
    needed: u8,
    of: u8,
}

impl Split {
    /// So many of so many.
    ///
    /// # Errors
    /// [`BackupError::Split`] unless `2 <= needed <= of`.
    pub const fn new(needed: u8, of: u8) -> Result<Self, BackupError> {
        if needed < 2 || needed > of { Err(BackupError::Split) } else { Ok(Self { needed, of }) }
    }
}

/// A fresh identity that exists in shares only.
pub struct SplitIdentity {
    recipient: Recipient,
    shares: Vec<Zeroizing<String>>,
}

impl SplitIdentity {
    /// Makes and splits an identity.
    #[must_use]
    pub fn generate(split: Split) -> Self {
        let identity = Identity::generate();
        let recipient = identity.to_public();
        let secret = identity.to_string();
        let dealt = Sharks(split.needed).dealer(secret.expose_secret().as_bytes());
        let shares = dealt.take(usize::from(split.of)).zip(1..=split.of).map(|(share, number)| text(&share, number, split, &recipient));
        Self { shares: shares.collect(), recipient }
    }

    /// To whom a backup is sealed that the shares open.
    #[must_use]
    pub const fn recipient(&self) -> &Recipient {
        &self.recipient
    }

    /// Writes the shares as `share-1.txt` and so on, into a directory that is made if need be.
    ///
    /// # Errors
    /// [`BackupError`]; a share that is there is left alone.
    pub fn write(&self, dir: &Path) -> Result<Vec<PathBuf>, BackupError> {
        durable::create_dir_all(dir, 0o700)?;
        let mut paths = Vec::new();
        for (share, number) in self.shares.iter().zip(1_u32..) {
            let path = dir.join(format!("share-{number}.txt"));
            durable::write_immutable(&path, share.as_bytes(), 0o600)?;
            paths.push(path);
        }
        Ok(paths)
    }
}

impl Opener {
    /// Puts shares together again.
    ///
    /// # Errors
    /// [`BackupError`], which names the share at fault.
    pub fn from_shares(paths: &[PathBuf]) -> Result<Self, BackupError> {
        let parts = paths.iter().map(|path| Part::read(path)).collect::<Result<Vec<_>, _>>()?;
        let first = parts.first().ok_or(BackupError::TooFewShares { given: 0, needed: 2 })?;
        for (place, part) in parts.iter().enumerate() {
            if part.recipient != first.recipient || part.needed != first.needed {
                return Err(BackupError::OtherShare { path: part.path.clone(), first: first.path.clone() });
            }
            if parts.iter().take(place).any(|other| other.share.x == part.share.x) {
                return Err(BackupError::SameShare { path: part.path.clone() });
            }
        }
        if parts.len() < usize::from(first.needed) {
            return Err(BackupError::TooFewShares { given: parts.len(), needed: first.needed });
        }
        let secret = Sharks(first.needed).recover(parts.iter().map(|part| &part.share)).map_err(|_| BackupError::Shares)?;
        let secret = Zeroizing::new(secret);
        let identity = std::str::from_utf8(&secret).ok().and_then(|text| Identity::from_str(text).ok());
        identity.filter(|identity| identity.to_public().to_string() == first.recipient).map(Self::of).ok_or(BackupError::Shares)
    }
}

/// One share, whole.
struct Part {
    path: PathBuf,
    needed: u8,
    recipient: String,
    share: Share,
}

impl Part {
    fn read(path: &Path) -> Result<Self, BackupError> {
        let file = std::fs::File::open(path).map_err(io_error("open", path))?;
        let bytes = guarded::read_to_end(file, MAX).map_err(io_error("read", path))?;
        let changed = || BackupError::Share { path: path.to_owned() };
        let text = bytes.as_deref().and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or_else(changed)?;
        Self::parse(path, text).ok_or_else(changed)
    }

    fn parse(path: &Path, text: &str) -> Option<Self> {
        let mut lines = text.lines().map(str::trim_end).skip_while(|line| *line != FORMAT);
        let mut field = |name: &str| lines.next()?.strip_prefix(name);
        field(FORMAT)?;
        let (number, recipient_of) = field("number ")?.split_once(" of ")?;
        let needed = field("needed ")?;
        let recipient = field("recipient ")?;
        let share = field("share ")?;
        let sum = field("checksum ")?;
        let said = body(number, recipient_of, needed, recipient, share);
        let bytes = Zeroizing::new(STANDARD.decode(share).ok()?);
        (sum == checksum(&said)).then_some(())?;
        let share = Share::try_from(bytes.as_slice()).ok()?;
        let needed = needed.parse().ok().filter(|needed| *needed >= 2)?;
        Some(Self { path: path.to_owned(), needed, recipient: recipient.to_owned(), share })
    }
}

fn text(share: &Share, number: u8, split: Split, recipient: &Recipient) -> Zeroizing<String> {
    let encoded = Zeroizing::new(STANDARD.encode(Zeroizing::new(Vec::from(share))));
    let body = body(&number.to_string(), &split.of.to_string(), &split.needed.to_string(), &recipient.to_string(), &encoded);
    let sum = checksum(&body);
    Zeroizing::new(format!(
        "This is one share of what opens a backup of a Chancery key host. {} of {} such shares together open it, fewer tell nothing.\n\
         Keep it where no other share is. Whoever restores needs the passphrase of the keyring too.\n\n{}checksum {sum}\n",
        split.needed, split.of, *body
    ))
}

fn body(number: &str, of: &str, needed: &str, recipient: &str, share: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("{FORMAT}\nnumber {number} of {of}\nneeded {needed}\nrecipient {recipient}\nshare {share}\n"))
}

fn checksum(body: &str) -> String {
    hex(Sha256::digest(body).get(..16).unwrap_or_default())
}

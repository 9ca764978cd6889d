//! Private keys that were made elsewhere, in the forms in which they are found.

mod exported;

use super::seal::{self, SealError, Secret};
use crate::guarded::{self, GuardError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::SigningKey;
use std::path::Path;
use zeroize::Zeroizing;

/// No private key file that we read is larger, in bytes.
const MAX: usize = 64 * 1024;
/// What stands before the seed in an Ed25519 `PrivateKeyInfo` (RFC 8410 section 7, version 1).
const PKCS8_PREFIX: [u8; 16] = [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
const PKCS8_LEN: usize = 48;

/// A seed that came from elsewhere, in locked memory.
pub struct ImportedSeed {
    secret: Secret,
    /// When OpenPGP says that it was made: its fingerprint there depends on it.
    pub(super) created: Option<u64>,
}

/// Why a file was not taken as a private key. Never says what is in it.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The file is not one that only we can read.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// No locked memory.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// An encrypted PKCS#8 key.
    #[error(
        "the key is encrypted; decrypt it with `openssl pkey -in FILE -out NEW`, in a directory that is not on a disk, such as /dev/shm"
    )]
    Encrypted,
    /// An OpenSSH private key that is protected or of another kind.
    #[error(
        "this OpenSSH key is protected, or not Ed25519; take its passphrase off in a copy with `ssh-keygen -p -N \"\" -f COPY`, in a directory that is not on a disk, such as /dev/shm"
    )]
    OpenSsh,
    /// An OpenPGP key that is protected.
    #[error(
        "the OpenPGP key is protected by a passphrase; take it off in a copy of the keyring (`gpg --edit-key KEY passwd`), in a directory that is not on a disk, such as /dev/shm, and export again"
    )]
    OpenpgpProtected,
    /// Not exactly one OpenPGP key.
    #[error(
        "the export has {found} unprotected Ed25519 keys that could sign, and one is needed; export one with `gpg --export-secret-subkeys FINGERPRINT!`"
    )]
    Openpgp {
        /// How many there are.
        found: usize,
    },
    /// A PKCS#8 key of another algorithm or version.
    #[error("this PEM file holds no Ed25519 key of PKCS#8 version 1, as `openssl genpkey -algorithm ed25519` makes it")]
    Pkcs8,
    /// The two halves of an OSTree secret key.
    #[error("the public half of this OSTree key does not belong to its secret half; it was damaged or put together from two")]
    Halves,
    /// Anything else.
    #[error(
        "this is no private key that is read here: 32 bytes in hexadecimal (64 digits) or base64 (44 characters), an OSTree secret key \
         (88 characters), PKCS#8 in PEM, an OpenSSH private key, or what `gpg --export-secret-keys` writes"
    )]
    Unknown,
}

impl ImportedSeed {
    /// Reads a file that nobody but us and root can read.
    ///
    /// # Errors
    /// [`ImportError`] says which forms are understood.
    pub fn read(path: &Path) -> Result<Self, ImportError> {
        let bytes = guarded::read(path, MAX)?;
        let Ok(text) = std::str::from_utf8(&bytes) else { return exported::openpgp(&bytes) };
        match text.trim() {
            text if text.starts_with("-----BEGIN PGP") => exported::openpgp_armored(text),
            text if text.starts_with("-----BEGIN OPENSSH") => Ok(exported::openssh(text)?.into()),
            text => Ok(parse(text)?.into()),
        }
    }

    pub(super) const fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl From<Secret> for ImportedSeed {
    fn from(secret: Secret) -> Self {
        Self { secret, created: None }
    }
}

fn parse(text: &str) -> Result<Secret, ImportError> {
    if text.starts_with("-----BEGIN") {
        return pem(text);
    }
    let mut secret = seal::empty()?;
    match text.len() {
        64 => hex(text, &mut secret)?,
        44 => base64(text, secret.as_mut_slice(), ImportError::Unknown)?,
        88 => {
            let mut both = Zeroizing::new([0_u8; 64]);
            base64(text, both.as_mut_slice(), ImportError::Unknown)?;
            let (seed, public) = both.split_at(32);
            secret.copy_from_slice(seed);
            if SigningKey::from_bytes(&secret).verifying_key().as_bytes() != public {
                return Err(ImportError::Halves);
            }
        }
        _ => return Err(ImportError::Unknown),
    }
    Ok(secret)
}

fn pem(text: &str) -> Result<Secret, ImportError> {
    if text.starts_with("-----BEGIN ENCRYPTED") {
        return Err(ImportError::Encrypted);
    }
    let body = text.strip_prefix("-----BEGIN PRIVATE KEY-----").and_then(|t| t.strip_suffix("-----END PRIVATE KEY-----"));
    let mut der = Zeroizing::new([0_u8; PKCS8_LEN]);
    base64(body.ok_or(ImportError::Pkcs8)?.trim(), der.as_mut_slice(), ImportError::Pkcs8)?;
    let seed = der.strip_prefix(&PKCS8_PREFIX).filter(|seed| seed.len() == 32).ok_or(ImportError::Pkcs8)?;
    let mut secret = seal::empty()?;
    secret.copy_from_slice(seed);
    Ok(secret)
}

/// Fills `out`; other lengths are refused.
fn base64(text: &str, out: &mut [u8], error: ImportError) -> Result<(), ImportError> {
    // The decoder wants to know beforehand that there is room for whole groups of three.
    let mut room = Zeroizing::new([0_u8; 96]);
    match STANDARD.decode_slice(text, room.as_mut_slice()) {
        Ok(n) if n == out.len() => {
            out.iter_mut().zip(room.iter()).for_each(|(to, from)| *to = *from);
            Ok(())
        }
        _ => Err(error),
    }
}

fn hex(text: &str, out: &mut Secret) -> Result<(), ImportError> {
    let (pairs, _) = text.as_bytes().as_chunks::<2>();
    for (to, [high, low]) in out.iter_mut().zip(pairs) {
        let digit = |c: &u8| char::from(*c).to_digit(16).and_then(|d| u8::try_from(d).ok());
        let (high, low) = digit(high).zip(digit(low)).ok_or(ImportError::Unknown)?;
        *to = (high << 4) | low;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 8032 section 7.1, test 1.
    const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
    const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

    fn unhex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
    }

    fn pkcs8(der: &[u8]) -> String {
        format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----", STANDARD.encode(der))
    }

    #[test]
    fn every_form_gives_the_same_key() {
        let seed = unhex(SEED);
        let ostree = STANDARD.encode([seed.clone(), unhex(PUBLIC)].concat());
        let der = [PKCS8_PREFIX.as_slice(), &seed].concat();
        for form in [SEED.to_owned(), SEED.to_uppercase(), STANDARD.encode(&seed), ostree, pkcs8(&der)] {
            assert_eq!(parse(&form).map(|s| s.to_vec()).unwrap(), seed, "{form}");
        }
    }

    #[test]
    fn what_is_nearly_a_key_is_refused_and_never_repeated() {
        let seed = unhex(SEED);
        let halves = STANDARD.encode([seed.clone(), unhex(SEED)].concat());
        let x25519 = [&PKCS8_PREFIX[..11], &[0x6e], &PKCS8_PREFIX[12..], &seed].concat();
        let not_hex = SEED.replace('9', "g");
        let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n-----END ENCRYPTED PRIVATE KEY-----";
        for (form, error) in [
            ("", "no private key"),
            (&SEED[2..], "no private key"),
            (&not_hex, "no private key"),
            (&halves, "public half"),
            (&pkcs8(&x25519), "PKCS#8 version 1"),
            (&pkcs8(&seed), "PKCS#8 version 1"),
            (encrypted, "openssl pkey"),
        ] {
            let told = parse(form).err().unwrap().to_string();
            assert!(told.contains(error) && !told.contains(&SEED[..8]), "{form}: {told}");
        }
    }
}

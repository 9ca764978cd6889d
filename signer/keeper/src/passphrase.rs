//! The passphrase of the keyring, and PINs of tokens: from a terminal, an inherited file descriptor or a file. Never from an argument or the environment,
//! where other programs see it.

use crate::guarded::{self, GuardError};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use std::fs::File;
use std::io;
use std::os::fd::RawFd;
use std::path::PathBuf;
use zeroize::Zeroizing;

/// No passphrase is longer, in bytes.
const MAX: usize = 1024;
/// No new passphrase is shorter, in characters.
const MIN: usize = 8;

/// A passphrase. Wiped when dropped, and cannot be printed.
pub struct Passphrase(Zeroizing<Vec<u8>>);

/// Where a passphrase comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The terminal, asked for without echo.
    Terminal,
    /// A file descriptor that was inherited.
    Descriptor(RawFd),
    /// A file that nobody but us and root can read.
    File(PathBuf),
}

/// Why there is no passphrase. Never says what was typed.
#[derive(Debug, thiserror::Error)]
pub enum PassphraseError {
    /// The terminal could not be used.
    #[error("cannot ask for the passphrase on a terminal; give it with --passphrase-file or --passphrase-fd")]
    Terminal(#[source] io::Error),
    /// The descriptor is not open or cannot be read.
    #[error("cannot read the passphrase from file descriptor {number}")]
    Descriptor {
        /// Its number.
        number: RawFd,
        /// The kernel's answer.
        #[source]
        source: io::Error,
    },
    /// It did not come to its end.
    #[error("the passphrase did not arrive")]
    Received(#[source] io::Error),
    /// The file cannot be used.
    #[error(transparent)]
    File(#[from] GuardError),
    /// Nothing was given.
    #[error("the passphrase is empty")]
    Empty,
    /// More than a line.
    #[error("the passphrase has more than {MAX} bytes or a line break in it; it must be one line")]
    NotALine,
    /// Too easy to guess.
    #[error("the passphrase has fewer than {MIN} characters; choose a longer one")]
    Short,
    /// Two different answers.
    #[error("the two passphrases differ; try again")]
    Differ,
}

impl Passphrase {
    /// The passphrase of a keyring that exists.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn existing(source: &Source) -> Result<Self, PassphraseError> {
        read(source, "Passphrase of the keyring: ")
    }

    /// A passphrase for a new keyring: long enough, and typed twice alike on a terminal.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn new(source: &Source) -> Result<Self, PassphraseError> {
        let passphrase = read(source, "New passphrase for the keyring: ")?;
        let characters = std::str::from_utf8(&passphrase.0).map_or(passphrase.0.len(), |text| text.chars().count());
        if characters < MIN {
            return Err(PassphraseError::Short);
        }
        if *source == Source::Terminal && read(source, "The same again: ")?.0 != passphrase.0 {
            return Err(PassphraseError::Differ);
        }
        Ok(passphrase)
    }

    /// The PIN of a token.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub fn pin(source: &Source) -> Result<Self, PassphraseError> {
        read(source, "PIN of the token: ")
    }

    /// What another process of ours sends, up to the end of its message.
    ///
    /// # Errors
    /// [`PassphraseError`].
    pub(crate) fn received(from: impl io::Read) -> Result<Self, PassphraseError> {
        one_line(guarded::read_to_end(from, MAX).map_err(PassphraseError::Received)?.ok_or(PassphraseError::NotALine)?)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    #[cfg(test)]
    pub(crate) fn for_tests(text: &str) -> Self {
        Self(Zeroizing::new(text.as_bytes().to_vec()))
    }
}

fn read(source: &Source, prompt: &str) -> Result<Passphrase, PassphraseError> {
    let bytes = match source {
        Source::Terminal => Zeroizing::new(rpassword::prompt_password(prompt).map_err(PassphraseError::Terminal)?.into_bytes()),
        Source::Descriptor(number) => from_descriptor(*number)?,
        Source::File(path) => guarded::read(path, MAX)?,
    };
    one_line(bytes)
}

fn from_descriptor(number: RawFd) -> Result<Zeroizing<Vec<u8>>, PassphraseError> {
    let failed = |source| PassphraseError::Descriptor { number, source };
    let read = || -> io::Result<_> {
        // The kernel duplicates the descriptor for us: it checks that the number is one, which a cast could not.
        let own: Pid = getpid();
        let file = File::from(pidfd_getfd(pidfd_open(own, PidfdFlags::empty())?, number, PidfdGetfdFlags::empty())?);
        guarded::read_to_end(file, MAX)
    };
    read().map_err(failed)?.ok_or(PassphraseError::NotALine)
}

/// Strips the line break at the end, which editors and `echo` add.
fn one_line(mut bytes: Zeroizing<Vec<u8>>) -> Result<Passphrase, PassphraseError> {
    let line = bytes.strip_suffix(b"\n").map_or(bytes.as_slice(), |line| line.strip_suffix(b"\r").unwrap_or(line));
    let len = line.len();
    if line.iter().any(|b| matches!(b, b'\n' | b'\r' | 0)) {
        return Err(PassphraseError::NotALine);
    }
    bytes.truncate(len);
    if bytes.is_empty() { Err(PassphraseError::Empty) } else { Ok(Passphrase(bytes)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::PermissionsExt;

    fn file(text: &[u8]) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        file
    }

    fn from_file(text: &[u8]) -> Result<Vec<u8>, String> {
        let file = file(text);
        Passphrase::existing(&Source::File(file.path().to_owned())).map(|p| p.as_bytes().to_vec()).map_err(|e| e.to_string())
    }

    #[test]
    fn the_line_break_at_the_end_is_no_part_of_it() {
        for text in ["secret words", "secret words\n", "secret words\r\n"] {
            assert_eq!(from_file(text.as_bytes()).unwrap(), b"secret words");
        }
        assert_eq!(from_file(b" secret \n").unwrap(), b" secret ");
    }

    #[test]
    fn what_is_no_line_is_refused_without_being_repeated() {
        for (bad, why) in [("", "empty"), ("\n", "empty"), ("a\nb\n", "one line"), ("a\n\n", "one line"), ("a\0b", "one line")] {
            assert!(from_file(bad.as_bytes()).unwrap_err().contains(why), "{bad:?}");
        }
        assert!(from_file(&[b'x'; MAX]).is_ok() && from_file(&[b'x'; MAX + 1]).is_err());
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let file = file(b"secret words");
        std::fs::set_permissions(file.path(), std::fs::Permissions::from_mode(0o604)).unwrap();
        let error = Passphrase::existing(&Source::File(file.path().to_owned())).err().unwrap().to_string();
        assert!(error.contains("chmod 600") && !error.contains("secret words"), "{error}");
    }

    #[test]
    fn a_descriptor_is_read_to_its_end_and_a_wrong_number_is_an_error() {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(b"secret words\n").unwrap();
        drop(writer);
        let source = Source::Descriptor(reader.as_raw_fd());
        assert_eq!(Passphrase::existing(&source).ok().unwrap().as_bytes(), b"secret words");
        let error = Passphrase::existing(&Source::Descriptor(987_654)).err().unwrap().to_string();
        assert_eq!(error, "cannot read the passphrase from file descriptor 987654");
    }

    #[test]
    fn a_new_passphrase_has_eight_characters() {
        let short = file("ängstlä\n".as_bytes());
        assert!(matches!(Passphrase::new(&Source::File(short.path().to_owned())), Err(PassphraseError::Short)));
        let enough = file("ängstläch\n".as_bytes());
        assert!(Passphrase::new(&Source::File(enough.path().to_owned())).is_ok());
    }
}

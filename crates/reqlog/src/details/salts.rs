//! Random salts, drawn from the kernel in one call for a whole batch.

use super::SALT;

/// The kernel gave no random bytes: nothing may be recorded, for an unsalted detail can be guessed. A retry may work.
#[derive(Debug, thiserror::Error)]
#[error("the kernel's random number generator does not answer")]
pub struct SaltsError(#[source] getrandom::Error);

/// A supply of salts. Each is given out once.
pub struct Salts {
    bytes: Vec<u8>,
}

impl Salts {
    /// Draws `count` salts from the kernel.
    ///
    /// # Errors
    /// [`SaltsError`].
    pub fn random(count: usize) -> Result<Self, SaltsError> {
        let mut bytes = vec![0; count.saturating_mul(SALT)];
        getrandom::fill(&mut bytes).map_err(SaltsError)?;
        Ok(Self { bytes })
    }

    /// Uses random bytes that the caller drew: 32 for each salt.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        Self { bytes }
    }

    /// The next salt, if one is left.
    pub fn draw(&mut self) -> Option<[u8; SALT]> {
        let at = self.bytes.len().checked_sub(SALT)?;
        let salt = self.bytes.get(at..)?.try_into().ok()?;
        self.bytes.truncate(at);
        Some(salt)
    }
}

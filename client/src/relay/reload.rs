//! Profiles that are read again while the relay serves.

use super::pool::Pool;
use super::{RelayError, tls};
use crate::profile::Profile;
use std::path::PathBuf;
use std::sync::Arc;

/// Reads a relay's profiles again.
#[derive(Clone)]
pub struct RelayReloader {
    pub(super) door: tls::Door,
    pub(super) pool: Arc<Pool>,
    pub(super) profiles: Vec<PathBuf>,
}

impl RelayReloader {
    /// Reads all profiles again, with their keys. New handshakes use them; what was parked under a certificate authority that is another
    /// one now is closed. Clients that are connected stay.
    ///
    /// # Errors
    /// [`RelayError`] names the file; then all stays as it was.
    pub fn reload(&self) -> Result<(), RelayError> {
        let profiles = self.profiles.iter().map(|path| Profile::load(path)).collect::<Result<Vec<_>, _>>()?;
        let authorities = tls::authorities(&profiles)?;
        for ((path, was), is) in self.profiles.iter().zip(self.door.authorities().iter()).zip(authorities.iter()) {
            if was.domain != is.domain {
                let [was, is] = [was, is].map(|authority| authority.domain.as_ref().to_owned());
                return Err(RelayError::OtherDomain { path: path.clone(), was, is });
            }
        }
        for domain in self.door.replace(authorities) {
            self.pool.clear(&domain);
        }
        Ok(())
    }
}

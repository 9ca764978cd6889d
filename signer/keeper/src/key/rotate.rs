//! New versions of a key, and the end of old ones.
//!
//! Of the versions of a key, the oldest signs whose time is not over. So a new version can be made known everywhere before it signs.

use super::error::KeyError;
use super::keyring::{Keyring, Material, PublicPart, find, list};
use super::{Origin, seal};
use chancery_channel::KeyName;

impl Keyring {
    /// Makes the next version of a key, for the same constructions, and in the same token if it is in one, which must be at hand then.
    /// Versions without an end get one: `end`. Times are in seconds since 1970.
    ///
    /// # Errors
    /// [`KeyError::Unknown`] when there is no such key.
    pub fn rotate(&self, name: &KeyName, end: u64, now: u64) -> Result<PublicPart, KeyError> {
        let PublicPart { description: newest, token, .. } = find(self.dir(), name)?;
        let version = newest.version.checked_add(1).ok_or_else(|| KeyError::NoVersion { name: name.clone(), version: u32::MAX })?;
        let write = |material: &Material<'_>| self.write_version(name.clone(), version, &newest.constructions, Origin::New, material, now);
        let made = match token {
            None => write(&Material::Seed(&seal::random()?))?,
            Some(place) => write(&Material::InToken(&self.generate_in(&place.token, name)?))?,
        };
        for old in list(self.dir())?.into_iter().map(|part| part.description) {
            if old.name == *name && old.version < version && old.retires.is_none() {
                self.set_end(name, old.version, end)?;
            }
        }
        Ok(made)
    }

    /// Sets from when on a version of a key signs nothing; the newest version when none is named.
    ///
    /// # Errors
    /// [`KeyError::Retired`] when its time is over already: what is retired does not come back.
    pub fn retire(&self, name: &KeyName, version: Option<u32>, end: u64, now: u64) -> Result<PublicPart, KeyError> {
        let part = find_version(self.dir(), name, version)?;
        let version = part.description.version;
        if part.description.is_retired(now) {
            return Err(KeyError::Retired { name: name.clone(), version });
        }
        self.set_end(name, version, end)
    }
}

/// One version of a signing key, the newest when none is named, without a passphrase.
///
/// # Errors
/// [`KeyError::Unknown`] or [`KeyError::NoVersion`] when there is none.
pub fn find_version(dir: &std::path::Path, name: &KeyName, version: Option<u32>) -> Result<PublicPart, KeyError> {
    let newest = find(dir, name)?;
    let Some(version) = version else { return Ok(newest) };
    let mut parts = list(dir)?.into_iter();
    parts
        .find(|part| part.description.name == *name && part.description.version == version)
        .ok_or_else(|| KeyError::NoVersion { name: name.clone(), version })
}

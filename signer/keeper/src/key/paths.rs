//! Which file of a keyring's directory is what.

use super::error::KeyError;
use crate::guarded;
use chancery_channel::KeyName;
use std::path::{Path, PathBuf};

/// Names that are taken by the keeper's own files.
const RESERVED: [&str; 2] = ["keyring", "log"];
/// How the names of files of tokens end. No name has a dot in it, so none is that of a key.
const TOKEN: &str = ".token.toml";

pub(super) fn existing(dir: &Path) -> Result<PathBuf, KeyError> {
    let path = keyring_path(dir);
    if !path.exists() {
        return Err(KeyError::NoKeyring { dir: dir.to_owned() });
    }
    guarded::check_dir_to_read(dir)?;
    Ok(path)
}

pub(super) fn keyring_path(dir: &Path) -> PathBuf {
    dir.join("keyring.toml")
}

pub(super) fn log_path(dir: &Path) -> PathBuf {
    dir.join("log.toml")
}

/// The alphabet of key names has neither dots nor slashes, so this stays in the directory.
pub(super) fn free_path(dir: &Path, name: &KeyName) -> Result<PathBuf, KeyError> {
    if RESERVED.contains(&name.as_str()) {
        return Err(KeyError::Reserved { name: name.clone() });
    }
    let path = dir.join(format!("{name}.toml"));
    if path.exists() { Err(KeyError::Exists { name: name.clone() }) } else { Ok(path) }
}

/// `NAME.toml` for the first version, `NAME.v2.toml` for the second. No name has a dot in it.
pub(super) fn version_path(dir: &Path, name: &KeyName, version: u32) -> PathBuf {
    dir.join(if version == 1 { format!("{name}.toml") } else { format!("{name}.v{version}.toml") })
}

pub(super) fn key_paths(dir: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let own = |path: &PathBuf| RESERVED.iter().any(|r| path.file_stem().is_some_and(|stem| stem == *r));
    Ok(toml_files(dir)?.into_iter().filter(|path| !own(path) && token_name(path).is_none()).collect())
}

/// `NAME.token.toml`.
pub(super) fn token_path(dir: &Path, name: &KeyName) -> PathBuf {
    dir.join(format!("{name}{TOKEN}"))
}

/// The files of tokens, with the names that they say.
pub(super) fn token_paths(dir: &Path) -> Result<Vec<(KeyName, PathBuf)>, KeyError> {
    let named = |path: PathBuf| Some((KeyName::new(token_name(&path)?).ok()?, path));
    Ok(toml_files(dir)?.into_iter().filter_map(named).collect())
}

fn token_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()?.strip_suffix(TOKEN)
}

pub(super) fn toml_files(dir: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let failed = |source| KeyError::List { dir: dir.to_owned(), source };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_some_and(|e| e == "toml") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

//! Globs for refs. A summary may also list refs of other collections; those need a glob that says so, `COLLECTION:REF`.

use super::{Glob, GlobError};
use std::fmt;

/// A pattern for refs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefGlob {
    collection: Option<Glob>,
    name: Glob,
}

impl RefGlob {
    /// Checks a pattern. Neither refs nor collections have a colon, so the first one ends the collection.
    ///
    /// # Errors
    /// [`GlobError`] says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, GlobError> {
        let (collection, name) = match text.split_once(':') {
            Some((collection, name)) => (Some(Glob::new(collection)?), name),
            None => (None, text),
        };
        Ok(Self { collection, name: Glob::new(name)? })
    }

    /// Whether every ref of the repository's own collection matches.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.collection.is_none() && self.name.is_everything()
    }

    /// Whether a ref matches. `collection` is absent for the repository's own.
    #[must_use]
    pub fn matches(&self, collection: Option<&str>, name: &str) -> bool {
        let collection_matches = match (&self.collection, collection) {
            (None, None) => true,
            (Some(glob), Some(collection)) => glob.matches(collection),
            _ => false,
        };
        collection_matches && self.name.matches(name)
    }
}

impl fmt::Display for RefGlob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.collection {
            Some(collection) => write!(f, "{collection}:{}", self.name),
            None => self.name.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_of_other_collections_need_a_glob_that_names_them() {
        let own = RefGlob::new("**").unwrap();
        assert!(own.matches(None, "app/a") && !own.matches(Some("org.example.Other"), "app/a"));
        let other = RefGlob::new("org.example.*:app/*").unwrap();
        assert!(other.matches(Some("org.example.Other"), "app/a"));
        assert!(!other.matches(None, "app/a") && !other.matches(Some("org.evil"), "app/a"));
        assert!(own.is_everything() && !RefGlob::new("*:**").unwrap().is_everything());
        assert_eq!(other.to_string(), "org.example.*:app/*");
    }
}

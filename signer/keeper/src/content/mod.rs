//! Reads what is to be signed, strictly, before anything is decided about it.

use chancery_channel::{Namespace, SignRequest};

/// A request whose content was read and is what it says it is.
pub struct Checked {
    request: SignRequest,
    facts: Facts,
    content: Vec<u8>,
}

/// What the content says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Facts {
    /// An OSTree `summary`.
    Summary {
        /// The refs it lists, its own collection's first.
        refs: Vec<SummaryRef>,
        /// Its collection.
        collection_id: Option<String>,
        /// When it was made, in seconds since 1970.
        last_modified: Option<u64>,
        /// When it expires, in seconds since 1970.
        expires: Option<u64>,
    },
    /// An OSTree commit object.
    Commit {
        /// The refs it is bound to.
        refs: Vec<String>,
        /// The collection it is bound to.
        collection: Option<String>,
        /// The commit before it.
        parent: Option<[u8; 32]>,
        /// When it was made, in seconds since 1970.
        timestamp: u64,
        /// Its version, as its author wrote it.
        version: Option<String>,
    },
    /// A digest: nothing is known of the content.
    Digest {
        /// The namespace of the SSHSIG.
        namespace: Namespace,
    },
}

/// A ref in a summary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SummaryRef {
    /// The collection it belongs to, when that is not the summary's own.
    pub collection: Option<String>,
    /// Its name.
    pub name: String,
    /// The commit it points to.
    pub commit: [u8; 32],
}

impl Checked {
    pub(crate) const fn new(request: SignRequest, facts: Facts, content: Vec<u8>) -> Self {
        Self { request, facts, content }
    }

    /// What was asked for.
    #[must_use]
    pub const fn request(&self) -> &SignRequest {
        &self.request
    }

    /// What the content says about itself.
    #[must_use]
    pub const fn facts(&self) -> &Facts {
        &self.facts
    }

    /// The content; empty for a digest.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Length of the content in bytes; 0 for a digest.
    #[must_use]
    pub fn len(&self) -> u64 {
        u64::try_from(self.content.len()).unwrap_or(u64::MAX)
    }

    /// Whether there is no content, as for a digest.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// The request alone.
    #[must_use]
    pub fn into_request(self) -> SignRequest {
        self.request
    }
}

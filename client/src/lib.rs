//! The publisher's side of Chancery: asks a key host for signatures, and believes only what it has checked.
//!
//! A [`VerifiedSignature`] exists only when the signature fits the key that the [`Profile`] pins and the bytes that were sent, the
//! receipt proves that the request was recorded first, and the request log is the one that was seen before.
//!
//! ```no_run
//! # async fn sign(digest: &[u8]) -> Result<(), chancery::Error> {
//! use chancery::{Client, HashAlgorithm, Options, Profile};
//!
//! let profile = Profile::load("profile.toml".as_ref())?;
//! let client = Client::connect(profile, Options::default()).await?;
//! let signature = client.sign_digest("release", "tool-1.0.tar.gz", "file", HashAlgorithm::Sha512, digest).await?;
//! assert!(signature.framed().starts_with(b"-----BEGIN SSH SIGNATURE-----"));
//! # Ok(())
//! # }
//! ```

mod batch;
mod carry;
mod client;
mod error;
mod framed;
mod host;
mod log_view;
mod offline;
pub mod ostree;
mod profile;
mod receipt;
mod relay;
mod request;
mod signature;
mod state;
mod status;
#[cfg(test)]
mod testing;
mod text;
mod wire;
mod witness;

pub use chancery_formats::Construction;
pub use chancery_formats::sshsig::HashAlgorithm;
pub use client::{Client, Options};
pub use error::{Error, Evidence, Misbehaviour, Refusal, Unreachable};
pub use framed::{FramedError, Opened, open};
pub use offline::{Answers, Collected, Offline, OfflineError};
pub use profile::{Endpoint, EndpointError, KeyFileError, PinnedKey, Profile, ProfileError};
pub use receipt::{Expected, Receipt, ReceiptError, hex};
pub use relay::{Front, Relay, RelayError, RelayOptions, RelayReloader};
pub use request::{Material, Request, RequestError, RequestId};
pub use signature::VerifiedSignature;
pub use state::{StateError, StateStore};
pub use status::{Cell, EndpointStatus, KeyComparison, KeyState, KeyVerdict};
pub use text::printable;
pub use wire::{Backoff, Notice, Notify, Trouble};
pub use witness::{WitnessStatus, WitnessVerdict};

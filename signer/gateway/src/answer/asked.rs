//! A file of requests: by whom it is, and that nobody changed it.

use crate::identity::{IdentityError, Peer, identify};
use crate::tls::Trust;
use chancery_channel::Principal;
use chancery_proto::v1::{OfflineRequest, OfflineRequestBody};
use prost::Message as _;
use rustls::SignatureScheme;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use webpki::EndEntityCert;

/// Stands before the body where it is signed.
const CONTEXT: &[u8] = b"chancery offline request v1\n";
/// Clocks of clients may be ahead by as much.
const SKEW: Duration = Duration::from_secs(300);

/// Why nothing of a file is looked at. Nothing of it is recorded, as of a connection without a good certificate.
#[derive(Debug, thiserror::Error)]
pub enum AskedError {
    /// Not such a file.
    #[error("it is not a file that `chancery request export` wrote, or it was cut off")]
    Form(#[from] prost::DecodeError),
    /// The certificate is not by the client CA, expired, or was revoked.
    #[error("it is not signed with a certificate that this key host lets in: of another CA, expired, or revoked")]
    Stranger,
    /// The certificate names nobody.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The signature does not fit.
    #[error("its signature does not fit: it was changed, or signed with another key than that of its certificate")]
    Signature,
    /// For another key host.
    #[error("it is for the log {0:?}, which is not the log of this key host")]
    OtherHost(String),
    /// Too old, or from the future.
    #[error("it was made {0} s before or after now by the clock of this host; export it again, or say --max-age")]
    Age(u64),
}

/// Requests whose sender is known.
pub(super) struct Asked {
    pub(super) principal: Principal,
    pub(super) body: OfflineRequestBody,
}

impl Asked {
    pub(super) fn read(bytes: &[u8], trust: &Trust, max_age: Duration) -> Result<Self, AskedError> {
        let file = OfflineRequest::decode(bytes)?;
        let chain: Vec<CertificateDer<'_>> = file.certificates.iter().map(|der| CertificateDer::from(der.as_ref())).collect();
        let leaf = chain.first().filter(|_| trust.lets_in(&chain)).ok_or(AskedError::Stranger)?;
        verify(leaf, file.scheme, &[CONTEXT, &file.body].concat(), &file.signature)?;
        let peer = Peer::new(identify(leaf), crate::accept::Allowance::new(1, None));
        let now = SystemTime::now();
        let principal = peer.principal(now)?.clone();
        let body = OfflineRequestBody::decode(file.body)?;
        let made = UNIX_EPOCH.checked_add(Duration::from_secs(body.made)).unwrap_or(UNIX_EPOCH);
        let (age, limit) = match now.duration_since(made) {
            Ok(age) => (age, max_age),
            Err(ahead) => (ahead.duration(), SKEW),
        };
        if age > limit { Err(AskedError::Age(age.as_secs())) } else { Ok(Self { principal, body }) }
    }

    /// Whether it is meant for the key host with this log: one that was answered elsewhere is not answered here too.
    pub(super) fn is_for(&self, log_vkey: &str) -> Result<(), AskedError> {
        if self.body.log == log_vkey { Ok(()) } else { Err(AskedError::OtherHost(self.body.log.chars().take(256).collect())) }
    }
}

fn verify(leaf: &CertificateDer<'_>, scheme: u32, message: &[u8], signature: &[u8]) -> Result<(), AskedError> {
    let scheme = SignatureScheme::from(u16::try_from(scheme).map_err(|_| AskedError::Signature)?);
    let algorithms = ring::default_provider().signature_verification_algorithms.mapping;
    let (_, fitting) = algorithms.iter().find(|(s, _)| *s == scheme).ok_or(AskedError::Signature)?;
    let certificate = EndEntityCert::try_from(leaf).map_err(|_| AskedError::Signature)?;
    let good = |algorithm: &&'static dyn rustls::pki_types::SignatureVerificationAlgorithm| {
        certificate.verify_signature(*algorithm, message, signature).is_ok()
    };
    if fitting.iter().any(good) { Ok(()) } else { Err(AskedError::Signature) }
}

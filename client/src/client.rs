//! Asking a key host for signatures, and believing only what was checked.

use crate::error::{Error, Misbehaviour};
use crate::host::Host;
use crate::log_view::LogView;
use crate::offline::{Offline, OfflineError};
use crate::profile::Profile;
use crate::receipt::Receipt;
use crate::request::{Request, RequestId};
use crate::signature::VerifiedSignature;
use crate::state::{Seen, StateStore};
use crate::wire::{self, Backoff, Failure, Notify, Patience};
use bytes::Bytes;
use chancery_formats::Construction;
use chancery_formats::sshsig::HashAlgorithm;
use chancery_proto::v1;
use chancery_proto::v1::sign_batch_response::Outcome;
use std::time::Duration;

/// A publisher's view of a key host. Cheap to share; calls may be made at the same time.
pub struct Client {
    pub(crate) profile: Profile,
    pub(crate) host: Host,
    pub(crate) log: LogView,
}

/// How a [`Client`] behaves.
#[derive(Clone)]
#[non_exhaustive]
pub struct Options {
    /// How long a call may take with all its tries. Default: 30 s.
    pub deadline: Duration,
    /// How long a connection may take to be made. Default: 5 s.
    pub connect_timeout: Duration,
    /// The pauses between tries.
    pub backoff: Backoff,
    /// Where the newest checkpoint is kept; `None` for the usual place beside the profile.
    pub state: Option<StateStore>,
    /// Called before each pause, so that somebody who waits knows why.
    pub notify: Option<Notify>,
    /// Files in place of a connection.
    pub offline: Option<Offline>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(5),
            backoff: Backoff::default(),
            state: None,
            notify: None,
            offline: None,
        }
    }
}

impl Client {
    /// Prepares a client. Connections are opened when they are first needed, and again when they broke.
    ///
    /// # Errors
    /// [`Error`] when the private key, the certificates or the saved checkpoint cannot be used.
    #[allow(clippy::unused_async, reason = "connections belong to a tokio runtime, and an async function is sure to have one")]
    pub async fn connect(profile: Profile, options: Options) -> Result<Self, Error> {
        let store = options.state.unwrap_or_else(|| StateStore::beside(profile.path()));
        let log = LogView::new(profile.log().clone(), store)?;
        let lines = wire::dial(&profile, options.connect_timeout)?;
        let patience = Patience { total: options.deadline, backoff: options.backoff, notify: options.notify };
        Ok(Self { profile, host: Host { lines, patience, offline: options.offline }, log })
    }

    /// The profile.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Asks for an SSH signature of a file with this digest.
    ///
    /// # Errors
    /// As [`Client::sign`], and when namespace or digest are not usable.
    pub async fn sign_digest(
        &self,
        key: &str,
        subject: &str,
        namespace: &str,
        algorithm: HashAlgorithm,
        digest: &[u8],
    ) -> Result<VerifiedSignature, Error> {
        self.sign(&Request::sshsig(key, subject, namespace, algorithm, digest)?).await
    }

    /// Asks for a signature of content.
    ///
    /// # Errors
    /// As [`Client::sign`], and when the content is not what the construction signs.
    pub async fn sign_content(
        &self,
        key: &str,
        construction: Construction,
        subject: &str,
        content: Bytes,
    ) -> Result<VerifiedSignature, Error> {
        self.sign(&Request::content(key, construction, subject, content)?).await
    }

    /// Asks for one signature: tries until the deadline, always with the same request id, and returns the signature only when it fits
    /// the pinned key, its receipt fits the pinned log, and the log is the one that was seen before.
    ///
    /// # Errors
    /// [`Error`]; after [`Error::Unreachable`] the same request may be sent again and gives the same signature, without a second entry.
    pub async fn sign(&self, request: &Request) -> Result<VerifiedSignature, Error> {
        if let Some(offline) = &self.host.offline {
            let signature = self.answered(offline, request).await?;
            self.save().await?;
            return Ok(signature);
        }
        let (reply, _) = match self.host.sign(request).await {
            Ok(reply) => reply,
            Err(failure) => return Err(self.failed(failure, request.id()).await),
        };
        let signature = self.check(request, &reply).await?;
        self.save().await?;
        Ok(signature)
    }

    /// How many entries the log had when it was last seen; `None` before the first time.
    pub async fn log_size(&self) -> Option<u64> {
        self.log.size().await
    }

    /// Takes the reply to a request out of a file, and checks it like any other; or puts the request into one.
    pub(crate) async fn answered(&self, offline: &Offline, request: &Request) -> Result<VerifiedSignature, Error> {
        let answers = match offline {
            Offline::Export(collected) => {
                collected.add(request);
                return Err(Error::Exported);
            }
            Offline::Import(answers) => answers,
        };
        let (request, outcome) = answers.find(request.clone())?;
        self.is_answer(&request, &outcome)?;
        let newest = self.open_checkpoint(answers.newest())?;
        self.log.accept(newest, &self.host).await?;
        match outcome {
            Outcome::Signed(reply) => self.check(&request, &reply).await,
            Outcome::Refusal(refusal) => {
                let endpoint = "the answer in the file".to_owned();
                Err(self.failed(Failure::Refused { refusal, endpoint }, request.id()).await)
            }
        }
    }

    /// People take one file for another: that is no misbehaviour of the key host, and proofs for another request prove nothing against it.
    fn is_answer(&self, request: &Request, outcome: &Outcome) -> Result<(), OfflineError> {
        let receipt = match outcome {
            Outcome::Signed(reply) => &reply.receipt,
            Outcome::Refusal(refusal) => &refusal.receipt,
        };
        let is_of_another = Receipt::open(receipt, self.log.key()).is_ok_and(|receipt| receipt.is_of_request(&request.id().0).is_err());
        if is_of_another { Err(OfflineError::Mixed) } else { Ok(()) }
    }

    /// Checks a reply, all but keeping the checkpoint for the next run.
    pub(crate) async fn check(&self, request: &Request, reply: &v1::SignResponse) -> Result<VerifiedSignature, Error> {
        let signature = VerifiedSignature::check(&self.profile, request, reply)?;
        self.accept(signature.receipt()).await?;
        Ok(signature)
    }

    /// Makes an error of a failure. The receipt of a refusal is checked like that of a signature.
    pub(crate) async fn failed(&self, failure: Failure, request: RequestId) -> Error {
        let (refusal, endpoint) = match failure {
            Failure::Unreachable(unreachable) => return unreachable.into(),
            Failure::Refused { refusal, endpoint } => (refusal, endpoint),
        };
        match wire::from_wire(refusal, &endpoint, Some(request), self.log.key()) {
            Err(misbehaviour) => misbehaviour.into(),
            Ok((refusal, None)) => refusal.into(),
            Ok((refusal, Some(receipt))) => {
                let kept = match self.accept(&receipt).await {
                    Ok(()) => self.save().await,
                    Err(error) => Err(error),
                };
                // Whatever else stands in the way of keeping the checkpoint, the refusal is what was asked about.
                if let Err(error @ Error::Misbehaved(_)) = kept { error } else { refusal.into() }
            }
        }
    }

    pub(crate) async fn accept(&self, receipt: &Receipt) -> Result<(), Error> {
        let seen = Seen { checkpoint: receipt.checkpoint().clone(), note: receipt.note().to_owned() };
        self.log.accept(seen, &self.host).await
    }

    /// Keeps the newest checkpoint that was accepted for the next run.
    pub(crate) async fn save(&self) -> Result<(), Error> {
        self.log.save(&self.host).await
    }

    pub(crate) fn open_checkpoint(&self, note: &str) -> Result<Seen, Misbehaviour> {
        Seen::open(note, self.log.key()).map_err(Misbehaviour::Checkpoint)
    }
}

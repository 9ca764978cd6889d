//! Requests and answers as files, for a key host without any network.
//!
//! The same commands make the same requests; instead of being sent they are collected, and instead of being received the answers are looked
//! up. All that is checked of a reply over the network is checked of one in a file.

use crate::error::Error;
use crate::host::Proof;
use crate::profile::{Profile, read_private_key};
use crate::request::{Request, RequestId};
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::{OfflineAnswer, OfflineReply, OfflineRequest, OfflineRequestBody, SignBatchRequest, SignHeader};
use chancery_tlog::Hash;
use prost::Message as _;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// Stands before the body where it is signed, so that the signature is good for nothing else.
const CONTEXT: &[u8] = b"chancery offline request v1\n";
const SCHEMES: [SignatureScheme; 4] = [
    SignatureScheme::ED25519,
    SignatureScheme::ECDSA_NISTP256_SHA256,
    SignatureScheme::ECDSA_NISTP384_SHA384,
    SignatureScheme::RSA_PSS_SHA256,
];

/// What takes the place of a connection.
#[derive(Debug, Clone)]
pub enum Offline {
    /// Requests are collected, and none is answered.
    Export(Collected),
    /// Answers are in a file.
    Import(Arc<Answers>),
}

/// Requests that were not sent.
#[derive(Debug, Clone, Default)]
pub struct Collected(Arc<Mutex<Vec<Request>>>);

/// The answers to the requests of one file.
#[derive(Debug)]
pub struct Answers {
    /// How many entries the log had when the requests were exported.
    known_size: u64,
    /// The newest checkpoint, as the key host says.
    newest: String,
    newest_size: u64,
    /// Each with the id that it was exported under.
    answered: Vec<(SignHeader, Option<Outcome>)>,
    /// By the size of the tree that they lead from, to the newest.
    proofs: BTreeMap<u64, Vec<Hash>>,
}

/// Why a file of requests or answers cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// The key of the profile signs nothing of this kind.
    #[error("the private key of the profile cannot sign the request; enroll again with `chancery enroll-request`")]
    Key(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// No file of requests.
    #[error("this is not a file that `chancery request export` wrote")]
    Request(#[source] prost::DecodeError),
    /// No file of answers.
    #[error("this is not a file that `chanceryd request answer` wrote")]
    Answer(#[source] prost::DecodeError),
    /// The files do not belong together, or something was changed since.
    #[error("the answer is not one to this request, or what is to be signed was changed since: export it again")]
    Other,
    /// Two pairs of files were mixed up.
    #[error("the answer is one to another request; import it with the file that it answers, or have this one answered")]
    Mixed,
    /// There is no time.
    #[error("the clock of this machine is before 1970")]
    Clock,
}

impl Collected {
    pub(crate) fn add(&self, request: &Request) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(request.clone());
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The file for the key host, signed by the profile's key. `known_size` is how many entries the log had when it was last seen.
    ///
    /// # Errors
    /// [`OfflineError::Key`], [`OfflineError::Clock`], or the private key cannot be read.
    pub fn file(&self, profile: &Profile, known_size: u64) -> Result<Vec<u8>, Error> {
        let requests = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wire = |(number, request): (u64, &Request)| SignBatchRequest {
            number,
            header: Some(request.header()),
            content: request.material().body(),
        };
        let body = OfflineRequestBody {
            log: profile.log().to_string(),
            made: SystemTime::now().duration_since(UNIX_EPOCH).map_err(|_| OfflineError::Clock)?.as_secs(),
            known_size,
            requests: (0..).zip(requests.iter()).map(wire).collect(),
        };
        let body = body.encode_to_vec();
        let (scheme, signature) = sign(&read_private_key(profile.key_file())?, &body)?;
        let chain = CertificateDer::pem_slice_iter(profile.certificate().as_bytes()).collect::<Result<Vec<_>, _>>();
        let chain = chain.map_err(|e| OfflineError::Key(e.into()))?;
        let certificates = chain.iter().map(|der| der.to_vec().into()).collect();
        Ok(OfflineRequest { body: body.into(), certificates, scheme: scheme.into(), signature: signature.into() }.encode_to_vec())
    }
}

fn sign(key: &str, body: &[u8]) -> Result<(u16, Vec<u8>), OfflineError> {
    let failed = |e: Box<dyn std::error::Error + Send + Sync>| OfflineError::Key(e);
    let der = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| failed(e.into()))?;
    let key = any_supported_type(&der).map_err(|e| failed(e.into()))?;
    let signer = key.choose_scheme(&SCHEMES).ok_or_else(|| failed("it is of a kind that TLS 1.3 does not sign with".into()))?;
    let signature = signer.sign(&[CONTEXT, body].concat()).map_err(|e| failed(e.into()))?;
    Ok((signer.scheme().into(), signature))
}

impl Answers {
    /// Puts a file of requests and the file of their answers together. Nothing is believed yet.
    ///
    /// # Errors
    /// [`OfflineError`] when one of them is something else, or they do not belong together.
    pub fn read(request: &[u8], answer: &[u8]) -> Result<Self, OfflineError> {
        let request = OfflineRequest::decode(request).map_err(OfflineError::Request)?;
        let body = OfflineRequestBody::decode(request.body).map_err(OfflineError::Request)?;
        let answer = OfflineAnswer::decode(answer).map_err(OfflineError::Answer)?;
        let newest_size = answer.checkpoint.lines().nth(1).and_then(|size| size.parse().ok()).ok_or(OfflineError::Other)?;
        let hash = |h: &bytes::Bytes| h.as_ref().try_into().map(Hash).map_err(|_| OfflineError::Other);
        let mut outcomes = BTreeMap::new();
        let mut proofs = BTreeMap::new();
        for OfflineReply { response, size, proof } in answer.replies {
            let response = response.ok_or(OfflineError::Other)?;
            outcomes.insert(response.number, response.outcome);
            proofs.insert(size, proof.iter().map(hash).collect::<Result<Vec<_>, _>>()?);
        }
        proofs.insert(body.known_size, answer.proof.iter().map(hash).collect::<Result<_, _>>()?);
        let answered = body.requests.into_iter().map(|asked| {
            let header = asked.header.ok_or(OfflineError::Other)?;
            Ok((header, outcomes.remove(&asked.number).flatten()))
        });
        let answered = answered.collect::<Result<_, OfflineError>>()?;
        Ok(Self { known_size: body.known_size, newest: answer.checkpoint, newest_size, answered, proofs })
    }

    /// The answer to a request that was made again: the same but for its id, which becomes the one that it was exported under.
    pub(crate) fn find(&self, request: Request) -> Result<(Request, Outcome), OfflineError> {
        let mut header = request.header();
        for (exported, outcome) in &self.answered {
            header.request_id = exported.request_id.clone();
            if header == *exported {
                let id = exported.request_id.as_ref().try_into().map(RequestId).map_err(|_| OfflineError::Other)?;
                return Ok((request.under(id), outcome.clone().ok_or(OfflineError::Other)?));
            }
        }
        Err(OfflineError::Other)
    }

    /// The newest checkpoint of the log. It is to be accepted before any reply.
    pub(crate) fn newest(&self) -> &str {
        &self.newest
    }

    /// Whether one tree extends another, as far as the key host put it into the file.
    pub(crate) fn proof(&self, old: u64, new: u64) -> Proof {
        match self.proofs.get(&old).filter(|_| new == self.newest_size) {
            Some(hashes) => Proof::Given(hashes.clone()),
            // It answered with less than it had when the request was made.
            None if self.newest_size < self.known_size => Proof::None,
            None => Proof::Unknown,
        }
    }
}

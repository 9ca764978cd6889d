//! The calls to a key host. What they return is not checked here.

use crate::error::Error;
use crate::offline::Offline;
use crate::request::Request;
use crate::wire::{Failure, Line, Lines, Patience};
use bytes::Bytes;
use chancery_proto::v1::key_service_client::KeyServiceClient;
use chancery_proto::v1::request_log_service_client::RequestLogServiceClient;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{self, GetCheckpointRequest, GetConsistencyProofRequest, ListKeysRequest};
use chancery_tlog::Hash;
use tonic::Status;
use tonic::transport::Channel;

/// The largest piece of content in one message.
const CHUNK: usize = 1024 * 1024;

/// The endpoints of a key host, and how patient we are with them.
pub(crate) struct Host {
    pub(crate) lines: Lines,
    pub(crate) patience: Patience,
    /// Files in place of a connection.
    pub(crate) offline: Option<Offline>,
}

/// What a key host gives when it is asked whether one tree extends another.
pub(crate) enum Proof {
    /// The proof.
    Given(Vec<Hash>),
    /// It says that it has none.
    None,
    /// It cannot be asked.
    Unknown,
}

impl Host {
    /// Asks for one signature.
    pub(crate) async fn sign(&self, request: &Request) -> Result<(v1::SignResponse, Line), Failure> {
        self.patience.call(&self.lines, |channel| sign_once(channel, request)).await
    }

    /// Asks for the proof that one tree extends another.
    pub(crate) async fn prove(&self, old: u64, new: u64) -> Result<Proof, Error> {
        match &self.offline {
            Some(Offline::Import(answers)) => return Ok(answers.proof(old, new)),
            Some(Offline::Export(_)) => return Ok(Proof::Unknown),
            None => {}
        }
        let ask = |channel| async move {
            let request = GetConsistencyProofRequest { old_size: old, new_size: new };
            Ok(RequestLogServiceClient::new(channel).get_consistency_proof(request).await?.into_inner())
        };
        match self.patience.call(&self.lines, ask).await {
            Ok((reply, _)) => {
                let hash = |h: &Bytes| h.as_ref().try_into().map(Hash).ok();
                Ok(reply.hashes.iter().map(hash).collect::<Option<_>>().map_or(Proof::None, Proof::Given))
            }
            Err(Failure::Refused { .. }) => Ok(Proof::None),
            Err(Failure::Unreachable(u)) => Err(u.into()),
        }
    }
}

/// Asks one endpoint once for its newest checkpoint.
pub(crate) async fn checkpoint_once(channel: Channel) -> Result<String, Status> {
    Ok(RequestLogServiceClient::new(channel).get_checkpoint(GetCheckpointRequest {}).await?.into_inner().checkpoint)
}

/// Asks one endpoint once for its keys.
pub(crate) async fn keys_once(channel: Channel) -> Result<v1::ListKeysResponse, Status> {
    Ok(KeyServiceClient::new(channel).list_keys(ListKeysRequest {}).await?.into_inner())
}

async fn sign_once(channel: Channel, request: &Request) -> Result<v1::SignResponse, Status> {
    let header = Part::Header(request.header());
    let chunks = Chunks(request.material().body());
    let parts = std::iter::once(header).chain(chunks.map(Part::Chunk)).map(|part| v1::SignRequest { part: Some(part) });
    let reply = SigningServiceClient::new(channel).sign(tokio_stream::iter(parts)).await?.into_inner();
    Ok(reply)
}

/// Cuts content into pieces without copying it.
struct Chunks(Bytes);

impl Iterator for Chunks {
    type Item = Bytes;
    fn next(&mut self) -> Option<Bytes> {
        let size = self.0.len().min(CHUNK);
        (size > 0).then(|| self.0.split_to(size))
    }
}

//! `chancery.v1.RequestLogService`.

use super::{ask, principal, unexpected};
use crate::link::Link;
use crate::wire;
use chancery_channel::{Answer, ToKeeper};
use chancery_proto::v1::request_log_service_server::RequestLogService;
use chancery_proto::v1::{
    GetCheckpointRequest, GetCheckpointResponse, GetConsistencyProofRequest, GetConsistencyProofResponse, GetTileRequest, GetTileResponse,
    GetWitnessRequestRequest, GetWitnessRequestResponse, ListEntriesRequest, ListEntriesResponse, PutWitnessAnswerRequest,
    PutWitnessAnswerResponse,
};
use std::time::Duration;
use tonic::{Request, Response, Status};

/// The longest path of a static file is a third of this.
const PATH_MAX: usize = 128;

/// A verification key and a content type are shorter, in characters.
const VKEY_MAX: usize = 512;

/// `chancery.v1.RequestLogService`.
pub struct RequestLog {
    link: Link,
    limit: Duration,
}

impl RequestLog {
    /// Asks this keeper, and waits for so long.
    #[must_use]
    pub const fn new(link: Link, limit: Duration) -> Self {
        Self { link, limit }
    }

    async fn ask<'a, T>(
        &self,
        message: impl FnOnce(u64) -> ToKeeper<'a>,
        take: impl FnOnce(Answer) -> Result<T, Answer>,
    ) -> Result<Response<T>, Status> {
        let answer = ask(&self.link, self.limit, message).await?;
        take(answer).map(Response::new).map_err(|other| wire::status(unexpected(other, None)))
    }
}

#[tonic::async_trait]
impl RequestLogService for RequestLog {
    async fn get_checkpoint(&self, request: Request<GetCheckpointRequest>) -> Result<Response<GetCheckpointResponse>, Status> {
        principal(&request)?;
        let take = |answer| match answer {
            Answer::Checkpoint(c) => Ok(GetCheckpointResponse { checkpoint: c.note }),
            other => Err(other),
        };
        self.ask(|id| ToKeeper::Checkpoint { id }, take).await
    }

    async fn get_consistency_proof(
        &self,
        request: Request<GetConsistencyProofRequest>,
    ) -> Result<Response<GetConsistencyProofResponse>, Status> {
        principal(&request)?;
        let GetConsistencyProofRequest { old_size: old, new_size: new } = request.into_inner();
        let take = |answer| match answer {
            Answer::Consistency(proof) => Ok(GetConsistencyProofResponse {
                hashes: proof.hashes.iter().map(|h| bytes::Bytes::copy_from_slice(h)).collect(),
                checkpoint: proof.checkpoint,
            }),
            other => Err(other),
        };
        self.ask(|id| ToKeeper::Consistency { id, old, new }, take).await
    }

    async fn get_tile(&self, request: Request<GetTileRequest>) -> Result<Response<GetTileResponse>, Status> {
        principal(&request)?;
        let path: String = request.into_inner().path.chars().take(PATH_MAX).collect();
        let take = |answer| match answer {
            Answer::Tile(data) => Ok(GetTileResponse { data: data.into() }),
            other => Err(other),
        };
        self.ask(|id| ToKeeper::Tile { id, path }, take).await
    }

    async fn get_witness_request(&self, request: Request<GetWitnessRequestRequest>) -> Result<Response<GetWitnessRequestResponse>, Status> {
        principal(&request)?;
        let witness: String = request.into_inner().witness.chars().take(VKEY_MAX).collect();
        let take = |answer| match answer {
            Answer::WitnessRequest(body) => Ok(GetWitnessRequestResponse { body: body.map(|b| b.0.into()).unwrap_or_default() }),
            other => Err(other),
        };
        self.ask(|id| ToKeeper::WitnessRequest { id, witness }, take).await
    }

    async fn put_witness_answer(&self, request: Request<PutWitnessAnswerRequest>) -> Result<Response<PutWitnessAnswerResponse>, Status> {
        principal(&request)?;
        let PutWitnessAnswerRequest { witness, status, content_type, body } = request.into_inner();
        let witness: String = witness.chars().take(VKEY_MAX).collect();
        let content_type: String = content_type.chars().take(VKEY_MAX).collect();
        let status = u16::try_from(status).unwrap_or(0);
        let take = |answer| match answer {
            Answer::WitnessJudged { again } => Ok(PutWitnessAnswerResponse { again }),
            other => Err(other),
        };
        self.ask(|id| ToKeeper::WitnessAnswer { id, witness, status, content_type, body: &body }, take).await
    }

    async fn list_entries(&self, request: Request<ListEntriesRequest>) -> Result<Response<ListEntriesResponse>, Status> {
        principal(&request)?;
        let ListEntriesRequest { start, count } = request.into_inner();
        let take = |answer| match answer {
            Answer::Entries(e) => Ok(ListEntriesResponse { start: e.start, entries: e.leaves.into_iter().map(|l| l.0.into()).collect() }),
            other => Err(other),
        };
        self.ask(|id| ToKeeper::Entries { id, start, count }, take).await
    }
}

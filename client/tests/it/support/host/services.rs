//! The gRPC side of the key host.

use super::{Shared, State};
use bytes::Bytes;
use chancery_proto::v1;
use chancery_proto::v1::key_service_server::{KeyService, KeyServiceServer};
use chancery_proto::v1::request_log_service_server::{RequestLogService, RequestLogServiceServer};
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_server::{SigningService, SigningServiceServer};
use std::pin::Pin;
use std::sync::MutexGuard;
use tokio_stream::{Stream, StreamExt as _};
use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic::{Request, Response, Status, Streaming};

struct Services(Shared);

pub(super) fn add(mut server: Server, state: &Shared) -> Router {
    let services = || Services(Shared::clone(state));
    server
        .add_service(SigningServiceServer::new(services()))
        .add_service(KeyServiceServer::new(services()))
        .add_service(RequestLogServiceServer::new(services()))
}

impl Services {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

#[tonic::async_trait]
impl SigningService for Services {
    async fn sign(&self, request: Request<Streaming<v1::SignRequest>>) -> Result<Response<v1::SignResponse>, Status> {
        let mut parts = request.into_inner();
        let Some(Part::Header(header)) = parts.message().await?.unwrap().part else { panic!("the header comes first") };
        let mut content = Vec::new();
        while let Some(part) = parts.message().await? {
            let Some(Part::Chunk(chunk)) = part.part else { panic!("chunks come after the header") };
            assert!((1..=1024 * 1024).contains(&chunk.len()));
            content.extend_from_slice(&chunk);
        }
        self.state().sign(&header, &content).map(Response::new)
    }

    type SignBatchStream = Pin<Box<dyn Stream<Item = Result<v1::SignBatchResponse, Status>> + Send>>;

    async fn sign_batch(&self, request: Request<Streaming<v1::SignBatchRequest>>) -> Result<Response<Self::SignBatchStream>, Status> {
        self.state().streams += 1;
        let state = Shared::clone(&self.0);
        let replies = request.into_inner().map(move |request| state.lock().unwrap().batch(&request?));
        Ok(Response::new(Box::pin(replies)))
    }
}

#[tonic::async_trait]
impl KeyService for Services {
    async fn list_keys(&self, _: Request<v1::ListKeysRequest>) -> Result<Response<v1::ListKeysResponse>, Status> {
        Ok(Response::new(v1::ListKeysResponse { keys: self.state().keys(), ..v1::ListKeysResponse::default() }))
    }

    async fn get_key(&self, _: Request<v1::GetKeyRequest>) -> Result<Response<v1::Key>, Status> {
        Err(Status::unimplemented("not needed here"))
    }
}

#[tonic::async_trait]
impl RequestLogService for Services {
    async fn get_checkpoint(&self, _: Request<v1::GetCheckpointRequest>) -> Result<Response<v1::GetCheckpointResponse>, Status> {
        let state = self.state();
        Ok(Response::new(v1::GetCheckpointResponse { checkpoint: state.log.checkpoint(state.log.size()) }))
    }

    async fn get_consistency_proof(
        &self,
        request: Request<v1::GetConsistencyProofRequest>,
    ) -> Result<Response<v1::GetConsistencyProofResponse>, Status> {
        let v1::GetConsistencyProofRequest { old_size, new_size } = request.into_inner();
        let mut state = self.state();
        state.proofs += 1;
        let proof = state.log.consistency(old_size, new_size).ok_or_else(|| Status::not_found("no such tree"))?;
        let hashes = proof.iter().map(|h| Bytes::copy_from_slice(&h.0)).collect();
        Ok(Response::new(v1::GetConsistencyProofResponse { hashes, checkpoint: String::new() }))
    }

    async fn get_tile(&self, _: Request<v1::GetTileRequest>) -> Result<Response<v1::GetTileResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn get_witness_request(
        &self,
        _: Request<v1::GetWitnessRequestRequest>,
    ) -> Result<Response<v1::GetWitnessRequestResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn put_witness_answer(&self, _: Request<v1::PutWitnessAnswerRequest>) -> Result<Response<v1::PutWitnessAnswerResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }

    async fn list_entries(&self, _: Request<v1::ListEntriesRequest>) -> Result<Response<v1::ListEntriesResponse>, Status> {
        Err(Status::unimplemented("not needed here"))
    }
}

//! The bare echo: tonic over mutual TLS as the key host uses it, with nothing behind it.

use chancery_proto::v1::key_service_server::{KeyService, KeyServiceServer};
use chancery_proto::v1::signing_service_server::{SigningService, SigningServiceServer};
use chancery_proto::v1::{
    GetKeyRequest, Key, ListKeysRequest, ListKeysResponse, SignBatchRequest, SignBatchResponse, SignRequest, SignResponse,
    sign_batch_response,
};
use chancery_tests::Publisher;
use std::pin::Pin;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// Starts the echo on the loopback and gives four connections to it.
pub(crate) async fn start(publisher: &Publisher) -> Vec<Channel> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (certificate, key) = publisher.server_identity();
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(certificate, key)).client_ca_root(publisher.ca());
    let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
    let server =
        Server::builder().tls_config(tls).unwrap().add_service(KeyServiceServer::new(Echo)).add_service(SigningServiceServer::new(Echo));
    tokio::spawn(server.serve_with_incoming(incoming));
    publisher.connections(&format!("https://{address}"), 4).await
}

struct Echo;

#[tonic::async_trait]
impl KeyService for Echo {
    async fn list_keys(&self, _: Request<ListKeysRequest>) -> Result<Response<ListKeysResponse>, Status> {
        Ok(Response::new(ListKeysResponse::default()))
    }

    async fn get_key(&self, request: Request<GetKeyRequest>) -> Result<Response<Key>, Status> {
        Ok(Response::new(Key { name: request.into_inner().name, ..Key::default() }))
    }
}

type Replies = Pin<Box<dyn Stream<Item = Result<SignBatchResponse, Status>> + Send>>;

#[tonic::async_trait]
impl SigningService for Echo {
    async fn sign(&self, _: Request<Streaming<SignRequest>>) -> Result<Response<SignResponse>, Status> {
        Ok(Response::new(SignResponse::default()))
    }

    type SignBatchStream = Replies;

    async fn sign_batch(&self, requests: Request<Streaming<SignBatchRequest>>) -> Result<Response<Replies>, Status> {
        let echo = |r: Result<SignBatchRequest, Status>| {
            let outcome = Some(sign_batch_response::Outcome::Signed(SignResponse::default()));
            r.map(|r| SignBatchResponse { number: r.number, outcome })
        };
        Ok(Response::new(Box::pin(requests.into_inner().map(echo))))
    }
}

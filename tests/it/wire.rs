//! Raw calls: what a client that is not ours, or not well-meaning, may send.

use chancery_proto::v1::sign_header::Payload;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{DeclaredContent, Refusal, SignHeader, SignRequest, SignResponse, SshsigDigest};
use prost::Message as _;
use sha2::{Digest as _, Sha256};
use std::future::Future;
use std::time::Duration;
use tonic::transport::Channel;
use tonic::{Code, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

/// Runs a test that speaks to servers.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

/// A header for an SSHSIG over a digest made from `n`.
pub(crate) fn digest_header(key: &str, subject: &str, n: u64) -> SignHeader {
    SignHeader {
        request_id: Sha256::digest([n.to_be_bytes(), u64::from(std::process::id()).to_be_bytes()].concat())[..16].to_vec().into(),
        key: key.into(),
        construction: "sshsig".into(),
        subject: subject.into(),
        payload: Some(Payload::Sshsig(SshsigDigest {
            namespace: "file".into(),
            hash_algorithm: "sha256".into(),
            digest: Sha256::digest(n.to_be_bytes()).to_vec().into(),
        })),
    }
}

/// A header for content, with its true length and digest.
pub(crate) fn content_header(key: &str, construction: &str, subject: &str, content: &[u8]) -> SignHeader {
    let mut id = Sha256::digest(content).to_vec();
    id.truncate(16);
    SignHeader {
        request_id: id.into(),
        key: key.into(),
        construction: construction.into(),
        subject: subject.into(),
        payload: Some(Payload::Content(DeclaredContent { length: content.len() as u64, sha256: Sha256::digest(content).to_vec().into() })),
    }
}

/// One `Sign` call with these chunks.
pub(crate) async fn sign(channel: Channel, header: SignHeader, chunks: Vec<Vec<u8>>) -> Result<SignResponse, Status> {
    let parts = std::iter::once(Part::Header(header)).chain(chunks.into_iter().map(|c| Part::Chunk(c.into())));
    let messages: Vec<_> = parts.map(|part| SignRequest { part: Some(part) }).collect();
    SigningServiceClient::new(channel).sign(tokio_stream::iter(messages)).await.map(tonic::Response::into_inner)
}

/// The refusal inside a status.
pub(crate) fn refusal(status: &Status) -> Refusal {
    let details = tonic_types::pb::Status::decode(status.details()).unwrap();
    let any = details.details.first().unwrap_or_else(|| panic!("no refusal in {status:?}"));
    assert_eq!(any.type_url, "type.googleapis.com/chancery.v1.Refusal");
    Refusal::decode(any.value.as_slice()).unwrap()
}

/// Checks that a call was refused in this way.
pub(crate) fn assert_refused(outcome: Result<SignResponse, Status>, code: Code, reason: &str, says: &str) -> Refusal {
    let status = outcome.expect_err("this must not be signed");
    let refusal = refusal(&status);
    assert_eq!((status.code(), refusal.reason.as_str()), (code, reason), "{status:?}");
    assert!(status.message().contains(says), "should say {says:?}: {}", status.message());
    refusal
}

/// Waits until health says this of a key (the empty name: of the key host), and no longer than `patience`.
pub(crate) async fn wait_health(channel: &Channel, key: &str, wanted: ServingStatus, patience: Duration) {
    let watching = async {
        let request = HealthCheckRequest { service: key.to_owned() };
        let mut said = HealthClient::new(channel.clone()).watch(request).await.unwrap().into_inner();
        while let Some(HealthCheckResponse { status }) = said.message().await.unwrap() {
            if status == i32::from(wanted) {
                return;
            }
        }
        panic!("health ended before it said {wanted:?} of {key:?}");
    };
    let in_time = tokio::time::timeout(patience, watching).await;
    in_time.unwrap_or_else(|_| panic!("health does not say {wanted:?} of {key:?} within {patience:?}"));
}

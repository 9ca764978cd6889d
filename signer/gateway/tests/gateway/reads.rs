//! Keys and the request log.

use crate::host::{Host, refusal};
use chancery_proto::v1::key_service_client::KeyServiceClient;
use chancery_proto::v1::request_log_service_client::RequestLogServiceClient;
use chancery_proto::v1::{
    GetCheckpointRequest, GetConsistencyProofRequest, GetKeyRequest, GetTileRequest, KeyState, ListEntriesRequest, ListKeysRequest,
};
use tonic::Code;

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_listed_with_what_they_are_for() {
    let host = Host::start().await;
    let mut client = KeyServiceClient::new(host.channel(Some(&host.authority.publisher())));
    let keys = client.list_keys(ListKeysRequest {}).await.unwrap().into_inner().keys;
    assert_eq!(keys.iter().map(|k| k.name.as_str()).collect::<Vec<_>>(), ["release", "sealed"]);
    let key = client.get_key(GetKeyRequest { name: "sealed".into() }).await.unwrap().into_inner();
    assert_eq!((key.version, key.state(), key.algorithm.as_str()), (3, KeyState::Locked, "ed25519"));
    assert_eq!((key.public_key, key.constructions), (vec![7; 32].into(), vec!["sshsig".to_owned()]));
    let missing = client.get_key(GetKeyRequest { name: "nosuch".into() }).await.unwrap_err();
    assert_eq!((missing.code(), refusal(&missing).reason.as_str()), (Code::NotFound, "key-unknown"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_read() {
    let host = Host::start().await;
    let mut client = RequestLogServiceClient::new(host.channel(Some(&host.authority.publisher())));
    assert_eq!(client.get_checkpoint(GetCheckpointRequest {}).await.unwrap().into_inner().checkpoint, "a note");
    let proof = client.get_consistency_proof(GetConsistencyProofRequest { old_size: 3, new_size: 5 }).await.unwrap().into_inner();
    assert_eq!(proof.hashes, [vec![3; 32], vec![5; 32]]);
    let tile = client.get_tile(GetTileRequest { path: "tile/0/000".into() }).await.unwrap().into_inner();
    assert_eq!(tile.data, vec![1, 2, 3]);
    let missing = client.get_tile(GetTileRequest { path: format!("tile/0/000{}", "x".repeat(3000)) }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    let entries = client.list_entries(ListEntriesRequest { start: 4, count: 2 }).await.unwrap().into_inner();
    assert_eq!((entries.start, entries.entries), (4, vec![vec![0].into(), vec![1].into()]));
}

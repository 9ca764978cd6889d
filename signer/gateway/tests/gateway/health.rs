//! Health tells the truth.

use crate::host::{Host, LONG, SHORT, digest, parts};
use chancery_proto::v1::sign_request::Part;
use chanceryd::config::Limits;
use tokio::time::timeout;
use tonic::transport::Channel;
use tonic::{Code, Streaming};
use tonic_health::pb::health_check_response::ServingStatus::{self, NotServing, Serving};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

fn client(host: &Host) -> HealthClient<Channel> {
    HealthClient::new(host.channel(Some(&host.authority.publisher())))
}

fn about(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

/// Waits until the stream says so.
async fn becomes(stream: &mut Streaming<HealthCheckResponse>, wanted: ServingStatus) {
    let seen = async { while stream.message().await.unwrap().unwrap().status() != wanted {} };
    timeout(LONG, seen).await.unwrap_or_else(|_| panic!("it never becomes {wanted:?}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_has_a_health_of_its_own() {
    let host = Host::start().await;
    let mut client = client(&host);
    for (service, wanted) in [("", Serving), ("release", Serving), ("sealed", NotServing)] {
        becomes(&mut client.watch(about(service)).await.unwrap().into_inner(), wanted).await;
    }
    assert_eq!(client.check(about("sealed")).await.unwrap().into_inner().status(), NotServing);
    assert_eq!(client.check(about("nosuch")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_hangs_turns_health_red_though_nobody_asks_it_anything() {
    let limits = Limits { keepalive_interval: SHORT, keepalive_timeout: SHORT, ..Limits::default() };
    let host = Host::with(limits).await;
    let mut health = client(&host).watch(about("release")).await.unwrap().into_inner();
    becomes(&mut health, Serving).await;
    let hang = tokio::spawn({
        let mut client = host.publisher();
        async move { client.sign(parts([Part::Header(digest("hang"))])).await }
    });
    becomes(&mut health, NotServing).await;
    hang.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_is_gone_turns_health_red_and_those_who_watch_do_not_hold_up_the_end() {
    let host = Host::start().await;
    let mut health = client(&host).watch(about("")).await.unwrap().into_inner();
    becomes(&mut health, Serving).await;
    host.keeper.die();
    becomes(&mut health, NotServing).await;
    timeout(LONG, host.server.drain(LONG * 10)).await.expect("it does not end").unwrap();
    while let Some(last) = health.message().await.unwrap() {
        assert_eq!(last.status(), NotServing);
    }
}

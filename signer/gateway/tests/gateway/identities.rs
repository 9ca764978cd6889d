//! Who may connect, and who is who.

use crate::host::{Host, digest, parts, refusal};
use crate::keeper::Got;
use crate::pki::{Authority, dns, uri};
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use rcgen::SanType;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_a_certificate_of_ours_gets_no_connection() {
    let host = Host::start().await;
    let foreign = Authority::new().publisher();
    let expired = host.authority.expired();
    let server = host.authority.server();
    for (who, credentials) in [("none", None), ("foreign", Some(&foreign)), ("expired", Some(&expired)), ("a server's", Some(&server))] {
        let refused = host.asks(credentials).await.unwrap_err();
        assert!(refused.details().is_empty(), "{who}: the refusal comes from TLS, before any service is reached: {refused}");
        assert_ne!(refused.code(), Code::Unauthenticated, "{who}");
    }
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_principal_that_the_keeper_hears_of_is_the_one_of_the_certificate() {
    let mut host = Host::start().await;
    for (name, principal) in
        [(uri("spiffe://example.org/publisher/a"), "spiffe://example.org/publisher/a"), (dns("b.example.org"), "b.example.org")]
    {
        let who = host.authority.client(&[name]);
        SigningServiceClient::new(host.channel(Some(&who))).sign(parts([Part::Header(digest("release"))])).await.unwrap();
        let Got::Sign(request) = host.keeper.next().await else { panic!("expected a request") };
        assert_eq!(request.principal.as_str(), principal);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_names_nobody_exactly_is_told_why_on_every_call() {
    let mut host = Host::start().await;
    let cases: [(&[SanType], &str); 4] = [
        (&[], "no subject alternative name"),
        (&[dns("a.example.org"), uri("spiffe://example.org/a")], "has 2 subject alternative names"),
        (&[dns("*.example.org")], "names no principal"),
        (&[SanType::IpAddress([127, 0, 0, 1].into())], "neither a URI nor a DNS name"),
    ];
    for (names, why) in cases {
        let who = host.authority.client(names);
        let channel = host.channel(Some(&who));
        let signing = SigningServiceClient::new(channel.clone()).sign(parts([Part::Header(digest("release"))])).await.unwrap_err();
        let batch = SigningServiceClient::new(channel.clone()).sign_batch(tokio_stream::empty()).await.unwrap_err();
        let health = HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap_err();
        let reading = host.asks(Some(&who)).await.unwrap_err();
        for refused in [signing, batch, health, reading] {
            assert_eq!(refused.code(), Code::Unauthenticated);
            assert!(refused.message().contains(why), "{} should say {why}", refused.message());
            assert_eq!(refusal(&refused).reason, "unauthenticated");
        }
    }
    host.is_well().await;
    let Got::Sign(first) = host.keeper.next().await else { panic!("expected a request") };
    assert_eq!(first.principal.as_str(), "spiffe://example.org/publisher/web1", "nothing of the others reached the keeper");
}

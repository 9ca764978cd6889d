//! Many requests on one stream.

use crate::host::{Host, LONG, content, digest, parts};
use crate::keeper::Got;
use crate::pki::uri;
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{Refusal, SignBatchRequest, SignBatchResponse, SignHeader};
use chanceryd::config::Limits;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::{Code, Status, Streaming};

struct Batch {
    requests: mpsc::UnboundedSender<SignBatchRequest>,
    replies: Streaming<SignBatchResponse>,
}

impl Batch {
    async fn open(host: &Host) -> Self {
        let (requests, sent) = mpsc::unbounded_channel();
        let replies = host.publisher().sign_batch(UnboundedReceiverStream::new(sent)).await.unwrap().into_inner();
        Self { requests, replies }
    }

    fn ask(&self, number: u64, header: SignHeader) {
        self.send(SignBatchRequest { number, header: Some(header), content: bytes::Bytes::new() });
    }

    fn send(&self, request: SignBatchRequest) {
        self.requests.send(request).unwrap();
    }

    async fn next(&mut self) -> Result<Option<SignBatchResponse>, Status> {
        timeout(LONG, self.replies.message()).await.expect("no reply comes")
    }

    async fn refusal(&mut self) -> (u64, Refusal) {
        match self.next().await.unwrap().unwrap() {
            SignBatchResponse { number, outcome: Some(Outcome::Refusal(refusal)) } => (number, refusal),
            other => panic!("expected a refusal: {other:?}"),
        }
    }

    async fn signed(&mut self) -> u64 {
        match self.next().await.unwrap().unwrap() {
            SignBatchResponse { number, outcome: Some(Outcome::Signed(_)) } => number,
            other => panic!("expected a signature: {other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replies_come_as_they_are_ready_with_the_number_of_their_request() {
    let host = Host::start().await;
    let mut batch = Batch::open(&host).await;
    batch.ask(7, digest("hold"));
    batch.ask(8, digest("hold"));
    batch.ask(9, digest("denied"));
    assert_eq!(batch.refusal().await.0, 9, "a refusal ends its own request only");
    batch.ask(10, digest("release"));
    assert_eq!([batch.signed().await, batch.signed().await, batch.signed().await], [8, 7, 10]);
    drop(batch.requests);
    assert!(batch.replies.message().await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn content_goes_along_and_has_to_be_what_its_header_says() {
    let host = Host::start().await;
    let mut batch = Batch::open(&host).await;
    let good = SignBatchRequest { number: 1, header: Some(content("release", 65_536)), content: vec![5; 65_536].into() };
    batch.send(good);
    let Some(Outcome::Signed(signed)) = batch.next().await.unwrap().unwrap().outcome else { panic!("expected a signature") };
    assert_eq!(signed.signature, vec![5; 65_536]);
    let header = |length| Some(content("release", length));
    let cases = [
        (SignBatchRequest { number: 2, header: header(65_537), content: vec![5; 65_537].into() }, "content-too-large"),
        (SignBatchRequest { number: 2, header: header(5), content: vec![5; 6].into() }, "length-mismatch"),
        (SignBatchRequest { number: 2, header: header(5), content: vec![5; 4].into() }, "length-mismatch"),
        (SignBatchRequest { number: 2, header: Some(digest("release")), content: vec![5].into() }, "payload-mismatch"),
        (SignBatchRequest { number: 2, header: None, content: vec![].into() }, "header-missing"),
        (
            SignBatchRequest { number: 2, header: Some(SignHeader { key: "a/b".into(), ..digest("x") }), content: vec![].into() },
            "malformed-request",
        ),
    ];
    for (request, reason) in cases {
        batch.send(request);
        let (number, refused) = batch.refusal().await;
        assert_eq!((number, refused.reason.as_str(), refused.retry), (2, reason, false));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_requests_are_read_than_may_be_under_way() {
    let mut host = Host::with(Limits { batch_in_flight: 3, ..Limits::default() }).await;
    let mut batch = Batch::open(&host).await;
    for number in 0..4 {
        batch.ask(number, digest("hold"));
    }
    batch.ask(4, digest("release"));
    for _ in 0..3 {
        assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    }
    // Another stream has places of its own, and lets the keeper go on.
    let mut other = Batch::open(&host).await;
    other.ask(0, digest("release"));
    let Got::Sign(fourth) = host.keeper.next().await else { panic!("expected a request") };
    assert_eq!(fourth.key.as_str(), "release", "the fourth of the first stream waits");
    other.signed().await;
    for expected in [2, 1, 0] {
        assert_eq!(batch.signed().await, expected);
    }
    assert_eq!([batch.signed().await, batch.signed().await], [3, 4]);
}

#[tokio::test(flavor = "multi_thread")]
async fn all_streams_together_have_a_bound_and_take_turns() {
    let host = Host::with(Limits { in_flight: 4, batch_in_flight: 2, ..Limits::default() }).await;
    let mut streams = Vec::new();
    for _ in 0..4 {
        let batch = Batch::open(&host).await;
        for number in 0..50 {
            batch.ask(number, digest("release"));
        }
        streams.push(batch);
    }
    for batch in &mut streams {
        for expected in 0..50 {
            assert_eq!(batch.signed().await, expected);
        }
    }
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_principal_cannot_take_all_turns() {
    let mut host = Host::with(Limits { in_flight: 4, in_flight_per_principal: 3, ..Limits::default() }).await;
    let mut batch = Batch::open(&host).await;
    for number in 0..10 {
        batch.ask(number, digest("hold"));
    }
    for _ in 0..3 {
        assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    }
    let other = host.authority.client(&[uri("spiffe://example.org/publisher/web2")]);
    let mut other = SigningServiceClient::new(host.channel(Some(&other)));
    other.sign(parts([Part::Header(digest("release"))])).await.unwrap();
    let Got::Sign(fourth) = host.keeper.next().await else { panic!("expected a request") };
    assert_eq!(fourth.principal.as_str(), "spiffe://example.org/publisher/web2");
    for expected in [2, 1, 0] {
        assert_eq!(batch.signed().await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_ends_the_stream_after_what_is_under_way() {
    let host = Host::start().await;
    let mut batch = Batch::open(&host).await;
    batch.ask(1, digest("hold"));
    batch.send(SignBatchRequest { number: 2, header: Some(content("release", 2 << 20)), content: vec![5; 2 << 20].into() });
    let mut other = Batch::open(&host).await;
    other.ask(0, digest("release"));
    other.signed().await;
    assert_eq!(batch.signed().await, 1);
    assert_eq!(batch.next().await.unwrap_err().code(), Code::OutOfRange);
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_keeper_dies_each_request_under_way_is_answered() {
    let mut host = Host::start().await;
    let mut batch = Batch::open(&host).await;
    for number in 0..20 {
        batch.ask(number, digest("silent"));
    }
    for _ in 0..20 {
        assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    }
    host.keeper.die();
    let mut numbers = Vec::new();
    for _ in 0..20 {
        let (number, refused) = batch.refusal().await;
        assert_eq!((refused.reason.as_str(), refused.retry), ("keeper-unreachable", true));
        numbers.push(number);
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_answers_what_is_under_way_and_ends_open_streams() {
    let mut host = Host::start().await;
    let mut batch = Batch::open(&host).await;
    let mut idle = Batch::open(&host).await;
    batch.ask(1, digest("hold"));
    batch.ask(2, digest("release"));
    for _ in 0..2 {
        assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    }
    let drained = tokio::spawn(host.server.drain(LONG * 10));
    assert_eq!([batch.signed().await, batch.signed().await], [1, 2]);
    for batch in [&mut batch, &mut idle] {
        let status = batch.next().await.unwrap_err();
        assert_eq!((status.code(), crate::host::refusal(&status).reason.as_str()), (Code::Unavailable, "stopping"));
    }
    timeout(LONG, drained).await.expect("it does not end").unwrap().unwrap();
}

//! One signature at a time.

use crate::host::{Host, LONG, SHORT, chunk, content, digest, parts, refusal};
use crate::keeper::Got;
use chancery_proto::v1::SignRequest;
use chancery_proto::v1::sign_request::Part;
use chanceryd::config::Limits;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Code;

/// A call whose messages are sent one by one.
fn by_and_by() -> (mpsc::UnboundedSender<SignRequest>, UnboundedReceiverStream<SignRequest>) {
    let (sender, parts) = mpsc::unbounded_channel();
    (sender, UnboundedReceiverStream::new(parts))
}

fn message(part: Part) -> SignRequest {
    SignRequest { part: Some(part) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_keeper_answers_arrives_whole() {
    let host = Host::start().await;
    let len = 3 << 20;
    let call = parts([Part::Header(content("release", len)), chunk(1 << 20), chunk(1 << 20), chunk(1 << 20)]);
    let signed = host.publisher().sign(call).await.unwrap().into_inner();
    assert_eq!(signed.signature, "3145728 bytes");
    assert_eq!((signed.key_version, signed.entry_index, signed.tbs_sha256), (3, 17, vec![9; 32].into()));
    assert_eq!(signed.receipt, "receipt");
}

#[tokio::test(flavor = "multi_thread")]
async fn content_goes_on_as_it_comes() {
    let mut host = Host::start().await;
    let (sender, call) = by_and_by();
    let mut client = host.publisher();
    let call = tokio::spawn(async move { client.sign(call).await });
    sender.send(message(Part::Header(content("release", 30)))).unwrap();
    assert!(matches!(host.keeper.next().await, Got::Sign(_)), "before any content");
    for _ in 0..3 {
        sender.send(message(chunk(10))).unwrap();
        assert_eq!(host.keeper.next().await, Got::Chunk(10, false));
    }
    drop(sender);
    assert_eq!(host.keeper.next().await, Got::Chunk(0, true));
    assert_eq!(call.await.unwrap().unwrap().into_inner().signature, vec![5; 30]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_brings_its_reason_its_entry_and_its_receipt() {
    let host = Host::start().await;
    let status = host.publisher().sign(parts([Part::Header(digest("denied"))])).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let refused = refusal(&status);
    assert_eq!((refused.reason.as_str(), refused.message.as_str(), refused.entry_index), ("ref-not-granted", "because", Some(18)));
    assert_eq!((refused.receipt.as_ref(), refused.retry), (&b"receipt"[..], false));
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_not_as_long_as_declared_is_never_decided() {
    let mut host = Host::start().await;
    let cases = [(11, "more than the declared 10 bytes"), (9, "ended after 9 of 10 bytes")];
    for (len, why) in cases {
        let status = host.publisher().sign(parts([Part::Header(content("release", 10)), chunk(len)])).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().contains(why), "{}", status.message());
        assert_eq!(refusal(&status).reason, "length-mismatch");
        loop {
            match host.keeper.next().await {
                Got::Cancel => break,
                Got::Sign(_) | Got::Chunk(_, false) => {}
                other => panic!("the keeper must not be told that the content is whole: {other:?}"),
            }
        }
    }
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_over_the_limit_is_refused_before_it_is_sent() {
    let mut host = Host::with(Limits { max_content: 1000, ..Limits::default() }).await;
    let status = host.publisher().sign(parts([Part::Header(content("release", 1001))])).await.unwrap_err();
    assert_eq!((status.code(), refusal(&status).reason.as_str()), (Code::OutOfRange, "content-too-large"));
    assert!(status.message().contains("1001 bytes") && status.message().contains("at most 1000"), "{}", status.message());
    host.publisher().sign(parts([Part::Header(content("release", 1000)), chunk(1000)])).await.unwrap();
    let Got::Sign(request) = host.keeper.next().await else { panic!("expected a request") };
    assert!(format!("{:?}", request.payload).contains("len: 1000,"), "only the second one reached the keeper: {request:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_over_the_limit_is_refused() {
    let host = Host::start().await;
    let call = parts([Part::Header(content("release", 2 << 20)), chunk(2 << 20)]);
    let status = host.publisher().sign(call).await.unwrap_err();
    assert_eq!(status.code(), Code::OutOfRange, "{status}");
    host.is_well().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_stops_coming_is_given_up() {
    let mut host = Host::with(Limits { stall_timeout: SHORT, ..Limits::default() }).await;
    let (sender, call) = by_and_by();
    sender.send(message(Part::Header(content("release", 10)))).unwrap();
    sender.send(message(chunk(5))).unwrap();
    let status = timeout(LONG, host.publisher().sign(call)).await.expect("it waits for ever").unwrap_err();
    assert_eq!((status.code(), refusal(&status).reason.as_str(), refusal(&status).retry), (Code::DeadlineExceeded, "stalled", true));
    assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    assert_eq!(host.keeper.next().await, Got::Chunk(5, false));
    assert_eq!(host.keeper.next().await, Got::Cancel);
    host.is_well().await;
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_does_not_wait_for_content_that_nobody_needs() {
    let host = Host::start().await;
    let (sender, call) = by_and_by();
    sender.send(message(Part::Header(content("early", 1 << 20)))).unwrap();
    let status = timeout(LONG, host.publisher().sign(call)).await.expect("it waits for the content").unwrap_err();
    assert_eq!((status.code(), refusal(&status).reason.as_str()), (Code::NotFound, "key-unknown"));
    drop(sender);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keeper_that_takes_too_long_costs_the_client_no_more_than_the_timeout() {
    let mut host = Host::with(Limits { request_timeout: SHORT, ..Limits::default() }).await;
    let status = host.publisher().sign(parts([Part::Header(digest("silent"))])).await.unwrap_err();
    assert_eq!(
        (status.code(), refusal(&status).reason.as_str(), refusal(&status).retry),
        (Code::DeadlineExceeded, "request-timeout", true)
    );
    assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    assert_eq!(host.keeper.next().await, Got::Cancel);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_goes_away_is_told_to_the_keeper() {
    let mut host = Host::start().await;
    let (sender, call) = by_and_by();
    let mut client = host.publisher();
    let call = tokio::spawn(async move { client.sign(call).await });
    sender.send(message(Part::Header(content("release", 10)))).unwrap();
    assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    call.abort();
    assert_eq!(timeout(LONG, host.keeper.next()).await.expect("nobody tells it"), Got::Cancel);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_out_of_order_are_named() {
    let host = Host::start().await;
    let two = || Part::Header(content("release", 10));
    let cases = [(vec![], "header-missing"), (vec![chunk(1)], "header-missing"), (vec![two(), two()], "second-header")];
    for (call, reason) in cases {
        let status = host.publisher().sign(parts(call)).await.unwrap_err();
        assert_eq!((status.code(), refusal(&status).reason.as_str()), (Code::InvalidArgument, reason));
    }
    let empty = host.publisher().sign(tokio_stream::iter([SignRequest { part: None }])).await.unwrap_err();
    assert_eq!(refusal(&empty).reason, "empty-message");
    let mut malformed = digest("release");
    malformed.key = "../release".into();
    let status = host.publisher().sign(parts([Part::Header(malformed)])).await.unwrap_err();
    assert!(status.message().starts_with("key: "), "{}", status.message());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_at_once_each_get_their_own_answer() {
    let host = Host::start().await;
    let calls: Vec<_> = (1..=10)
        .map(|n: usize| {
            let mut client = host.publisher();
            tokio::spawn(async move {
                for len in [n, n + 100, n + 1000] {
                    let call = parts([Part::Header(content("release", len as u64)), chunk(len)]);
                    assert_eq!(client.sign(call).await.unwrap().into_inner().signature.len(), len);
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn when_the_keeper_dies_waiting_calls_are_answered() {
    let mut host = Host::start().await;
    let mut client = host.publisher();
    let mut waiting = client.clone();
    let waiting = tokio::spawn(async move { waiting.sign(parts([Part::Header(digest("silent"))])).await });
    assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    let dying = client.sign(parts([Part::Header(digest("die"))])).await.unwrap_err();
    for status in [dying, timeout(LONG, waiting).await.expect("it waits for ever").unwrap().unwrap_err()] {
        assert_eq!(
            (status.code(), refusal(&status).reason.as_str(), refusal(&status).retry),
            (Code::Unavailable, "keeper-unreachable", true)
        );
    }
    let later = client.sign(parts([Part::Header(digest("release"))])).await.unwrap_err();
    assert_eq!(later.code(), Code::Unavailable);
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_lets_a_call_under_way_finish_and_takes_no_new_connection() {
    let mut host = Host::start().await;
    let (sender, call) = by_and_by();
    let mut client = host.publisher();
    let call = tokio::spawn(async move { client.sign(call).await });
    sender.send(message(Part::Header(content("release", 10)))).unwrap();
    assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    let drained = tokio::spawn(host.server.drain(LONG * 10));
    let refused = async { while tokio::net::TcpStream::connect(host.address).await.is_ok() {} };
    timeout(LONG, refused).await.expect("the port stays open");
    sender.send(message(chunk(10))).unwrap();
    drop(sender);
    assert_eq!(call.await.unwrap().unwrap().into_inner().signature, vec![5; 10]);
    timeout(LONG, drained).await.expect("it does not end").unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_does_not_end_does_not_hold_up_the_end_for_ever() {
    let mut host = Host::start().await;
    let mut client = host.publisher();
    let call = tokio::spawn(async move { client.sign(parts([Part::Header(digest("silent"))])).await });
    assert!(matches!(host.keeper.next().await, Got::Sign(_)));
    timeout(LONG, host.server.drain(SHORT)).await.expect("it does not end").unwrap();
    call.abort();
}

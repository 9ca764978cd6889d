use super::parent::read;
use super::*;
use opentelemetry::trace::TraceFlags;
use std::time::Instant;
use tonic::metadata::{MetadataMap, MetadataValue};

const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

#[test]
fn a_well_formed_parent_is_taken_and_no_other() {
    let context = read(GOOD).unwrap();
    assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(context.span_id().to_string(), "b7ad6b7169203331");
    assert!(context.is_sampled() && context.is_remote());
    assert!(!read(&GOOD.replace("-01", "-00")).unwrap().is_sampled());
    assert_eq!(read(&GOOD.replace("-01", "-ff")).unwrap().trace_flags(), TraceFlags::SAMPLED);
    assert!(read(&format!("01{}-more", &GOOD[2..])).is_some(), "of a later version");
    for bad in [
        "",
        "00",
        &GOOD[..54],
        &format!("{GOOD}-more"),
        &format!("{GOOD} "),
        &format!("01{}more", &GOOD[2..]),
        &GOOD.replace("00-", "ff-"),
        &GOOD.replace("0af7", "0AF7"),
        &GOOD.replace("0af7", "0ag7"),
        &GOOD.replace("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
        &GOOD.replace("b7ad6b7169203331", "0000000000000000"),
        &GOOD.replace("9c-b7", "9-cb7"),
        &GOOD.replace('-', "_"),
        &"é".repeat(40),
    ] {
        assert!(read(bad).is_none(), "{bad:?}");
    }
}

#[test]
fn two_parents_are_none() {
    let mut metadata = MetadataMap::new();
    assert!(parent(&metadata).is_none());
    metadata.insert("traceparent", MetadataValue::from_static(GOOD));
    assert!(parent(&metadata).is_some());
    metadata.append("traceparent", MetadataValue::from_static(GOOD));
    assert!(parent(&metadata).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_delays_nobody() {
    // Connected by the kernel, and never answered.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let traces = Traces::start(silent.local_addr().unwrap()).unwrap();
    let start = Instant::now();
    for _ in 0..20 * QUEUE {
        let mut traced = traces.begin("Sign", None);
        traced.waited();
        traced.refused("because");
    }
    assert!(start.elapsed() < PATIENCE, "{:?}", start.elapsed());
    let start = Instant::now();
    traces.flush().await;
    assert!(start.elapsed() < FLUSH + PATIENCE, "{:?}", start.elapsed());
}

#[tokio::test]
async fn what_its_client_does_not_sample_is_not_traced() {
    let traces = Traces::start(SocketAddr::from(([127, 0, 0, 1], 9))).unwrap();
    let unsampled = read(&GOOD.replace("-01", "-00"));
    assert!(format!("{:?}", traces.begin("Sign", unsampled.as_ref())).contains("None"));
    assert!(format!("{:?}", Traces::default().begin("Sign", None)).contains("None"));
}

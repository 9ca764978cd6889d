//! Traces, as a collector gets them; and what happens where there is none.

use crate::wire::{block_on, digest_header, sign};
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{SignBatchRequest, SignHeader, SignRequest, SignResponse};
use chancery_tests::{KeyHost, Setup};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const ABOVE: &str = "b7ad6b7169203331";

/// Longer than stopping may take with whatever collector: the flush, and the rest of it.
const BOUND: Duration = Duration::from_secs(10);

fn setup(collector: SocketAddr) -> Setup {
    Setup::new()
        .key("tarballs", "sshsig")
        .grant("web1", "tarballs", &["sshsig"], "prod", "namespaces = [\"file\"]")
        .config("[keeper]\n", &format!("[traces]\nendpoint = \"http://{collector}\"\n\n[keeper]\n"))
}

struct Desk(Sender<Span>);

#[tonic::async_trait]
impl TraceService for Desk {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        for resource in request.into_inner().resource_spans {
            let of = attributes(resource.resource.unwrap().attributes);
            assert_eq!(of["service.name"], "chanceryd");
            for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let _ = self.0.send(span);
            }
        }
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

/// Takes spans, and ends with the test.
struct Collector {
    address: SocketAddr,
    spans: Receiver<Span>,
    _runtime: tokio::runtime::Runtime,
}

impl Collector {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, spans) = channel();
        let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
        runtime.spawn(Server::builder().add_service(TraceServiceServer::new(Desk(sender))).serve_with_incoming(incoming));
        Self { address, spans, _runtime: runtime }
    }

    /// The next so many spans.
    fn take(&self, count: usize) -> Vec<Span> {
        (0..count).map(|_| self.spans.recv_timeout(Duration::from_secs(20)).expect("no span comes")).collect()
    }
}

fn attributes(list: Vec<opentelemetry_proto::tonic::common::v1::KeyValue>) -> BTreeMap<String, String> {
    let text = |value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => panic!("{other:?}"),
    };
    list.into_iter().map(|pair| (pair.key, text(pair.value.unwrap().value.unwrap()))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

async fn sign_under(channel: Channel, header: SignHeader, parent: &str) -> Result<SignResponse, Status> {
    let mut request = Request::new(tokio_stream::iter([SignRequest { part: Some(Part::Header(header)) }]));
    request.metadata_mut().insert("traceparent", parent.parse().unwrap());
    SigningServiceClient::new(channel).sign(request).await.map(Response::into_inner)
}

async fn connect(host: &KeyHost) -> Channel {
    host.publisher("web1").connections(&host.endpoint(), 1).await.remove(0)
}

/// The request's own span among those of its trace, and the names of those below it.
fn family(spans: &[Span]) -> (Span, Vec<String>) {
    let own = spans.iter().find(|span| span.name == "request").expect("no span of a request").clone();
    let below = spans.iter().filter(|span| span.parent_span_id == own.span_id);
    let within = |span: &&Span| {
        span.trace_id == own.trace_id
            && own.start_time_unix_nano <= span.start_time_unix_nano
            && span.start_time_unix_nano <= span.end_time_unix_nano
            && span.end_time_unix_nano <= own.end_time_unix_nano
    };
    let mut names: Vec<_> = below.filter(within).map(|span| span.name.clone()).collect();
    names.sort();
    (own, names)
}

#[test]
fn a_collector_gets_the_spans_of_requests_under_those_of_their_clients() {
    let collector = Collector::start();
    let mut host = setup(collector.address).start();
    let header = digest_header("tarballs", "prod", 1);
    let id = hex(&header.request_id);
    block_on(async {
        let channel = connect(&host).await;
        let signed = sign_under(channel.clone(), header, &format!("00-{TRACE}-{ABOVE}-01")).await.unwrap();
        let (own, below) = family(&collector.take(3));
        assert_eq!((hex(&own.trace_id).as_str(), hex(&own.parent_span_id).as_str()), (TRACE, ABOVE));
        assert_eq!(below, ["keeper", "wait"]);
        let said = attributes(own.attributes);
        let index = signed.entry_index.to_string();
        for (name, value) in [
            ("chancery.request_id", id.as_str()),
            ("chancery.principal", "spiffe://localhost/publisher/web1"),
            ("chancery.key", "tarballs"),
            ("chancery.construction", "sshsig"),
            ("chancery.decision", "signed"),
            ("chancery.log_index", &index),
            ("rpc.method", "Sign"),
        ] {
            assert_eq!(said.get(name).map(String::as_str), Some(value), "{name}: {said:?}");
        }

        // What is no parent is none, and the request is signed all the same.
        sign_under(channel.clone(), digest_header("tarballs", "prod", 2), &format!("00-{TRACE}-{ABOVE}-1")).await.unwrap();
        let (own, _) = family(&collector.take(3));
        assert!(own.parent_span_id.is_empty() && hex(&own.trace_id) != TRACE, "{own:?}");

        // What its client does not sample comes not at all.
        sign_under(channel.clone(), digest_header("tarballs", "prod", 3), &format!("00-{TRACE}-{ABOVE}-00")).await.unwrap();
        sign(channel.clone(), digest_header("tarballs", "other", 4), vec![]).await.unwrap_err();
        let (own, below) = family(&collector.take(3));
        let said = attributes(own.attributes);
        assert_eq!((said["chancery.decision"].as_str(), said["chancery.reason"].as_str()), ("refused", "subject-not-granted"));
        assert_eq!((below, said.contains_key("chancery.log_index")), (vec!["keeper".to_owned(), "wait".to_owned()], true));

        sign(channel.clone(), digest_header("tarballs", "", 5), vec![]).await.unwrap_err();
        let (own, below) = family(&collector.take(2));
        assert_eq!((attributes(own.attributes)["chancery.reason"].as_str(), below), ("malformed-request", vec!["wait".to_owned()]));

        // What was not sent yet is sent when the gateway stops.
        let batch = SignBatchRequest { number: 1, header: Some(digest_header("tarballs", "prod", 6)), content: Default::default() };
        let mut replies = SigningServiceClient::new(channel).sign_batch(tokio_stream::iter([batch])).await.unwrap().into_inner();
        assert!(matches!(replies.message().await.unwrap().unwrap().outcome, Some(Outcome::Signed(_))));
    });
    assert_eq!(host.stop(), Some(0));
    let (own, below) = family(&collector.spans.try_iter().collect::<Vec<_>>());
    assert_eq!(attributes(own.attributes)["rpc.method"], "SignBatch");
    assert_eq!(below, ["keeper", "wait"]);
}

#[test]
fn without_a_collector_requests_are_signed_and_the_host_stops_in_time() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // The kernel takes connections for it, and it never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for collector in [nobody, silent.local_addr().unwrap()] {
        let mut host = setup(collector).start();
        block_on(async {
            let channel = connect(&host).await;
            sign(channel.clone(), digest_header("tarballs", "prod", 1), vec![]).await.unwrap();
            assert!(host.wait_said(0, "traces do not reach the collector").contains("WARN"));
            sign(channel, digest_header("tarballs", "prod", 2), vec![]).await.unwrap();
        });
        let start = Instant::now();
        assert_eq!(host.stop(), Some(0));
        assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
    }
}

#[test]
fn a_gateway_that_traces_is_in_its_cell_and_sends_to_this_machine_alone() {
    let collector = Collector::start();
    let host = setup(collector.address).start();
    let cell = host.wait_said(0, "cell: ");
    assert!(cell.contains("seccomp"), "{cell}");
    for task in std::fs::read_dir(format!("/proc/{}/task", host.gateway_pid())).unwrap() {
        let status = std::fs::read_to_string(task.unwrap().path().join("status")).unwrap();
        assert!(status.contains("Seccomp:\t2"), "the thread that sends traces is in the cell too: {status}");
    }
    let mut elsewhere = setup("192.0.2.1:4317".parse().unwrap()).make();
    let said = elsewhere.try_serve().unwrap_err();
    assert!(said.contains("signer.toml:") && said.contains("a collector on this machine"), "{said}");
}

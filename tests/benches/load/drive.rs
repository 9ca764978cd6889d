//! Load: so many requests in flight, for so long, over four connections.

use chancery_proto::v1::key_service_client::KeyServiceClient;
use chancery_proto::v1::sign_batch_response::Outcome;
use chancery_proto::v1::sign_header::Payload;
use chancery_proto::v1::sign_request::Part;
use chancery_proto::v1::signing_service_client::SigningServiceClient;
use chancery_proto::v1::{GetKeyRequest, SignBatchRequest, SignHeader, SignRequest, SshsigDigest};
use chancery_tests::{KeyHost, Publisher};
use ed25519_dalek::{Signer as _, SigningKey};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;

/// What one round of one case gave.
pub(crate) struct Cell {
    pub(crate) count: usize,
    pub(crate) rate: f64,
    pub(crate) p50_us: f64,
    pub(crate) p99_us: f64,
}

impl Cell {
    fn of(mut times: Vec<f64>, elapsed: Duration) -> Self {
        times.sort_by(f64::total_cmp);
        let at = |q: f64| times[((times.len() - 1) as f64 * q) as usize];
        Self { count: times.len(), rate: times.len() as f64 / elapsed.as_secs_f64(), p50_us: at(0.5), p99_us: at(0.99) }
    }
}

/// How fast all cores together can do nothing but sign.
pub(crate) fn raw_signing() -> f64 {
    const SIGNATURES: u32 = 20_000;
    let key = SigningKey::from_bytes(&[7; 32]);
    let threads = std::thread::available_parallelism().unwrap().get();
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                (0..SIGNATURES).for_each(|i| {
                    std::hint::black_box(key.sign(&[i.to_be_bytes(); 27].concat()));
                })
            });
        }
    });
    f64::from(SIGNATURES) * threads as f64 / start.elapsed().as_secs_f64()
}

pub(crate) async fn echo_unary(channels: &[Channel], in_flight: usize, time: Duration) -> Cell {
    unary(channels, in_flight, time, |channel| async move {
        KeyServiceClient::new(channel).get_key(GetKeyRequest { name: "release".into() }).await.unwrap();
    })
    .await
}

pub(crate) async fn sign(host: &KeyHost, publisher: &Publisher, in_flight: usize, time: Duration) -> Cell {
    let channels = publisher.connections(&host.endpoint(), 4).await;
    unary(&channels, in_flight, time, |channel| async move {
        let request = SignRequest { part: Some(Part::Header(header())) };
        SigningServiceClient::new(channel).sign(tokio_stream::once(request)).await.unwrap();
    })
    .await
}

async fn unary<F: Future<Output = ()> + Send + 'static>(
    channels: &[Channel],
    in_flight: usize,
    time: Duration,
    call: impl Fn(Channel) -> F + Copy + Send + 'static,
) -> Cell {
    let start = Instant::now();
    let workers: Vec<_> = (0..in_flight)
        .map(|i| {
            let channel = channels[i % channels.len()].clone();
            tokio::spawn(async move {
                let mut times = Vec::new();
                while start.elapsed() < time {
                    let begun = Instant::now();
                    call(channel.clone()).await;
                    times.push(begun.elapsed().as_secs_f64() * 1e6);
                }
                times
            })
        })
        .collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await.unwrap());
    }
    Cell::of(times, start.elapsed())
}

pub(crate) async fn echo_stream(channels: &[Channel], in_flight: usize, time: Duration) -> Cell {
    streams(channels, in_flight, time).await
}

pub(crate) async fn batch(host: &KeyHost, publisher: &Publisher, in_flight: usize, time: Duration) -> Cell {
    streams(&publisher.connections(&host.endpoint(), 4).await, in_flight, time).await
}

/// Adds so many entries to the log.
pub(crate) async fn fill(host: &KeyHost, publisher: &Publisher, entries: u64) {
    let mut made = 0;
    while made < entries {
        made += batch(host, publisher, 256, Duration::from_secs(5)).await.count as u64;
    }
}

/// One stream a connection; `in_flight` requests on each, but one in all when `in_flight` is 1.
async fn streams(channels: &[Channel], in_flight: usize, time: Duration) -> Cell {
    let used = if in_flight == 1 { &channels[..1] } else { channels };
    let start = Instant::now();
    let workers: Vec<_> = used.iter().cloned().map(|channel| tokio::spawn(stream(channel, in_flight, start, time))).collect();
    let mut times = Vec::new();
    for worker in workers {
        times.extend(worker.await.unwrap());
    }
    Cell::of(times, start.elapsed())
}

async fn stream(channel: Channel, in_flight: usize, start: Instant, time: Duration) -> Vec<f64> {
    let (requests, outgoing) = mpsc::channel(in_flight);
    let mut begun = Vec::new();
    let send = |begun: &mut Vec<Instant>| {
        let number = begun.len() as u64;
        begun.push(Instant::now());
        SignBatchRequest { number, header: Some(header()), content: Default::default() }
    };
    for _ in 0..in_flight {
        requests.send(send(&mut begun)).await.unwrap();
    }
    let mut client = SigningServiceClient::new(channel);
    let mut replies = client.sign_batch(ReceiverStream::new(outgoing)).await.unwrap().into_inner();
    let mut times = Vec::new();
    let mut requests = Some(requests);
    while let Some(reply) = replies.message().await.unwrap() {
        assert!(matches!(reply.outcome, Some(Outcome::Signed(_))), "{reply:?}");
        times.push(begun[reply.number as usize].elapsed().as_secs_f64() * 1e6);
        if start.elapsed() >= time {
            requests = None;
        }
        if let Some(requests) = &requests {
            requests.send(send(&mut begun)).await.unwrap();
        }
    }
    times
}

fn header() -> SignHeader {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let n = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut request_id = [0; 16];
    request_id[..8].copy_from_slice(&n.to_be_bytes());
    request_id[8..12].copy_from_slice(&std::process::id().to_be_bytes());
    SignHeader {
        request_id: request_id.to_vec().into(),
        key: "bench".into(),
        construction: "sshsig".into(),
        subject: "bench".into(),
        payload: Some(Payload::Sshsig(SshsigDigest {
            namespace: "file".into(),
            hash_algorithm: "sha512".into(),
            digest: [n.to_be_bytes(); 8].concat().into(),
        })),
    }
}

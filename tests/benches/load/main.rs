//! Durable signatures beside a bare echo, in one run on one machine: `cargo bench -p chancery-tests --bench load`.
//!
//! Prints tables of rates, latencies and ratios. The speed of a shared machine changes from minute to minute, so what is compared
//! is measured in turn, and the median of the rounds' ratios is shown. Environment: `CHANCERY_BENCH_SECONDS` for each cell
//! (default 3), `CHANCERY_BENCH_ROUNDS` (default 5), `CHANCERY_BENCH_GROW=N` to measure again with N entries in the log and
//! with 1,000 connected clients, and `CHANCERY_BENCH_CROWD=N` to measure what N idle connections and a storm of handshakes cost.

#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::arithmetic_side_effects,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::indexing_slicing,
    reason = "a bench stops at its first fault, and prints"
)]
#![allow(missing_docs, reason = "a bench has no documented items")]

mod cpu;
mod crowd;
mod disk;
mod drive;
mod echo;

use chancery_tests::{KeyHost, Publisher, Setup};
use cpu::Cpu;
use drive::{Cell, batch, echo_stream, echo_unary, fill, raw_signing, sign};
use std::time::Duration;
use tonic::transport::Channel;

fn main() {
    // `cargo test --benches` runs benches as tests with this flag; they measure nothing there.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let time = Duration::from_secs(number("CHANCERY_BENCH_SECONDS", 3));
    let rounds = number("CHANCERY_BENCH_ROUNDS", 5);
    let setup = Setup::new()
        .key("bench", "sshsig")
        .grant("bench", "bench", &["sshsig"], "bench", "namespaces = [\"file\"]")
        .config("connections = 1024", "connections = 12000")
        .config("connections_per_principal = 256", "connections_per_principal = 12000");
    let host = setup.start();
    let publisher = host.publisher("bench");
    let idle = [host.gateway_pid(), host.keeper_pid()].map(cpu::resident_mib);
    println!("idle: gateway {:.1} MiB, keeper {:.1} MiB resident\n", idle[0], idle[1]);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let bench = Bench { echo: echo::start(&publisher).await, host: &host, publisher: &publisher, time, rounds };
        bench.table().await;
        bench.one_in_flight().await;
        let entries = number("CHANCERY_BENCH_GROW", 0);
        if entries > 0 {
            bench.growth(entries).await;
        }
        let crowd = number("CHANCERY_BENCH_CROWD", 0);
        if crowd > 0 {
            bench.crowd(crowd as usize).await;
        }
    });
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

struct Bench<'a> {
    echo: Vec<Channel>,
    host: &'a KeyHost,
    publisher: &'a Publisher,
    time: Duration,
    rounds: u64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Bench<'_> {
    async fn table(&self) {
        println!(
            "| in flight | echo /s | Sign /s | Sign : echo | raw signing /s | SignBatch /s | SignBatch : raw | CPU us a SignBatch: gateway, keeper, client |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        for in_flight in [1, 16, 256] {
            let (mut unary, mut stream, mut cost) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..self.rounds {
                let echo = echo_unary(&self.echo, in_flight, self.time).await;
                unary.push((echo.rate, sign(self.host, self.publisher, in_flight, self.time).await.rate));
                let raw = raw_signing();
                let before = Cpu::of(self.host);
                let cell = batch(self.host, self.publisher, in_flight, self.time).await;
                cost.push(before.since(&Cpu::of(self.host), cell.count));
                stream.push((raw, cell.rate));
            }
            let of = |pairs: &[(f64, f64)], f: fn(&(f64, f64)) -> f64| median(pairs.iter().map(f).collect());
            println!(
                "| {in_flight} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} | {} |",
                of(&unary, |p| p.0),
                of(&unary, |p| p.1),
                of(&unary, |p| p.1 / p.0),
                of(&stream, |p| p.0),
                of(&stream, |p| p.1),
                of(&stream, |p| p.1 / p.0),
                (0..3).map(|i| format!("{:.0}", median(cost.iter().map(|c| c[i]).collect()))).collect::<Vec<_>>().join(", "),
            );
        }
        let stream = echo_stream(&self.echo, 256, self.time).await;
        println!("\nstream echo, 4 x 256 in flight: {:.0} /s", stream.rate);
    }

    async fn one_in_flight(&self) {
        let mut rows: Vec<(Cell, f64, f64, Cell)> = Vec::new();
        for _ in 0..self.rounds {
            let echo = echo_unary(&self.echo, 1, self.time).await;
            let disk = disk::measure();
            rows.push((echo, disk.append_us, disk.preallocated_us, sign(self.host, self.publisher, 1, self.time).await));
        }
        let of = |f: fn(&(Cell, f64, f64, Cell)) -> f64| median(rows.iter().map(f).collect());
        println!(
            "one in flight, p50: echo {:.0} us, append + fdatasync {:.0} us (preallocated {:.0} us), Sign {:.0} us (p99 {:.0} us) = {:.2} x (echo + append + fdatasync)",
            of(|r| r.0.p50_us),
            of(|r| r.1),
            of(|r| r.2),
            of(|r| r.3.p50_us),
            of(|r| r.3.p99_us),
            of(|r| r.3.p50_us / (r.0.p50_us + r.1)),
        );
    }

    /// What a signature costs in a small log, in a large one, and with many clients connected: beside the echo each time.
    async fn growth(&self, entries: u64) {
        println!("\n| | Sign : echo, 256 in flight | Sign p50 us, 1 in flight |");
        println!("| --- | --- | --- |");
        self.growth_row("as above").await;
        fill(self.host, self.publisher, entries).await;
        self.growth_row(&format!("{entries} entries more")).await;
        let connected = self.publisher.connections(&self.host.endpoint(), 1000).await;
        self.growth_row("1,000 clients more").await;
        drop(connected);
    }

    /// What they cost who are connected and ask nothing, and those who connect and connect.
    async fn crowd(&self, connections: usize) {
        let guests = crowd::wait_idle(self.host, self.publisher, connections).await;
        println!("\n{connections} idle connections: {:.1} KiB each in the gateway, {:.1} KiB in the keeper", guests[0], guests[1]);
        println!("\n| beside a storm of handshakes | p99 us alone | p99 us in the storm | ratio | handshakes /s | turned away /s |");
        println!("| --- | --- | --- | --- | --- | --- |");
        for storm in crowd::STORMS {
            let mut rows = Vec::new();
            for _ in 0..self.rounds {
                let alone = sign(self.host, self.publisher, 1, self.time).await.p99_us;
                let storm = crowd::Storm::start(storm, self.host, self.publisher);
                let beside = sign(self.host, self.publisher, 1, self.time).await.p99_us;
                let stormed = storm.end();
                rows.push([alone, beside, beside / alone, stormed.0, stormed.1]);
            }
            let of = |i: usize| median(rows.iter().map(|row| row[i]).collect());
            println!("| {} | {:.0} | {:.0} | {:.1} | {:.0} | {:.0} |", storm.name, of(0), of(1), of(2), of(3), of(4));
        }
    }

    async fn growth_row(&self, what: &str) {
        let (mut ratio, mut p50) = (Vec::new(), Vec::new());
        for _ in 0..self.rounds {
            let echo = echo_unary(&self.echo, 256, self.time).await;
            ratio.push(sign(self.host, self.publisher, 256, self.time).await.rate / echo.rate);
            p50.push(sign(self.host, self.publisher, 1, self.time).await.p50_us);
        }
        println!("| {what} | {:.2} | {:.0} |", median(ratio), median(p50));
    }
}

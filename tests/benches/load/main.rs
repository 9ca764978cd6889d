//! Durable signatures beside a bare echo, in one run on one machine: `cargo bench -p chancery-tests --bench load`.
//!
//! Prints a table of rates, latencies and ratios. Environment: `CHANCERY_BENCH_SECONDS` (default 5) for each cell,
//! `CHANCERY_BENCH_ROUNDS` (default 3): the median of the rounds is shown.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::arithmetic_side_effects, clippy::cast_precision_loss, reason = "a bench stops at its first fault, and prints")]
#![allow(missing_docs, reason = "a bench has no documented items")]

mod disk;
mod drive;
mod echo;

use chancery_tests::{KeyHost, Publisher};
use drive::{Cell, batch, echo_stream, echo_unary, sign};
use std::time::Duration;

fn main() {
    // `cargo test --benches` runs benches as tests with this flag; they measure nothing there.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    let seconds = number("CHANCERY_BENCH_SECONDS", 5);
    let rounds = number("CHANCERY_BENCH_ROUNDS", 3);
    let host = KeyHost::start_with_policy_for_bench();
    let publisher = host.publisher("bench");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let rows = runtime.block_on(measure(&host, &publisher, Duration::from_secs(seconds), rounds));
    print(&rows, &disk::measure(), drive::raw_signing());
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(default)
}

struct Row {
    in_flight: usize,
    echo: Cell,
    sign: Cell,
    echo_stream: Cell,
    batch: Cell,
}

async fn measure(host: &KeyHost, publisher: &Publisher, time: Duration, rounds: u64) -> Vec<Row> {
    let echo = echo::start(publisher).await;
    let mut rows = Vec::new();
    for in_flight in [1, 16, 256] {
        let mut cells = [const { Vec::new() }; 4];
        for _ in 0..rounds {
            cells[0].push(echo_unary(&echo, in_flight, time).await);
            cells[1].push(sign(host, publisher, in_flight, time).await);
            cells[2].push(echo_stream(&echo, in_flight, time).await);
            cells[3].push(batch(host, publisher, in_flight, time).await);
        }
        let [echo, sign, echo_stream, batch] = cells.map(Cell::median);
        rows.push(Row { in_flight, echo, sign, echo_stream, batch });
    }
    rows
}

fn print(rows: &[Row], disk: &disk::Disk, raw: f64) {
    println!("| in flight | echo /s | Sign /s | Sign : echo | stream echo /s | SignBatch /s | SignBatch : raw signing |");
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for r in rows {
        println!(
            "| {} | {:.0} | {:.0} | {:.2} | {:.0} | {:.0} | {:.2} |",
            r.in_flight,
            r.echo.rate,
            r.sign.rate,
            r.sign.rate / r.echo.rate,
            r.echo_stream.rate,
            r.batch.rate,
            r.batch.rate / raw
        );
    }
    println!("\nraw signing on all cores: {raw:.0} /s");
    println!("append + fdatasync: p50 {:.0} us; preallocated: p50 {:.0} us", disk.append_us, disk.preallocated_us);
    if let Some(one) = rows.first() {
        let floor = one.echo.p50_us + disk.append_us;
        println!(
            "one in flight: echo p50 {:.0} us, Sign p50 {:.0} us p99 {:.0} us = {:.2} x (echo + append + fdatasync = {floor:.0} us)",
            one.echo.p50_us,
            one.sign.p50_us,
            one.sign.p99_us,
            one.sign.p50_us / floor
        );
    }
}

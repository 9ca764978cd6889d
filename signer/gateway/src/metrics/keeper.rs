//! The keeper's numbers, as it gave them for one scrape.

use chancery_channel::{BATCH_BOUNDS, STEP_BOUNDS, Stats, Tally};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Unit;
use std::fmt;

/// Microseconds of a second.
const MICRO: f64 = 1e6;

#[derive(Debug)]
pub(super) struct KeeperNumbers(pub(super) Stats);

impl Collector for KeeperNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let stats = &self.0;
        let gauges = [
            ("log_entries", "Entries of the request log", stats.entries),
            ("log_published_entries", "Entries that the published files of the log have", stats.published),
            ("queue", "Decided requests that wait for the log", stats.queue),
            ("open_keys", "Keys that can sign", stats.open_keys),
        ];
        for (name, help, value) in gauges {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&signed(value))?;
        }
        let steps = [
            ("decide_duration", "To check the content of a request and decide it", &stats.decide),
            ("record_duration", "To make a batch of entries durable (write, fdatasync, checkpoint)", &stats.record),
            ("sign_duration", "To sign, check and frame what a batch asks for", &stats.sign),
        ];
        for (name, help, tally) in steps {
            let mut encoder = encoder.encode_descriptor(name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
            let (sum, count, buckets) = histogram(tally, &STEP_BOUNDS, MICRO);
            encoder.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
        let mut batches = encoder.encode_descriptor("batch_entries", "Entries of a batch", None, MetricType::Histogram)?;
        let (sum, count, buckets) = histogram(&stats.batch, &BATCH_BOUNDS, 1.0);
        batches.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        self.witnesses(&mut encoder)
    }
}

impl KeeperNumbers {
    fn witnesses(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        if self.0.witnesses.is_empty() {
            return Ok(());
        }
        let mut sizes = encoder.encode_descriptor("witness_entries", "Entries that a witness has cosigned", None, MetricType::Gauge)?;
        for witness in &self.0.witnesses {
            sizes.encode_family(&[("witness", witness.name.as_str())])?.encode_gauge(&signed(witness.size))?;
        }
        let help = "When a witness cosigned last, in seconds since 1970";
        let mut times = encoder.encode_descriptor("witness_timestamp_seconds", help, None, MetricType::Gauge)?;
        for witness in &self.0.witnesses {
            times.encode_family(&[("witness", witness.name.as_str())])?.encode_gauge(&signed(witness.time))?;
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
fn histogram(tally: &Tally, bounds: &[u64], unit: f64) -> (f64, u64, Vec<(f64, u64)>) {
    let bounds = bounds.iter().map(|bound| *bound as f64 / unit).chain([f64::INFINITY]);
    let buckets: Vec<_> = bounds.zip(tally.counts.iter().copied()).collect();
    (tally.sum as f64 / unit, tally.counts.iter().sum(), buckets)
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

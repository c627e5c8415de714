//! The metrics of the ledger's writer.

use std::{fmt, sync::atomic::Ordering, time::UNIX_EPOCH};

use crate::{Pipeline, upkeep::RetentionStatus};
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric as _, NoLabelSet},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

pub(super) fn encode(pipeline: &Pipeline, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let ledger = pipeline.ledger();
    let health = ledger.health();

    let help = "Commits of the ledger that stored something";
    let commits = ConstCounter::new(health.commits());
    commits.encode(encoder.encode_descriptor("ledger_commits", help, None, MetricType::Counter)?)?;

    let RetentionStatus { pruned, overdue_seconds } = pipeline.retention();
    let help = "Events that --keep-days deleted";
    let pruned = ConstCounter::new(pruned.load(Ordering::Relaxed));
    pruned.encode(encoder.encode_descriptor(
        "retention_events_pruned",
        help,
        None,
        MetricType::Counter,
    )?)?;

    let latency = health.commit_latency();
    let count = latency.buckets.iter().map(|(_, count)| count).sum();
    let buckets: Vec<(f64, u64)> = latency
        .buckets
        .iter()
        .map(|(bound, count)| (bound.map_or(f64::INFINITY, |bound| bound.as_secs_f64()), *count))
        .collect();
    let help = "How long the commits of the ledger took";
    encoder
        .encode_descriptor("ledger_commit_duration_seconds", help, None, MetricType::Histogram)?
        .encode_histogram::<NoLabelSet>(latency.total.as_secs_f64(), count, &buckets, None)?;

    let help = "Transactions of the ledger that failed, by the kind of the error";
    let mut family = encoder.encode_descriptor("ledger_errors", help, None, MetricType::Counter)?;
    for (kind, count) in health.errors() {
        ConstCounter::new(count).encode(family.encode_family(&[("kind", kind.as_str())])?)?;
    }

    let (sizes, keys) = (health.file_sizes(), health.key_index_load());
    let last_commit = health.last_commit_at().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    for (name, help, value) in [
        (
            "ledger_writable",
            "Whether the ledger records what it receives, as far as is known; /readyz says why not",
            u64::from(health.fault().is_none()),
        ),
        (
            "ledger_queue_length",
            "Requests that wait for the ledger's writer",
            u64::try_from(ledger.queue_length()).unwrap_or(u64::MAX),
        ),
        (
            "ledger_last_commit_timestamp_seconds",
            "When the last commit of the ledger ended; 0 before the first one",
            last_commit.map_or(0, |at| at.as_secs()),
        ),
        (
            "retention_overdue_seconds",
            "By how much the oldest event that a sink holds back is older than --keep-days; 0 if there is none",
            overdue_seconds.load(Ordering::Relaxed),
        ),
        ("ledger_database_bytes", "The size of the ledger's file before the last commit", sizes.database),
        ("ledger_wal_bytes", "The size of the ledger's write-ahead log before the last commit", sizes.log),
        (
            "ledger_key_runs",
            "Sorted parts of the ledger's index of keys; a look-up may have to read each of them",
            keys.runs,
        ),
        (
            "ledger_key_memory_bytes",
            "The memory that the ledger's writer uses for its index of keys",
            keys.memory_bytes,
        ),
    ] {
        ConstGauge::new(value).encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)?;
    }
    Ok(())
}

//! Writes the metrics for Prometheus.

mod ledger;
mod sinks;

use std::{fmt, time::UNIX_EPOCH};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _, text},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Registry,
};

use crate::Pipeline;

/// The media type of [`text`].
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// All metrics, in the text format of `OpenMetrics`, which Prometheus reads.
pub(crate) fn text(pipeline: &Pipeline) -> String {
    let mut registry = Registry::with_prefix("spanledger");
    registry.register_collector(Box::new(Snapshot(pipeline.clone())));
    let mut text = String::new();
    // Writing to a string cannot fail, so an error is only logged.
    if let Err(error) = text::encode(&mut text, &registry) {
        tracing::error!(%error, "receiver.metrics.failed");
    }
    text
}

/// Reads the counters when metrics are scraped.
#[derive(Debug)]
struct Snapshot(Pipeline);

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let (counters, prices) = (self.0.counters(), self.0.prices());
        for (name, help, value) in [
            (
                "requests",
                "OTLP requests that arrived, including those that were refused",
                counters.requests(),
            ),
            ("requests_refused", "OTLP requests that were refused", counters.refused()),
            ("requests_forwarded", "Requests that the destination of traces accepted", counters.forwarded()),
            ("spans", "Spans that were read, whether of AI calls or not", counters.spans()),
            ("records", "Log records that were read, whether of AI calls or not", counters.records()),
            (
                "records_rejected",
                "Records of the crate spanledger that were not stored, because they have no event id",
                counters.records_rejected(),
            ),
            (
                "records_lost",
                "Records that services with the crate spanledger lost, as their gap events say",
                counters.records_lost(),
            ),
            ("observations", "Observations of AI calls that were new", counters.observations()),
            (
                "observations_duplicate",
                "Observations of AI calls that had been delivered before",
                counters.duplicates(),
            ),
        ] {
            ConstCounter::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Counter,
            )?)?;
        }
        let help = "Observations of AI calls whose cost is unknown, by reason";
        let mut family =
            encoder.encode_descriptor("observations_unpriced", help, None, MetricType::Counter)?;
        for (reason, count) in counters.unpriced() {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason.as_str())])?)?;
        }
        let help = "Observations of AI calls that were not stored, because they exceed a limit, by reason";
        let mut family =
            encoder.encode_descriptor("observations_refused", help, None, MetricType::Counter)?;
        for (reason, count) in counters.observations_refused() {
            ConstCounter::new(count).encode(family.encode_family(&[("reason", reason.as_str())])?)?;
        }

        let (book, reloads) = (prices.current(), prices.reloads());
        let help = "The version of the prices in force";
        let info = Info::new([("version", book.version())]);
        info.encode(encoder.encode_descriptor("prices", help, None, MetricType::Info)?)?;
        let help = "Attempts to reload changed prices; a failed one changes nothing";
        let mut family = encoder.encode_descriptor("prices_reloads", help, None, MetricType::Counter)?;
        for (result, count) in [("ok", reloads.ok), ("failed", reloads.failed)] {
            ConstCounter::new(count).encode(family.encode_family(&[("result", result)])?)?;
        }
        let at = reloads.last_ok_at.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        for (name, help, value) in [
            (
                "prices_last_reload_success",
                "Whether the prices had no mistakes when they were last read",
                u64::from(reloads.last_is_ok),
            ),
            ("prices_last_success_timestamp_seconds", "When prices without mistakes were last read", at),
        ] {
            ConstGauge::new(value).encode(encoder.encode_descriptor(
                name,
                help,
                None,
                MetricType::Gauge,
            )?)?;
        }
        ledger::encode(&self.0, &mut encoder)?;
        sinks::encode(&self.0, &mut encoder)
    }
}

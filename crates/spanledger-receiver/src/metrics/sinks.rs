//! The metrics of the sinks.

use std::fmt;

use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge},
};

use crate::{Pipeline, SinkReport, SinkState, SinkStatus};

type Count = fn(&SinkReport) -> u64;
type Level = fn(&SinkReport) -> f64;

pub(super) fn encode(pipeline: &Pipeline, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let reports: Vec<SinkReport> = pipeline.sinks().map(SinkStatus::report).collect();
    if reports.is_empty() {
        return Ok(());
    }
    let counters: [(&str, &str, Count); 4] = [
        ("sink_events_delivered", "Events that the destination of a sink has committed", |sink| {
            sink.delivered
        }),
        ("sink_batches", "Batches that the destination of a sink has committed", |sink| sink.batches),
        ("sink_events_rejected", "Events that the destination refused; they are dead letters", |sink| {
            sink.rejected
        }),
        ("sink_failures", "Attempts of a sink that failed and were or will be repeated", |sink| {
            sink.failures
        }),
    ];
    for (name, help, count) in counters {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for sink in &reports {
            let labels = [("sink", sink.name.as_str()), ("kind", sink.kind.as_str())];
            ConstCounter::new(count(sink)).encode(family.encode_family(&labels)?)?;
        }
    }
    let gauges: [(&str, &str, Level); 2] = [
        (
            "sink_lag_seconds",
            "How long the oldest event has waited that a sink does not have; since the start at most",
            |sink| sink.lag_seconds,
        ),
        ("sink_lag_changes", "By how many changes and observations of the ledger a sink is behind", |sink| {
            f64::from(u32::try_from((sink.last_number - sink.cursor).max(0)).unwrap_or(u32::MAX))
        }),
    ];
    for (name, help, level) in gauges {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        for sink in &reports {
            let labels = [("sink", sink.name.as_str()), ("kind", sink.kind.as_str())];
            ConstGauge::new(level(sink)).encode(family.encode_family(&labels)?)?;
        }
    }
    let help = "What a sink is doing: 1 for its state, 0 for the others";
    let mut family = encoder.encode_descriptor("sink_state", help, None, MetricType::Gauge)?;
    for sink in &reports {
        for state in SinkState::ALL {
            let labels = [("sink", sink.name.as_str()), ("state", state.as_str())];
            let is_state = u64::from(sink.state == state);
            ConstGauge::new(is_state).encode(family.encode_family(&labels)?)?;
        }
    }
    Ok(())
}

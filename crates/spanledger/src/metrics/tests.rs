use opentelemetry_sdk::metrics::{
    InMemoryMetricExporter, PeriodicReader, SdkMeterProvider,
    data::{AggregatedMetrics, MetricData, ResourceMetrics},
};
use spanledger_event::{Bucket, CallOutcome, Endpoint, EventId, ObservedAs, Timestamp, Usage};
use spanledger_otlp::price;
use spanledger_price::PriceBook;

use super::*;

/// The host of the calls of this test. Other tests of the process record metrics, too.
const HOST: &str = "metrics.test";

/// A call with 1,000 input and 100 output tokens, of which 60 are hidden, which costs 0.008 dollars and takes two seconds.
fn call() -> Observation {
    let start = Timestamp::parse("2026-11-21T00:00:00Z").unwrap();
    let id = EventId::of_request("order-7", 1);
    let mut o = Observation::new(id, "call", ObservedAs::Record, start);
    o.end = Timestamp::from_nanos(start.nanos() + 2_000_000_000);
    o.provider = "openai".to_owned();
    o.endpoint = Endpoint::Responses;
    o.model = Some("gpt-5.5".to_owned());
    o.server_address = Some(HOST.to_owned());
    o.attribution.customer_id = Some("acme".to_owned());
    o.usage = Some(
        Usage::default().with(Bucket::Input, 1_000).with(Bucket::Output, 40).with(Bucket::Reasoning, 60),
    );
    price(PriceBook::builtin(), &mut o);
    o
}

/// A metric's points of the host as text: the attributes that are not the model's or the provider's, and the value.
fn points(metrics: &[ResourceMetrics], name: &str) -> Vec<String> {
    let metrics = metrics.last().unwrap().scope_metrics().flat_map(|scope| scope.metrics());
    let metric = metrics.into_iter().find(|metric| metric.name() == name).unwrap_or_else(|| panic!("{name}"));
    let text = |attributes: Vec<&KeyValue>, value: String| {
        if !attributes.contains(&&KeyValue::new(keys::SERVER_ADDRESS, HOST)) {
            return String::new();
        }
        let mut list: Vec<_> = attributes
            .into_iter()
            .filter(|kv| kv.key.as_str() != keys::SERVER_ADDRESS)
            .filter(|kv| !kv.key.as_str().starts_with("gen_ai.") || kv.key.as_str() == keys::TOKEN_TYPE)
            .map(|kv| format!("{}={} ", kv.key, kv.value))
            .collect();
        list.sort_unstable();
        list.concat() + &value
    };
    let mut points: Vec<String> = match metric.data() {
        AggregatedMetrics::F64(MetricData::Sum(sum)) => sum
            .data_points()
            .map(|point| text(point.attributes().collect(), format!("{:.3}", point.value())))
            .collect(),
        AggregatedMetrics::U64(MetricData::Sum(sum)) => sum
            .data_points()
            .map(|point| text(point.attributes().collect(), point.value().to_string()))
            .collect(),
        AggregatedMetrics::F64(MetricData::Histogram(histogram)) => histogram
            .data_points()
            .map(|point| text(point.attributes().collect(), format!("{} {}", point.count(), point.sum())))
            .collect(),
        AggregatedMetrics::U64(MetricData::Histogram(histogram)) => histogram
            .data_points()
            .map(|point| text(point.attributes().collect(), format!("{} {}", point.count(), point.sum())))
            .collect(),
        other => panic!("{other:?}"),
    };
    points.retain(|point| !point.is_empty());
    points.sort_unstable();
    points
}

/// One test, because it sets the global provider of the process.
#[test]
fn calls_are_counted_by_the_convention_and_their_cost_and_tokens_add_up() {
    // A call before the provider is set must not bind the instruments to the one that does nothing.
    record(&call());
    let exporter = InMemoryMetricExporter::default();
    let reader = PeriodicReader::builder(exporter.clone()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).build();
    global::set_meter_provider(provider.clone());
    for _ in 0..3 {
        record(&call());
    }
    let mut failed = call();
    (failed.usage, failed.outcome) = (None, CallOutcome::Failed("rate_limit_exceeded".to_owned()));
    price(PriceBook::builtin(), &mut failed);
    record(&failed);
    provider.force_flush().unwrap();
    let metrics = exporter.get_finished_metrics().unwrap();
    assert_eq!(
        points(&metrics, keys::METRIC_OPERATION_DURATION),
        ["3 6", "error.type=rate_limit_exceeded 1 2"]
    );
    let tokens = ["gen_ai.token.type=input 3000", "gen_ai.token.type=output 300"];
    assert_eq!(points(&metrics, keys::METRIC_TOKENS), tokens);
    let usage = ["gen_ai.token.type=input 3 3000", "gen_ai.token.type=output 3 300"];
    assert_eq!(points(&metrics, keys::METRIC_TOKEN_USAGE), usage);
    assert_eq!(points(&metrics, keys::METRIC_CALLS), ["spanledger.cost.state=priced 4"]);
    assert_eq!(points(&metrics, keys::METRIC_COST), ["0.024"]);
    assert!(!format!("{metrics:?}").contains("acme"), "the customer is not in a metric");
}

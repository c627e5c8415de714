use opentelemetry_proto::tonic::common::v1::KeyValue;
use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
use spanledger_testkit::otlp::{integer, text};

use crate::{
    ObservationReader, record,
    test_support::{chat, read_one},
};

#[test]
fn attribution_is_read_from_the_span_and_then_from_the_resource() {
    let o = read_one(chat(vec![
        text("spanledger.feature", "unknown"),
        text("feature", "search"),
        text("customer_id", "acme"),
        text("spanledger.dim.team", "growth"),
        text("user.id", "ada"),
        text("http.route", "/v1/chat/completions"),
    ]));
    let a = &o.attribution;
    assert_eq!(
        (a.feature.as_deref(), a.customer_id.as_deref(), a.environment.as_deref()),
        (Some("search"), Some("acme"), Some("staging"))
    );
    assert_eq!(a.route, None, "a client's http.route is the provider's");
    assert_eq!((a.dims["team"].as_str(), a.dims["user"].as_str()), ("growth", "ada"));
    assert_eq!(o.service_name.as_deref(), Some("checkout"));

    let mut server = chat(vec![text("http.route", "/checkout")]);
    server.kind = 2;
    assert_eq!(read_one(server).attribution.route.as_deref(), Some("/checkout"));
}

#[test]
fn any_number_of_dims_is_read_and_the_last_value_of_a_key_counts() {
    let dims = |value: &str| -> Vec<KeyValue> {
        (0..50_000).map(|n| text(format!("spanledger.dim.d{n}"), value)).collect()
    };
    let mut attributes = [dims("first"), dims("last")].concat();
    // The last value of this key is not usable, so that the key has none.
    attributes.push(text("spanledger.dim.d7", "unknown"));
    let own =
        Observation::new(EventId::of_request("r", 5), "call", ObservedAs::Record, Timestamp::from_nanos(1));
    let mut sent = record::record(&own);
    sent.attributes.extend(attributes.clone());
    let of_record = ObservationReader::default().logs(&record::request(vec![sent], &[], "0.1.0")).remove(0);
    for o in [read_one(chat(attributes)), of_record] {
        assert_eq!((o.attribution.dims.len(), o.truncated), (64, true));
        assert!(o.attribution.dims.values().all(|value| value == "last"));
    }
}

/// Scenario: a span with very many counts whose meaning is unknown, each stated twice.
#[test]
fn any_number_of_unrecognized_counts_is_read_and_the_last_value_of_a_key_counts() {
    let counts = |value: i64| -> Vec<KeyValue> {
        (0..50_000).map(|n| integer(format!("gen_ai.usage.count_{n}"), value)).collect()
    };
    let unknown = read_one(chat([counts(1), counts(2)].concat())).usage_unknown;
    assert_eq!((unknown.len(), unknown[64].as_str()), (65, "and 49936 more"));
    assert!(unknown[..64].iter().all(|count| count.ends_with("=2")), "{unknown:?}");
}

#[test]
fn keys_of_vendors_are_read_after_the_common_ones() {
    let vendor = || text("traceloop.association.properties.customer_id", "of openllmetry");
    let o = read_one(chat([vendor(), text("langfuse.user.id", "ada")]));
    assert_eq!(o.attribution.customer_id.as_deref(), Some("of openllmetry"));
    assert_eq!(o.attribution.dims["user"], "ada");
    let o = read_one(chat([vendor(), text("customer_id", "acme")]));
    assert_eq!(o.attribution.customer_id.as_deref(), Some("acme"));
}

use opentelemetry_proto::tonic::common::v1::KeyValue;
use spanledger_event::{EventId, Observation, ObservedAs, PartialAttribution, Timestamp};
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
fn the_last_value_of_a_dim_counts_and_no_more_are_kept_than_the_limit() {
    let dims = |value: &str| -> Vec<KeyValue> {
        (0..8_000).map(|n| text(format!("spanledger.dim.d{n}"), value)).collect()
    };
    let mut attributes = [dims("first"), dims("last")].concat();
    // The last value of this key is not usable, so that the key has none.
    attributes.push(text("spanledger.dim.d7", "unknown"));
    let own =
        Observation::new(EventId::of_request("r", 5), "call", ObservedAs::Record, Timestamp::from_nanos(1));
    let mut sent = record::record(&own);
    sent.attributes.extend(attributes.clone());
    let of_record =
        ObservationReader::default().logs(&record::request(vec![sent], &[], "0.1.0")).observations.remove(0);
    for o in [read_one(chat(attributes)), of_record] {
        assert_eq!((o.attribution.dims.len(), o.truncated), (64, true));
        assert!(o.attribution.dims.values().all(|value| value == "last"));
    }
}

/// Scenario: a span with very many counts whose meaning is unknown, each stated twice.
#[test]
fn the_last_value_of_an_unrecognized_count_counts_and_no_more_are_listed_than_the_limit() {
    let counts = |value: i64| -> Vec<KeyValue> {
        (0..8_000).map(|n| integer(format!("gen_ai.usage.count_{n}"), value)).collect()
    };
    let unknown = read_one(chat([counts(1), counts(2)].concat())).usage_unknown;
    assert_eq!((unknown.len(), unknown[64].as_str()), (65, "and 7936 more"));
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

/// Scenario: an emitter writes texts into the attributes of attribution.
///
/// Guarantees: a value that is too long is not used, because a shortened one could be that of another customer.
/// An id is replaced by its hash. Both are flagged.
#[test]
fn an_attribution_value_that_is_too_long_is_not_used_and_never_silently() {
    type Get = fn(PartialAttribution) -> Option<String>;
    const HASH: Option<&str> = Some("xxh3:69fdd6b54ec7c0d04dd04767c00e03f1");
    let long = "a".repeat(257);
    let cases: [(&str, Get, Option<&str>); 7] = [
        ("customer_id", |a| a.customer_id, None),
        ("spanledger.feature", |a| a.feature, None),
        // The resource states one too.
        ("deployment.environment.name", |a| a.environment, Some("staging")),
        ("spanledger.dim.team", |mut a| a.dims.remove("team"), None),
        ("user.id", |mut a| a.dims.remove("user"), None),
        ("request_id", |a| a.request_id, HASH),
        ("spanledger.batch_job_id", |a| a.batch_job_id, HASH),
    ];
    for (key, get, expected) in cases {
        let o = read_one(chat([text(key, &long)]));
        assert_eq!((get(o.attribution).as_deref(), o.truncated), (expected, true), "{key}");
    }
    // Another key may have a usable value.
    let o = read_one(chat([text("spanledger.feature", &long), text("feature", "search")]));
    assert_eq!((o.attribution.feature.as_deref(), o.truncated), (Some("search"), true));
    let name = format!("spanledger.dim.{}", "n".repeat(129));
    let o = read_one(chat([text(name, "x")]));
    assert!(o.attribution.dims.is_empty() && o.truncated);
}

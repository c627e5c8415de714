use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator as _,
    trace::{Tracer as _, TracerProvider as _},
};
use opentelemetry_sdk::{
    propagation::BaggagePropagator,
    trace::{InMemorySpanExporter, SdkTracerProvider},
};

use super::*;

fn baggage(pairs: &[(&'static str, &'static str)]) -> Baggage {
    pairs.iter().map(|(key, value)| KeyValue::new(*key, *value)).collect()
}

fn attribution() -> Attribution {
    Attribution::builder()
        .feature("search")
        .route("/search")
        .customer_id("acme")
        .environment("test")
        .request_id("order-7")
        .batch_job_id("batch-1")
        .dim("team", "growth")
        .build()
        .unwrap()
}

#[test]
fn only_allowed_keys_with_legal_values_are_read() {
    let long: &'static str = "x".repeat(257).leak();
    let sent = baggage(&[
        (keys::FEATURE, "search"),
        (keys::ROUTE, "unknown"),
        (keys::CUSTOMER_ID, "a\nb"),
        (keys::ENVIRONMENT, long),
        (keys::BATCH_JOB_ID, "batch-1"),
        ("spanledger.dim.team", "growth"),
        ("spanledger.event_id", "forged"),
        ("customer_id", "acme"),
        ("userId", "alice"),
    ]);
    let read = AllowedBaggage::default().attribution(&sent);
    assert_eq!(read, PartialAttribution { feature: Some("search".to_owned()), ..Default::default() });
    let more = AllowedBaggage::default()
        .allow(Field::BatchJobId)
        .allow(Field::Dim("team".to_owned()))
        .forbid(&Field::Feature)
        .attribution(&sent);
    assert_eq!((more.feature, more.batch_job_id.as_deref()), (None, Some("batch-1")));
    assert_eq!(more.dims["team"], "growth");
}

#[test]
fn an_attribution_replaces_that_of_the_context_and_leaves_other_entries() {
    let context = Context::new().with_baggage(baggage(&[
        (keys::CUSTOMER_ID, "other"),
        (keys::BATCH_JOB_ID, "of-the-other"),
        ("userId", "alice"),
    ]));
    let context = AllowedBaggage::default().in_context(&attribution(), &context);
    let mut entries: Vec<_> =
        context.baggage().iter().map(|(key, (value, _))| (key.as_str(), value.as_str())).collect();
    entries.sort_unstable();
    let expected = [
        (keys::CUSTOMER_ID, "acme"),
        (keys::ENVIRONMENT, "test"),
        (keys::FEATURE, "search"),
        (keys::REQUEST_ID, "order-7"),
        (keys::ROUTE, "/search"),
        ("userId", "alice"),
    ];
    assert_eq!(entries, expected);
}

/// The header of a context's baggage, and what arrives of a customer that travels in it.
fn travelled(customer: &str) -> Option<String> {
    let attribution = Attribution::builder()
        .feature("search")
        .route("/search?q=a,b;c=\"ü\"")
        .customer_id(customer)
        .environment("test")
        .build()
        .unwrap();
    let allowed = AllowedBaggage::default();
    let mut headers = std::collections::HashMap::new();
    BaggagePropagator::new().inject_context(&allowed.in_context(&attribution, &Context::new()), &mut headers);
    let arrived = allowed.attribution(BaggagePropagator::new().extract(&headers).baggage());
    assert_eq!(arrived.route.as_deref(), Some(attribution.route()));
    arrived.customer_id
}

/// The SDK's propagator changes some values on their way: `a%41` would arrive as `aA`.
#[test]
fn a_value_arrives_unchanged_or_not_at_all() {
    for customer in ["acme", "a=b", "a,b;c", "Größe & Söhne"] {
        assert_eq!(travelled(customer).as_deref(), Some(customer));
    }
    for customer in ["a%41", " acme", "acme "] {
        assert_eq!(travelled(customer), None);
    }
}

#[test]
fn the_process_has_the_default_until_it_is_set_and_is_set_once() {
    assert_eq!(AllowedBaggage::of_process(), &AllowedBaggage::default());
    assert_eq!(AllowedBaggage::default().set_for_process(), Err(BaggageInUse));
}

#[test]
fn the_processor_copies_allowed_baggage_to_spans_and_sets_no_attribute_twice() {
    let exporter = InMemorySpanExporter::default();
    let provider = SdkTracerProvider::builder()
        .with_span_processor(BaggageSpanProcessor::new(AllowedBaggage::default()))
        .with_simple_exporter(exporter.clone())
        .build();
    let tracer = provider.tracer("app");
    let context = Context::new().with_baggage(baggage(&[
        (keys::CUSTOMER_ID, "acme"),
        (keys::FEATURE, "of-the-baggage"),
        (keys::ROUTE, "null"),
        ("spanledger.event_id", "forged"),
        ("userId", "alice"),
    ]));
    let own = [KeyValue::new(keys::FEATURE, "of-the-span")];
    drop(tracer.span_builder("a").with_attributes(own).start_with_context(&tracer, &context));
    drop(tracer.span_builder("b").start_with_context(&tracer, &without_copies(&context)));
    drop(tracer.span_builder("c").start_with_context(&tracer, &Context::new()));
    let spans = exporter.get_finished_spans().unwrap();
    let attributes = |index: usize| -> Vec<(String, String)> {
        let list = spans[index].attributes.iter();
        list.map(|attribute| (attribute.key.to_string(), attribute.value.to_string())).collect()
    };
    let expected = [(keys::FEATURE, "of-the-span"), (keys::CUSTOMER_ID, "acme")];
    assert_eq!(attributes(0), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    assert!(attributes(1).is_empty() && attributes(2).is_empty());
}

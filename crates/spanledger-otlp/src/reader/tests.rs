//! Hostile spans and records: absurd texts, numbers, depths and numbers of attributes.

use opentelemetry_proto::tonic::{
    common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value::Value},
    trace::v1::{Span, Status, span::Event},
};
use proptest::prelude::*;
use spanledger_event::{Observation, Usd, fold, keys};
use spanledger_price::PriceBook;
use spanledger_testkit::otlp::{SpanBuilder, attribute, text};

use crate::{ObservationReader, price, record, test_support::read};

/// Keys that are read in some dialect, each with a meaning of its own.
const KEYS: [&str; 44] = [
    keys::OPERATION_NAME,
    keys::PROVIDER_NAME,
    keys::REQUEST_MODEL,
    keys::RESPONSE_MODEL,
    keys::RESPONSE_ID,
    keys::FINISH_REASONS,
    keys::TIME_TO_FIRST_CHUNK,
    keys::REQUEST_STREAM,
    keys::REQUEST_REASONING_LEVEL,
    keys::INPUT_TOKENS,
    keys::OUTPUT_TOKENS,
    keys::CACHE_READ_TOKENS,
    keys::CACHE_WRITE_TOKENS,
    keys::REASONING_TOKENS,
    keys::AUDIO_INPUT_TOKENS,
    keys::USAGE_COST,
    keys::OPENAI_RESPONSE_SERVICE_TIER,
    keys::EXCEPTION_TYPE,
    keys::ERROR_TYPE,
    keys::SERVER_ADDRESS,
    keys::HTTP_ROUTE,
    keys::DEPLOYMENT_ENVIRONMENT_NAME,
    keys::USER_ID,
    keys::FEATURE,
    keys::ROUTE,
    keys::CUSTOMER_ID,
    keys::REQUEST_ID,
    keys::BATCH_JOB_ID,
    keys::EVENT_ID,
    keys::CALL_ID,
    keys::COST_USD,
    keys::ENDPOINT,
    keys::OUTCOME,
    keys::ATTEMPTS,
    keys::USAGE,
    keys::USAGE_RAW,
    keys::WEB_SEARCH_CALLS,
    keys::IMAGES,
    keys::START,
    keys::END,
    keys::TIME_TO_FIRST_CHUNK_MS,
    keys::PARENT_SPAN_ID,
    keys::PROMPT_CACHE_KEY,
    keys::REGION,
];

/// The longest observation in its JSON. Each byte of its texts takes at most six there.
const JOURNAL_BYTES_MAX: usize = 400_000;

fn hostile_text() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "\\PC{0,12}",
        2 => proptest::sample::select(vec![
            "chat", "invoke_agent", "openai", "gpt-5.5", "failed", "incomplete", "unknown", "0", "7", "-1", "1.5",
            "1e9", "1e300", "90000000000000", "4294967297", "79228162514264337593543950335", "true", "images",
            r#"{"tokens": {"input": 5}, "images": 90000000000000}"#,
            r#"{"tokens": {"input": 5}, "units": {"pages": 1e28}}"#,
            r#"{"prompt_tokens": 5, "completion_tokens": 1, "x": {"y": [1, 2.5, {"z": 1e308}]}}"#,
        ]).prop_map(str::to_owned),
        1 => (".", 200..40_000_usize).prop_map(|(unit, times)| unit.repeat(times)),
        1 => (0..300_usize).prop_map(|depth| format!("{}7{}", "[".repeat(depth), "]".repeat(depth))),
        1 => (1..3_000_usize).prop_map(|count| format!(r#"{{"prompt_tokens": 1, "k": [{}1]}}"#, "7, ".repeat(count))),
        1 => Just("\0\u{1b}[2J\u{9b}\u{202e}".repeat(80)),
    ]
}

fn value() -> impl Strategy<Value = Option<Value>> {
    let leaf = prop_oneof![
        4 => hostile_text().prop_map(Value::StringValue),
        2 => any::<i64>().prop_map(Value::IntValue),
        2 => (0..20_i64).prop_map(Value::IntValue),
        1 => any::<f64>().prop_map(Value::DoubleValue),
        1 => proptest::sample::select(vec![f64::NAN, f64::INFINITY, -0.0, 1e300]).prop_map(Value::DoubleValue),
        1 => any::<bool>().prop_map(Value::BoolValue),
        1 => proptest::collection::vec(any::<u8>(), 0..9).prop_map(Value::BytesValue),
    ];
    let nested = (leaf, 0..40_usize, any::<bool>()).prop_map(|(leaf, depth, is_list)| {
        (0..depth / 8 * 8).fold(leaf, |inner, _| {
            let value = Some(AnyValue { value: Some(inner) });
            if is_list {
                Value::ArrayValue(ArrayValue { values: value.into_iter().collect() })
            } else {
                let values = vec![KeyValue { key: "k".into(), value, ..KeyValue::default() }];
                Value::KvlistValue(KeyValueList { values })
            }
        })
    });
    proptest::option::weighted(0.95, nested)
}

fn attributes() -> impl Strategy<Value = Vec<KeyValue>> {
    let key = prop_oneof![
        8 => proptest::sample::select(&KEYS[..]).prop_map(str::to_owned),
        1 => hostile_text().prop_map(|name| format!("{}{name}", keys::DIM_PREFIX)),
        1 => hostile_text().prop_map(|name| format!("{}{name}", keys::USAGE_NAMESPACE)),
        1 => hostile_text(),
    ];
    let one = (key, value()).prop_map(|(key, value)| KeyValue {
        key,
        value: value.map(|value| AnyValue { value: Some(value) }),
        ..KeyValue::default()
    });
    let many = (0..3_usize, 0..400_usize).prop_map(|(namespace, count)| {
        let prefix = [keys::DIM_PREFIX, keys::USAGE_NAMESPACE, "gen_ai.prompt."][namespace];
        (0..count).map(|n| text(format!("{prefix}{n}"), "7")).collect::<Vec<_>>()
    });
    (proptest::collection::vec(one, 0..30), many).prop_map(|(some, many)| [some, many].concat())
}

fn span() -> impl Strategy<Value = Span> {
    (attributes(), attributes(), 0..4_usize, any::<(u64, u64)>(), any::<bool>()).prop_map(
        |(attributes, of_exception, ids, (start, end), is_error)| {
            let mut span = SpanBuilder::chat("gpt-5.5").number(1).attributes(attributes).build();
            (span.start_time_unix_nano, span.end_time_unix_nano) = (start, end);
            span.trace_id.truncate(if ids == 0 { 5 } else { 16 });
            if is_error {
                span.status = Some(Status { code: 2, ..Status::default() });
            }
            let name = keys::EXCEPTION_EVENT.to_owned();
            span.events = vec![Event { name, attributes: of_exception, ..Event::default() }; ids];
            span
        },
    )
}

/// What must hold for everything that is read.
fn check(read: Vec<Observation>) {
    for mut o in read {
        assert_eq!(o.clone().bound(), o, "it is within the limits");
        let journal = serde_json::to_string(&o).unwrap();
        assert!(journal.len() < JOURNAL_BYTES_MAX, "{} bytes", journal.len());
        assert_eq!(serde_json::from_str::<Observation>(&journal).unwrap(), o);

        price(PriceBook::builtin(), &mut o);
        let cost = o.cost.clone().unwrap();
        assert_eq!(cost.usd.is_some(), cost.reason.is_none());
        assert!(cost.usd.is_none_or(|usd| usd >= Usd::ZERO && !usd.is_beyond_a_charge()), "{cost:?}");
        assert_eq!(o.clone().bound(), o, "its price is within the limits");

        // It is still readable when it is sent as a record, and when it is an event.
        let sent = record::request(vec![record::record(&o)], &[], "0");
        assert_eq!(ObservationReader::default().logs(&sent).observations.len(), 1);
        for event in fold([&o]) {
            let json = serde_json::to_string(&event).unwrap();
            assert!(json.len() < JOURNAL_BYTES_MAX, "{} bytes", json.len());
            assert_eq!(serde_json::from_str::<spanledger_event::CostEvent>(&json).unwrap(), event);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn any_span_is_read_within_the_limits(span in span()) {
        check(read([span]));
    }

    #[test]
    fn any_record_is_read_within_the_limits(attributes in attributes(), event_id in hostile_text()) {
        let record = record::LogRecord {
            event_name: keys::RECORD_EVENT_NAME.to_owned(),
            attributes: [vec![attribute(keys::EVENT_ID, Value::StringValue(event_id))], attributes].concat(),
            ..record::LogRecord::default()
        };
        let read = ObservationReader::default().logs(&record::request(vec![record], &[], "0"));
        prop_assert_eq!(read.observations.len() + read.rejected, 1);
        check(read.observations);
    }
}

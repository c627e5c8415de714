use opentelemetry_proto::tonic::common::v1::KeyValue;
use proptest::prelude::*;
use spanledger_event::{
    Attribution, Bucket, CallOutcome, Endpoint, EventId, JsonText, Observation, ObservedAs, Role, Timestamp,
    UnpricedReason, Unstated, Usage, UsageSource, keys,
    limits::{USAGE_RAW_BYTES_MAX, USAGE_READ_BYTES_MAX},
};
use spanledger_price::{PriceBook, providers::response_ref};
use spanledger_testkit::otlp::{integer, text};

use super::{LogRecord, RequestEncoder, encoded_len, record, request, usage_counts};
use crate::{
    Encoding, Logs, ObservationReader,
    ids::hex,
    price,
    test_support::{chat, cost_of, read_one},
};

const RAW: &str = r#"{"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}"#;

/// The observation of a record that was sent and received.
fn received(sent: LogRecord) -> Observation {
    let bytes = request(vec![sent], &[], "0.1.0").to_protobuf();
    let logs = Logs::decode(&bytes, Encoding::Protobuf).unwrap();
    ObservationReader::default().logs(&logs).observations.remove(0)
}

fn chat_observation() -> Observation {
    let start = Timestamp::from_nanos(1_763_719_200_000_000_000);
    let mut o = Observation::new(EventId::of_request("r", 5), "call", ObservedAs::Record, start);
    (o.provider, o.endpoint) = ("openai".into(), Endpoint::Chat);
    o
}

/// A chat with a usage object of 100 tokens in and 20 out, and these searches beside it.
fn chat_with_searches(searches: u64) -> Observation {
    let mut o = chat_observation();
    let usage = Usage::default().with(Bucket::Input, 100).with(Bucket::Output, 20);
    // The object states only the totals.
    let mut usage = usage.with_unstated(Unstated::ALL);
    usage.web_search_calls = searches;
    (o.usage, o.usage_raw, o.usage_source) = (Some(usage), JsonText::new(RAW), UsageSource::Provider);
    o
}

#[test]
fn a_record_has_the_object_and_our_own_form_of_a_usage() {
    let usage_keys = |o: &Observation| {
        let keys = record(o).attributes.into_iter().map(|attribute| attribute.key);
        keys.filter(|key| key.contains("usage") || key.contains("_calls")).collect::<Vec<_>>()
    };
    let mut o = chat_with_searches(0);
    assert_eq!(usage_keys(&o), [keys::USAGE_RAW, keys::USAGE]);
    o.usage_raw = None;
    assert_eq!(usage_keys(&o), [keys::USAGE]);
    // The crate did not understand the object.
    let mut o = chat_with_searches(0);
    o.usage = None;
    assert_eq!(usage_keys(&o), [keys::USAGE_RAW]);
}

#[test]
fn a_request_of_encoded_records_is_the_request_of_the_records() {
    let resource = [("service.name".to_owned(), "api".to_owned()), ("host.name".to_owned(), "a".repeat(300))];
    for count in [0, 1, 3, 200] {
        let records = vec![record(&chat_with_searches(2)); count];
        let encoder = RequestEncoder::new(&resource, "0.1.0");
        let pieces: Vec<_> = records.iter().map(|record| encoder.record(record)).collect();
        let bytes = encoder.request(pieces.iter().map(Vec::as_slice));
        assert_eq!(Logs::decode(&bytes, Encoding::Protobuf).unwrap(), request(records, &resource, "0.1.0"));
    }
    let one = record(&chat_with_searches(0));
    let encoded = RequestEncoder::new(&resource, "0.1.0").record(&one);
    assert!((1..=4).contains(&(encoded.len() - encoded_len(&one))));
}

/// Scenario: an attribute processor of a Collector removes the object, or a size limit cuts it off.
#[test]
fn a_record_whose_object_was_removed_or_cut_off_has_the_same_price() {
    for searches in [0, 2] {
        let mut o = chat_with_searches(searches);
        o.model = Some("gpt-5.5".into());
        // The model has had a price since 2026.
        o.start = Timestamp::from_nanos(1_795_255_200_000_000_000);
        let complete = received(record(&o));
        let mut removed = record(&o);
        removed.attributes.retain(|attribute| attribute.key != keys::USAGE_RAW);
        let mut cut_off = record(&o);
        cut_off.attributes.push(text(keys::USAGE_RAW, &RAW[..20]));
        for damaged in [received(removed), received(cut_off)] {
            assert_eq!((&damaged.usage, &damaged.usage_raw), (&complete.usage, &None));
            assert_eq!(damaged.usage_problem, None);
            let cost = cost_of(&damaged);
            assert!(cost.usd.is_some());
            assert_eq!(cost, cost_of(&complete));
        }
    }
}

#[test]
fn the_object_decides_the_tokens_where_our_own_form_disagrees() {
    for searches in [0, 2] {
        let mut sent = record(&chat_with_searches(searches));
        let raw = r#"{"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}"#;
        sent.attributes.push(text(keys::USAGE_RAW, raw));
        let usage = received(sent).usage.unwrap();
        let counts = (usage.prompt_tokens(), usage.completion_tokens(), usage.web_search_calls);
        assert_eq!(counts, (7, 3, searches));
    }
}

/// Scenario: the answer's usage is all zeros, so the crate estimated the usage from the request.
#[test]
fn an_estimate_is_read_beside_an_object_of_zeros() {
    let mut o = chat_with_searches(0);
    o.usage_raw = JsonText::new(r#"{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}"#);
    o.usage_source = UsageSource::Estimated;
    let read = received(record(&o));
    assert_eq!((read.usage, read.usage_source), (o.usage, UsageSource::Estimated));
}

#[test]
fn a_record_with_an_object_and_tool_calls_is_read_back_as_it_was_sent() {
    for searches in [0, 2] {
        let o = chat_with_searches(searches);
        let read = received(record(&o));
        assert_eq!((read.usage, read.usage_raw), (o.usage, o.usage_raw));
    }
}

#[test]
fn the_span_has_the_counts_that_trace_backends_show() {
    let expected = [(keys::INPUT_TOKENS, 100), (keys::OUTPUT_TOKENS, 20), (keys::WEB_SEARCH_CALLS, 2)];
    assert_eq!(usage_counts(&chat_with_searches(2)), expected);
    assert_eq!(usage_counts(&chat_observation()), []);
}

/// Scenario: a service still runs a version whose records state the usage as counts.
#[test]
fn records_of_earlier_versions_are_read() {
    let earlier = |more: Vec<KeyValue>| {
        let mut sent = record(&chat_observation());
        sent.attributes.extend(more);
        received(sent).usage.unwrap()
    };
    let counts = [
        integer("gen_ai.usage.input_tokens", 100),
        integer("gen_ai.usage.cache_read.input_tokens", 40),
        integer("gen_ai.usage.output_tokens", 20),
    ];
    let units = [
        integer("spanledger.web_search_calls", 2),
        integer("spanledger.file_search_calls", 3),
        integer("spanledger.code_interpreter_calls", 4),
        integer("spanledger.images", 5),
    ];
    let mut usage =
        Usage::default().with(Bucket::Input, 60).with(Bucket::CachedInput, 40).with(Bucket::Output, 20);
    assert_eq!(earlier(counts.to_vec()), usage);
    (usage.web_search_calls, usage.file_search_calls) = (2, 3);
    (usage.code_interpreter_calls, usage.images) = (4, 5);
    assert_eq!(earlier([&counts[..], &units[..]].concat()), usage);

    let raw = text("spanledger.usage.raw", RAW);
    let read = earlier([&counts[..], &units[..], &[raw]].concat());
    assert_eq!((read.cached_tokens(), read.web_search_calls), (0, 2), "the object goes before the counts");
}

/// Scenario: the counts of an older version leave out zeros, and an own form leaves out what is unstated.
#[test]
fn a_record_says_which_counts_were_not_stated() {
    let unstated = |more: Vec<KeyValue>| {
        let mut sent = record(&chat_observation());
        sent.attributes.extend(more);
        received(sent).usage.unwrap().unstated()
    };
    let counts = vec![integer("gen_ai.usage.input_tokens", 100), integer("gen_ai.usage.output_tokens", 20)];
    assert_eq!(unstated(counts), Unstated::NONE);
    let own = |form: &str| unstated(vec![text(keys::USAGE, form)]);
    assert_eq!(own(r#"{"tokens": {"input": 100}}"#), Unstated::NONE);
    let cached = Unstated { cached: true, ..Unstated::NONE };
    assert_eq!(own(r#"{"tokens": {"input": 100}, "unstated": ["cached"]}"#), cached);
    // A Collector changed the form: a count above zero is stated.
    let changed = r#"{"tokens": {"input": 100, "cached_input": 5}, "unstated": ["cached", "reasoning"]}"#;
    assert_eq!(own(changed), Unstated { reasoning: true, ..Unstated::NONE });
    // The units come from our own form, and what is stated from the object.
    let details =
        r#"{"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 0}}"#;
    let both =
        vec![text(keys::USAGE_RAW, details), text(keys::USAGE, r#"{"tokens": {}, "web_search_calls": 1}"#)];
    assert_eq!(unstated(both), Unstated { reasoning: true, ..Unstated::NONE });
}

#[test]
fn a_damaged_usage_is_a_problem() {
    for (key, value, expected) in [
        (keys::USAGE, "{", "Spanledger's own form cannot be read"),
        (
            keys::USAGE,
            r#"{"tokens": {"input": 4294967297}}"#,
            "`input` is 4294967297: one call has at most 4294967296",
        ),
        (keys::USAGE_RAW, "[]", "the usage is not a JSON object"),
    ] {
        let mut sent = record(&chat_observation());
        sent.attributes.push(text(key, value));
        let read = received(sent);
        let problem = read.usage_problem.unwrap();
        assert!(problem.contains(expected), "{problem}");
        assert_eq!((read.usage, read.usage_source), (None, UsageSource::Provider));
    }
}

#[test]
fn tier_and_region_inside_the_object_are_read() {
    let mut o = chat_observation();
    o.provider = "anthropic".into();
    o.usage_raw =
        JsonText::new(r#"{"input_tokens": 5, "output_tokens": 1, "speed": "fast", "inference_geo": "us"}"#);
    (o.service_tier, o.region) = (Some("standard".into()), Some("global".into()));
    let read = received(record(&o));
    assert_eq!((read.service_tier.as_deref(), read.region.as_deref()), (Some("fast"), Some("us")));
}

/// Scenario: a processor of a Collector removes the event id, or empties it.
///
/// Guarantees: the record is counted as rejected. A span of ours is then read by the convention.
#[test]
fn a_record_without_an_event_id_is_rejected_and_never_silently() {
    let with = |event_id: Option<&str>| {
        let mut record = record(&chat_with_searches(0));
        record.attributes.retain(|attribute| attribute.key != keys::EVENT_ID);
        record.attributes.extend(event_id.map(|id| text(keys::EVENT_ID, id)));
        record
    };
    let other = LogRecord { event_name: "gen_ai.client.inference.operation.details".into(), ..with(None) };
    let records = vec![with(Some("e")), with(None), with(Some("")), with(Some(" ")), other];
    let read = ObservationReader::default().logs(&request(records, &[], "0.1.0"));
    assert_eq!((read.observations.len(), read.rejected), (1, 3));

    let span = chat([text(keys::EVENT_ID, ""), integer("gen_ai.usage.input_tokens", 7)]);
    assert_eq!(read_one(span).emitter, "genai scope 1");
}

/// Scenario: the provider's object is larger than what is kept, or than what is read.
#[test]
fn a_large_object_is_read_but_not_kept_and_a_huge_one_is_not_read() {
    let read = |bytes: usize, has_own: bool| {
        let mut o = chat_with_searches(2);
        let raw = format!("{{\"padding\": \"{}\", {}", "x".repeat(bytes), &RAW[1..]);
        o.usage_raw = JsonText::new(raw);
        let mut sent = record(&o);
        sent.attributes.retain(|attribute| has_own || attribute.key != keys::USAGE);
        received(sent)
    };
    for (bytes, is_kept) in [(100, true), (USAGE_RAW_BYTES_MAX, false)] {
        let o = read(bytes, false);
        assert_eq!((o.usage_raw.is_some(), o.truncated), (is_kept, !is_kept));
        assert_eq!(o.usage.unwrap().prompt_tokens(), 100);
    }
    let o = read(USAGE_READ_BYTES_MAX, false);
    assert!(o.usage_problem.unwrap().contains("262144 are read"));
    let o = read(USAGE_READ_BYTES_MAX, true);
    assert_eq!((o.usage, o.usage_problem, o.truncated), (chat_with_searches(2).usage, None, true));
}

#[test]
fn a_count_in_our_own_form_that_no_call_can_have_is_out_of_range() {
    for own in [
        r#"{"tokens": {"input": 1}, "images": 90000000000000}"#,
        r#"{"tokens": {"input": 1}, "units": {"pages": 1000000001}}"#,
        r#"{"tokens": {"input": 4294967297}}"#,
    ] {
        let mut sent = record(&chat_observation());
        sent.attributes.push(text(keys::USAGE, own));
        let read = received(sent);
        assert_eq!(
            (read.usage_out_of_range, read.usage.is_none(), read.usage_problem.is_some()),
            (true, true, true)
        );
        let cost = cost_of(&read);
        assert_eq!((cost.usd, cost.reason), (None, Some(UnpricedReason::OutOfRange)), "{own}");
    }
    let mut sent = record(&chat_observation());
    sent.attributes.push(text(keys::USAGE, r#"{"tokens": {"input": 1}, "units": {"pages": -1}}"#));
    let read = received(sent);
    assert_eq!((read.usage_out_of_range, read.usage), (false, None));
    assert!(read.usage_problem.unwrap().contains("`pages` is -1"));
}

fn own_observation() -> impl Strategy<Value = Observation> {
    (
        proptest::array::uniform13(0_u64..1_000_000),
        proptest::option::of("[a-z]{1,8}"),
        any::<bool>(),
        0..3_usize,
        1..5_u32,
        any::<[u8; 16]>(),
        1..2_000_000_000_000_000_000_i64,
    )
        .prop_map(|(tokens, optional, stream, outcome, attempts, trace, start)| {
            let start = Timestamp::from_nanos(start);
            let mut o = Observation::new(EventId::of_request("r", 5), "call", ObservedAs::Record, start);
            let attribution =
                Attribution::builder().feature("f").route("/r").customer_id("c").environment("e");
            let attribution = attribution.dim("team", "growth").request_id("r").build().unwrap();
            let mut usage = Bucket::ALL
                .into_iter()
                .zip(tokens)
                .fold(Usage::default(), |usage, (bucket, count)| usage.with(bucket, count));
            if start.nanos() % 2 == 0 {
                let unstated = Unstated { reasoning: stream, ..Unstated::ALL };
                usage = Bucket::ALL
                    .into_iter()
                    .filter(|bucket| bucket.name().starts_with("cache"))
                    .fold(usage, |usage, bucket| usage.with(bucket, 0))
                    .with(Bucket::Reasoning, 0)
                    .with_unstated(unstated);
            }
            if stream {
                usage.variant = Some("720p".into());
                usage.units.insert("video_seconds".into(), rust_decimal::Decimal::new(125, 1));
            }
            o.emitter = "spanledger 0.1.0".into();
            o.provider = "openai".into();
            o.endpoint = Endpoint::Responses;
            o.role = if start.nanos() % 3 == 0 { Role::Aggregate } else { Role::Call };
            o.server_address = Some("api.openai.com".into());
            o.response = Some(response_ref("openai", Some("api.openai.com"), "resp_1"));
            o.model.clone_from(&optional);
            o.response_model.clone_from(&optional);
            o.service_tier.clone_from(&optional);
            o.prompt_cache_key.clone_from(&optional);
            o.reasoning_effort = optional;
            o.end = Timestamp::from_nanos(start.nanos() + 5);
            o.time_to_first_token_ms = stream.then_some(12);
            o.stream = stream;
            o.attempts = attempts;
            o.outcome = [
                CallOutcome::Success,
                CallOutcome::Failed("500".into()),
                CallOutcome::Incomplete("cut".into()),
            ][outcome]
                .clone();
            o.usage = Some(usage);
            o.usage_source = if stream { UsageSource::Estimated } else { UsageSource::Provider };
            o.attribution = (&attribution).into();
            if trace != [0; 16] {
                o.trace_id = Some(hex(&trace));
                o.span_id = Some(hex(&[3; 8]));
            }
            o.service_name = Some("api".into());
            o
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_record_is_read_back_as_it_was_sent(mut o in own_observation()) {
        let resource = [("service.name".to_owned(), "api".to_owned())];
        let sent = request(vec![record(&o)], &resource, "0.1.0");
        let logs = Logs::decode(&sent.to_protobuf(), Encoding::Protobuf).unwrap();
        prop_assert_eq!(&ObservationReader::default().logs(&logs).observations, &vec![o.clone()]);

        // The price on the wire is the emitter's; the receiver sets its own.
        price(PriceBook::builtin(), &mut o);
        let read = received(record(&o));
        prop_assert_eq!(read.emitter_cost, o.cost.as_ref().and_then(|cost| cost.usd));
        prop_assert_eq!(&read.cost, &None);
    }
}

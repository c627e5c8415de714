use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{InstrumentationScope, KeyValue, any_value::Value},
    resource::v1::Resource,
    trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span::Event},
};
use proptest::prelude::*;
use spanledger_event::{
    Attribution, Bucket, CallOutcome, Cost, Endpoint, EventId, JsonText, Observation, ObservedAs, Role,
    Timestamp, Usage, UsageSource,
};
use spanledger_price::{PriceBook, providers::response_ref};

use crate::{Encoding, Logs, ObservationReader, Traces, attributes::attribute, record};

fn cost_of(o: &Observation) -> Cost {
    let mut o = o.clone();
    crate::price(PriceBook::builtin(), &mut o);
    o.cost.unwrap()
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, Value::IntValue(value))
}

fn chat(attributes: Vec<KeyValue>) -> Span {
    let mut all = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-5.5"),
    ];
    all.extend(attributes);
    span(all)
}

fn span(attributes: Vec<KeyValue>) -> Span {
    Span {
        trace_id: vec![7; 16],
        span_id: vec![9; 8],
        name: "chat gpt-5.5".into(),
        kind: 3,
        start_time_unix_nano: 1_763_719_200_000_000_000,
        end_time_unix_nano: 1_763_719_201_000_000_000,
        attributes,
        ..Span::default()
    }
}

fn traces(spans: Vec<Span>) -> Traces {
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: vec![text("service.name", "checkout"), text("deployment.environment", "staging")],
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(InstrumentationScope {
                    name: "scope".into(),
                    version: "1".into(),
                    ..Default::default()
                }),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
    .into()
}

fn read(spans: Vec<Span>) -> Vec<Observation> {
    ObservationReader::default().traces(&traces(spans))
}

fn one(span: Span) -> Observation {
    let mut read = read(vec![span]);
    assert_eq!(read.len(), 1);
    read.remove(0)
}

#[test]
fn current_and_older_spellings_are_the_same_call() {
    let current = one(chat(vec![
        int("gen_ai.usage.input_tokens", 15_234),
        int("gen_ai.usage.cache_read.input_tokens", 12_000),
        int("gen_ai.usage.cache_write.input_tokens", 100),
        int("gen_ai.usage.output_tokens", 5_312),
        int("gen_ai.usage.reasoning.output_tokens", 4_500),
        text("openai.response.service_tier", "flex"),
    ]));
    let older = one(span(vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.system", "openai"),
        text("gen_ai.request.model", "gpt-5.5"),
        int("gen_ai.usage.prompt_tokens", 15_234),
        int("gen_ai.usage.cache_read_input_tokens", 12_000),
        int("gen_ai.usage.cache_creation.input_tokens", 100),
        int("gen_ai.usage.completion_tokens", 5_312),
        int("gen_ai.usage.reasoning_tokens", 4_500),
        text("gen_ai.openai.response.service_tier", "flex"),
    ]));
    assert_eq!(current, older);
    let usage = current.usage.unwrap();
    assert_eq!(
        (usage.tokens(Bucket::Input), usage.completion_tokens(), usage.reasoning_tokens()),
        (3_134, 812, 4_500)
    );
    assert_eq!(current.service_tier.as_deref(), Some("flex"));
}

#[test]
fn counts_as_text_and_as_doubles_are_counts() {
    let o = one(chat(vec![
        text("gen_ai.usage.input_tokens", "1970"),
        attribute("gen_ai.usage.output_tokens", Value::DoubleValue(30.0)),
    ]));
    let usage = o.usage.unwrap();
    assert_eq!((usage.prompt_tokens(), usage.output_tokens()), (1_970, 30));
}

#[test]
fn a_usage_that_cannot_be_is_kept_as_a_problem_and_priced_as_unknown() {
    for attributes in [
        vec![int("gen_ai.usage.input_tokens", 10), int("gen_ai.usage.cache_read.input_tokens", 11)],
        vec![int("gen_ai.usage.input_tokens", -1)],
        vec![text("gen_ai.usage.input_tokens", "many")],
        vec![int("gen_ai.usage.input_tokens", 10)],
        vec![attribute("gen_ai.usage.output_tokens", Value::DoubleValue(1.5))],
    ] {
        let o = one(chat(attributes));
        assert!(o.usage.is_none() && o.usage_problem.is_some());
        let cost = cost_of(&o);
        assert_eq!((cost.usd, cost.reason.map(|r| r.as_str())), (None, Some("contradictory_usage")));
    }
}

#[test]
fn the_last_of_two_equal_keys_counts() {
    let o = one(chat(vec![
        int("gen_ai.usage.input_tokens", 1),
        int("gen_ai.usage.input_tokens", 2),
        int("gen_ai.usage.output_tokens", 1),
    ]));
    assert_eq!(o.usage.unwrap().prompt_tokens(), 2);
}

#[test]
fn what_is_not_billed_is_not_a_call() {
    for operation in ["execute_tool", "fetch_response", "retrieval", "invoke_agent"] {
        assert_eq!(read(vec![span(vec![text("gen_ai.operation.name", operation)])]), vec![], "{operation}");
    }
    assert_eq!(read(vec![span(vec![text("http.request.method", "POST")])]), vec![]);
    let with_usage =
        vec![text("gen_ai.operation.name", "fetch_response"), int("gen_ai.usage.input_tokens", 5)];
    assert_eq!(read(vec![span(with_usage)]), vec![], "a poll repeats a usage that was billed before");
    let agent =
        one(span(vec![text("gen_ai.operation.name", "invoke_agent"), int("gen_ai.usage.input_tokens", 5)]));
    assert_eq!(agent.role, Role::Aggregate);
}

#[test]
fn a_failed_call_is_free_and_one_that_broke_off_may_be_billed() {
    let mut failed = chat(vec![text("error.type", "RateLimitError")]);
    failed.status = Some(Status { code: 2, ..Status::default() });
    let o = one(failed);
    assert_eq!(o.outcome, CallOutcome::Failed("RateLimitError".into()));
    assert_eq!(cost_of(&o).usd, Some(spanledger_event::Usd::ZERO));

    let broken = one(chat(vec![text("error.type", "ReadError"), text("gen_ai.response.id", "chatcmpl-1")]));
    assert_eq!(broken.outcome, CallOutcome::Incomplete("ReadError".into()));
    assert_eq!(cost_of(&broken).usd, None);
}

/// Scenario: the client did not wait, or lost the connection; nothing was answered.
#[test]
fn a_call_that_was_given_up_may_be_billed() {
    let outcome = |error: &str| one(chat(vec![text("error.type", error)])).outcome;
    for error in [
        "timeout",
        "APITimeoutError",
        "openai.APITimeoutError",
        "<class 'httpx.ReadTimeout'>",
        "asyncio.exceptions.CancelledError",
        "AbortError",
        "Connection reset by peer",
        "ECONNRESET",
        "ConnectionResetError",
        "deadline_exceeded",
    ] {
        assert_eq!(outcome(error), CallOutcome::Incomplete(error.to_owned()));
        let cost = cost_of(&one(chat(vec![text("error.type", error)])));
        assert_eq!((cost.usd, cost.reason.map(|r| r.as_str())), (None, Some("no_usage")), "{error}");
    }
    for error in
        ["429", "500", "503", "RateLimitError", "invalid_request_error", "httpx.ConnectTimeout", "_OTHER"]
    {
        assert_eq!(outcome(error), CallOutcome::Failed(error.to_owned()));
    }

    // Many emitters have the exception alone.
    for (exception, began) in [("openai.APITimeoutError", true), ("openai.BadRequestError", false)] {
        let mut failed = chat(vec![]);
        failed.status = Some(Status { code: 2, ..Status::default() });
        failed.events = vec![Event {
            name: "exception".into(),
            attributes: vec![text("exception.type", exception)],
            ..Event::default()
        }];
        assert_eq!(one(failed).outcome.is_billable(), began, "{exception}");
    }
}

/// Scenario: a gateway writes zeros where it does not know; they are no call for nothing.
#[test]
fn a_usage_of_zeros_is_none() {
    let zeros = || vec![int("gen_ai.usage.input_tokens", 0), int("gen_ai.usage.output_tokens", 0)];
    let with = |more: Vec<KeyValue>| chat([zeros(), more].concat());
    let reason = |o: &Observation| cost_of(o).reason.map(|reason| reason.as_str());
    for more in [
        vec![],
        vec![text("gen_ai.operation.name", "aimage_generation")],
        vec![text("gen_ai.response.model", "gpt-4o-search-preview")],
    ] {
        assert_eq!(reason(&one(with(more.clone()))), Some("no_usage"), "{more:?}");
    }
    let free = one(with(vec![text("gen_ai.request.model", "omni-moderation-latest")]));
    assert_eq!(cost_of(&free).usd, Some(spanledger_event::Usd::ZERO));
    // An agent around calls repeats nothing.
    assert_eq!(read(vec![with(vec![text("gen_ai.operation.name", "invoke_agent")])]), vec![]);

    // LiteLLM's failed calls have zeros and an id that it made itself.
    let failed = one(with(vec![
        text("error.type", "RateLimitError"),
        text("gen_ai.response.id", "0198c3a5-7d1f-7a40-8c11-0d5a3cf5e7b2"),
    ]));
    assert_eq!(failed.outcome, CallOutcome::Failed("RateLimitError".into()));
    assert_eq!(cost_of(&failed).usd, Some(spanledger_event::Usd::ZERO));
    let broken = one(with(vec![text("error.type", "ReadError"), text("gen_ai.response.id", "chatcmpl-1")]));
    assert_eq!(reason(&broken), Some("no_usage"));
}

/// Scenario: the span of a search model, whose counts do not have the search of each call.
#[test]
fn the_search_of_a_search_model_is_part_of_its_usage_when_it_is_priced() {
    let mut o = one(chat(vec![
        text("gen_ai.response.model", "gpt-5-search-api"),
        int("gen_ai.usage.input_tokens", 10),
        int("gen_ai.usage.output_tokens", 1),
    ]));
    assert_eq!(o.usage.as_ref().unwrap().web_search_calls, 0);
    crate::price(PriceBook::builtin(), &mut o);
    assert_eq!(o.usage.unwrap().web_search_calls, 1);
    assert!(o.cost.unwrap().lines.iter().any(|line| line.kind == "web_search"));
}

/// Scenario: the regional host of a span costs what every host costs.
#[test]
fn a_regional_host_has_its_price() {
    let counts = [int("gen_ai.usage.input_tokens", 1_000), int("gen_ai.usage.output_tokens", 100)];
    let cost = |place: KeyValue| {
        let mut attributes = counts.to_vec();
        attributes.push(place);
        let mut span = chat(attributes);
        // November 2026.
        (span.start_time_unix_nano, span.end_time_unix_nano) = (1_795_219_200_000_000_000, 0);
        let o = one(span);
        (o.region.clone(), cost_of(&o).usd.unwrap().to_string())
    };
    let eu = Some("eu".to_owned());
    assert_eq!(cost(text("server.address", "api.openai.com")), (None, "0.008".to_owned()));
    assert_eq!(cost(text("server.address", "eu.api.openai.com")), (eu.clone(), "0.0088".to_owned()));
    assert_eq!(cost(text("spanledger.region", "eu")), (eu, "0.0088".to_owned()));
}

/// Scenario: an emitter counts what the convention has no name for.
#[test]
fn counts_that_nobody_understands_are_kept() {
    let o = one(chat(vec![
        int("gen_ai.usage.input_tokens", 10),
        int("gen_ai.usage.output_tokens", 10),
        int("gen_ai.usage.total_tokens", 20),
        int("gen_ai.usage.tool_use_prompt_tokens", 7),
        int("gen_ai.usage.tool_use_prompt_tokens", 8),
        text("gen_ai.usage.input_audio_tokens", "3"),
        int("gen_ai.usage.output_audio_tokens", 0),
        int("gen_ai.usage.text.input_tokens", 10),
        int("gen_ai.usage.details.anything", 5),
        int("gen_ai.usage.cache_read_input_tokens", 1),
        attribute("gen_ai.usage.cost", Value::DoubleValue(0.5)),
        text("gen_ai.usage.cost.source", "list"),
        text("gen_ai.usage.raw", r#"{"prompt_tokens": 10}"#),
    ]));
    assert_eq!(
        o.usage_unknown,
        ["gen_ai.usage.input_audio_tokens=3", "gen_ai.usage.tool_use_prompt_tokens=8"]
    );
}

/// Scenario: a Collector's copy of our record says the tier and the region in the usage alone.
#[test]
fn words_inside_the_raw_usage_are_read() {
    let mut o = Observation::new(
        EventId::of_request("r", 5),
        "call",
        ObservedAs::Record,
        Timestamp::from_nanos(1_763_719_200_000_000_000),
    );
    o.provider = "anthropic".into();
    o.usage_raw =
        JsonText::new(r#"{"input_tokens": 5, "output_tokens": 1, "speed": "fast", "inference_geo": "us"}"#);
    let words = |o: &Observation| {
        let sent = record::request(vec![record::record(o)], &[], "0.1.0");
        let o = ObservationReader::default().logs(&sent).remove(0);
        (o.service_tier, o.region)
    };
    assert_eq!(words(&o), (Some("fast".into()), Some("us".into())));
    (o.service_tier, o.region) = (Some("standard".into()), Some("global".into()));
    assert_eq!(words(&o), (Some("fast".into()), Some("us".into())), "the ordinary word hides nothing");
    (o.service_tier, o.region) = (Some("batch".into()), None);
    assert_eq!(words(&o).0, Some("batch and fast".into()), "nobody knows which one is billed");
}

#[test]
fn attribution_is_read_from_the_span_and_then_from_the_resource() {
    let o = one(chat(vec![
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
    assert_eq!(one(server).attribution.route.as_deref(), Some("/checkout"));
}

#[test]
fn a_span_with_invalid_ids_is_an_event_of_its_own() {
    let mut first = chat(vec![int("gen_ai.usage.input_tokens", 1)]);
    first.trace_id = vec![0; 16];
    let mut second = first.clone();
    second.span_id = b"eee19b7ec3c1b174".to_vec();
    let (first, second) = (one(first), one(second));
    assert_eq!((first.trace_id.as_deref(), second.span_id.as_deref()), (None, None));
    assert_ne!(first.event_id, second.event_id);
    assert_ne!(first.call_id, second.call_id);
}

#[test]
fn bytes_that_are_no_message_are_an_error() {
    for (bytes, encoding) in [
        (&b"\x0a\xff"[..], Encoding::Protobuf),
        (b"{\"resourceSpans\":", Encoding::Json),
        (b"[]", Encoding::Json),
        (b"\xff\xfe", Encoding::Json),
    ] {
        assert!(
            Traces::decode(bytes, encoding).is_err() && Logs::decode(bytes, encoding).is_err(),
            "{bytes:?}"
        );
    }
    let deep = format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000));
    assert!(Traces::decode(deep.as_bytes(), Encoding::Json).is_err());
    assert!(Traces::decode(b"", Encoding::Protobuf).unwrap().span_count() == 0);
    assert!(Traces::decode(b"\xef\xbb\xbf{}", Encoding::Json).unwrap().span_count() == 0);
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
            if stream {
                usage.variant = Some("720p".into());
                usage.units.insert("video_seconds".into(), rust_decimal::Decimal::new(125, 1));
            }
            o.emitter = "spanledger 0.1.0".into();
            o.provider = "openai".into();
            o.endpoint = Endpoint::Responses;
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
                o.trace_id = Some(record::hex(&trace));
                o.span_id = Some(record::hex(&[3; 8]));
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
        let sent = record::request(vec![record::record(&o)], &resource, "0.1.0");
        let received = Logs::decode(&sent.to_protobuf(), Encoding::Protobuf).unwrap();
        prop_assert_eq!(&ObservationReader::default().logs(&received), &vec![o.clone()]);

        // The price on the wire is the emitter's, never ours.
        o.cost = Some(cost_of(&o));
        let sent = record::request(vec![record::record(&o)], &resource, "0.1.0");
        let read = ObservationReader::default().logs(&sent);
        prop_assert_eq!(read[0].emitter_cost, o.cost.as_ref().and_then(|cost| cost.usd));
        prop_assert_eq!(&read[0].cost, &None);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for encoding in [Encoding::Protobuf, Encoding::Json] {
            if let Ok(traces) = Traces::decode(&bytes, encoding) {
                let _read = ObservationReader::default().traces(&traces);
            }
            if let Ok(logs) = Logs::decode(&bytes, encoding) {
                let _read = ObservationReader::default().logs(&logs);
            }
        }
    }
}

//! The observations of the calls, as a receiver would append them.
//!
//! The exact way to an observation is an OTLP message: it is written as its emitter writes it, read by
//! `spanledger-otlp` and priced. That takes longer than the ledger may, so one observation of each kind
//! and shape is made in this way, and the others are copies of it with other ids, times, counts,
//! attribution and cost. [`Input::new`] checks on many calls that both ways give the same observation.

use std::collections::HashMap;

use opentelemetry_proto::tonic::trace::v1::{Span, span::SpanKind};
use spanledger_event::{
    Bucket, CallOutcome, Endpoint, EventId, JsonText, Observation, ObservedAs, PartialAttribution, Timestamp,
    keys,
};
use spanledger_otlp::{ObservationReader, Traces, price, record, set_usage};
use spanledger_price::{
    PriceBook, providers,
    usage::{Answer, ToolCalls, resolve},
};
use spanledger_testkit::otlp::{
    SpanBuilder, attribute, boolean, double, hex, integer, resource, scope, text, traces_of,
};

use crate::call::{Call, Shape};

/// How many calls are made in both ways and compared.
const COMPARED: u64 = 300;
/// The span of the crate `spanledger` begins and ends this many nanoseconds outside its record.
const SPAN_MARGIN: i64 = 25_000;
const HOST: &str = "api.openai.com";
const SCOPE_VERSION: &str = "0.1.0";

/// Which sighting of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// The record that the crate `spanledger` sends.
    Record,
    /// The span of the same call, by the same crate.
    Span,
    /// A span of another instrumentation, in the GenAI convention. Nothing else reports the call.
    Lone,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Record, Self::Span, Self::Lone];
}

#[derive(Debug)]
pub(crate) struct Input {
    seed: u64,
    /// One observation of each kind and shape.
    patterns: HashMap<(Kind, Shape), Observation>,
}

impl Input {
    /// Makes the patterns. Panics if the observations are not those that a receiver would append.
    pub(crate) fn new(seed: u64) -> Self {
        let mut patterns = HashMap::new();
        for shape in Shape::all() {
            let mut calls = (0..).map(|number| Call::new(seed, number));
            let call = calls.find(|call| call.shape == shape).unwrap();
            for kind in Kind::ALL {
                patterns.insert((kind, shape), through_otlp(kind, &call));
            }
        }
        let this = Self { seed, patterns };
        for number in 0..COMPARED {
            for kind in Kind::ALL {
                let exact = through_otlp(kind, &Call::new(seed, number));
                assert_eq!(this.observation(kind, number), exact, "call {number}");
                assert_eq!(exact.cost.as_ref().map(|cost| cost.state()), Some("priced"), "call {number}");
            }
        }
        this
    }

    /// The observation of the call with this number. It is always the same one.
    pub(crate) fn observation(&self, kind: Kind, number: u64) -> Observation {
        let call = Call::new(self.seed, number);
        let mut o = self.patterns[&(kind, call.shape)].clone();
        (o.event_id, o.call_id) = identity(kind, &call);
        (o.start, o.end) = times(kind, &call);
        if o.usage_raw.is_some() {
            o.usage_raw = JsonText::new(call.usage_json());
        }
        if let (Some(response), Some(id)) = (&mut o.response, call.response_id) {
            response.id = id;
        }
        if o.time_to_first_token_ms.is_some() {
            o.time_to_first_token_ms = Some(call.first_chunk_ms);
        }
        o.usage = o.usage.map(|usage| {
            let usage = usage.with(Bucket::Input, call.input - call.cached);
            if call.shape.model().is_embedding {
                return usage;
            }
            usage
                .with(Bucket::CachedInput, call.cached)
                .with(Bucket::Output, call.output - call.reasoning)
                .with(Bucket::Reasoning, call.reasoning)
        });
        o.attribution.feature = Some(call.feature);
        o.attribution.route = Some(call.route);
        o.attribution.customer_id = Some(call.customer);
        o.attribution.environment = Some(call.environment.to_owned());
        o.attribution.request_id = o.attribution.request_id.map(|_| call.request_id);
        o.trace_id = Some(hex(&call.trace));
        o.span_id = Some(hex(&call.span));
        o.parent_span_id = Some(hex(&call.parent));
        o.service_name = Some(call.service);
        price(PriceBook::builtin(), &mut o);
        if o.emitter_cost.is_some() {
            o.emitter_cost = o.cost.as_ref().and_then(|cost| cost.usd);
        }
        o
    }
}

fn identity(kind: Kind, call: &Call) -> (EventId, String) {
    let (trace, span) = (hex(&call.trace), hex(&call.span));
    let event_id = match kind {
        Kind::Record | Kind::Span => EventId::of_request(&call.request_id, call.fingerprint),
        Kind::Lone => EventId::of_span(&trace, &span, call.start),
    };
    (event_id, format!("{trace}:{span}"))
}

fn times(kind: Kind, call: &Call) -> (Timestamp, Timestamp) {
    match kind {
        Kind::Record | Kind::Lone => (call.start, call.end),
        Kind::Span => (
            Timestamp::from_nanos(call.start.nanos() - SPAN_MARGIN),
            Timestamp::from_nanos(call.end.nanos() + SPAN_MARGIN),
        ),
    }
}

/// The observation that a receiver makes of the call's OTLP message.
fn through_otlp(kind: Kind, call: &Call) -> Observation {
    let reader = ObservationReader::default();
    let service = [
        (keys::SERVICE_NAME.to_owned(), call.service.clone()),
        (keys::DEPLOYMENT_ENVIRONMENT_NAME.to_owned(), call.environment.to_owned()),
    ];
    let traces = |scope_name, span| {
        let resource = resource(service.iter().map(|(key, value)| text(key, value)));
        Traces::from(traces_of(resource, scope(scope_name, SCOPE_VERSION), [span]))
    };
    let mut observations: Vec<Observation> = match kind {
        Kind::Record => {
            let records = vec![record::record(&as_the_crate_sees_it(call))];
            // Earlier versions return the observations themselves.
            reader.logs(&record::request(records, &service, SCOPE_VERSION)).into()
        }
        Kind::Span => reader.traces(&traces(record::SCOPE, span_of_the_crate(call))),
        Kind::Lone => reader.traces(&traces("opentelemetry.instrumentation.openai_v2", lone_span(call))),
    };
    let mut observation = observations.pop().unwrap();
    price(PriceBook::builtin(), &mut observation);
    observation
}

/// The call as the crate `spanledger` observes it in the service.
fn as_the_crate_sees_it(call: &Call) -> Observation {
    let Shape { is_stream, has_failed, .. } = call.shape;
    let model = call.shape.model();
    let (event_id, call_id) = identity(Kind::Record, call);
    let mut o = Observation::new(event_id, call_id, ObservedAs::Record, call.start);
    o.end = call.end;
    "openai".clone_into(&mut o.provider);
    o.endpoint = if model.is_embedding { Endpoint::Embeddings } else { Endpoint::Chat };
    o.server_address = Some(HOST.to_owned());
    o.model = Some(model.name.to_owned());
    o.organization = Some("org-benchmark".to_owned());
    o.stream = is_stream;
    o.attribution = PartialAttribution {
        feature: Some(call.feature.clone()),
        route: Some(call.route.clone()),
        customer_id: Some(call.customer.clone()),
        environment: Some(call.environment.to_owned()),
        request_id: Some(call.request_id.clone()),
        ..PartialAttribution::default()
    };
    o.trace_id = Some(hex(&call.trace));
    o.span_id = Some(hex(&call.span));
    o.parent_span_id = Some(hex(&call.parent));
    if has_failed {
        o.outcome = CallOutcome::Failed("429".to_owned());
    } else {
        let usage_json = call.usage_json();
        let resolved = resolve(Answer {
            provider: "openai",
            endpoint: o.endpoint,
            service_tier: (!model.is_embedding).then_some("default"),
            region: None,
            usage_json: Some(&usage_json),
            usage: None,
            tools: ToolCalls::default(),
            estimate: None,
        });
        set_usage(&mut o, resolved);
        o.usage_raw = JsonText::new(usage_json);
        o.response_model = Some(model.snapshot.to_owned());
        o.response = call.response_id.as_deref().map(|id| providers::response_ref("openai", Some(HOST), id));
        o.time_to_first_token_ms = is_stream.then_some(call.first_chunk_ms);
    }
    price(PriceBook::builtin(), &mut o);
    o
}

/// The span of the same call.
fn span_of_the_crate(call: &Call) -> Span {
    let o = as_the_crate_sees_it(call);
    // A span states these three itself.
    let is_field = |key: &str| [keys::START, keys::END, keys::PARENT_SPAN_ID].contains(&key);
    let attributes = record::attributes(&o).into_iter().filter(|(key, _)| !is_field(key));
    let counts = record::usage_counts(&o);
    let span = span(Kind::Span, call)
        .attributes(attributes.map(|(key, value)| attribute(key, value.into())))
        .attributes(counts.into_iter().map(|(key, count)| integer(key, count)));
    if call.shape.has_failed { span.failed("429").build() } else { span.build() }
}

/// The span of another instrumentation.
fn lone_span(call: &Call) -> Span {
    let model = call.shape.model();
    let count = |tokens: u64| i64::try_from(tokens).unwrap();
    let span = span(Kind::Lone, call).attributes([
        text(keys::PROVIDER_NAME, "openai"),
        text(keys::REQUEST_MODEL, model.name),
        text(keys::SERVER_ADDRESS, HOST),
        boolean(keys::REQUEST_STREAM, call.shape.is_stream),
        text(keys::FEATURE, &call.feature),
        text(keys::ROUTE, &call.route),
        text(keys::CUSTOMER_ID, &call.customer),
    ]);
    if call.shape.has_failed {
        return span.failed("429").build();
    }
    let mut span = span.attributes([
        text(keys::RESPONSE_MODEL, model.snapshot),
        integer(keys::INPUT_TOKENS, count(call.input)),
    ]);
    if !model.is_embedding {
        span = span.attributes([
            integer(keys::OUTPUT_TOKENS, count(call.output)),
            integer(keys::CACHE_READ_TOKENS, count(call.cached)),
            integer(keys::REASONING_TOKENS, count(call.reasoning)),
        ]);
    }
    if call.shape.is_stream {
        let seconds = f64::from(u32::try_from(call.first_chunk_ms).unwrap()) / 1e3;
        span = span.attribute(double(keys::TIME_TO_FIRST_CHUNK, seconds));
    }
    match &call.response_id {
        Some(id) => span.response_id(id).build(),
        None => span.build(),
    }
}

fn span(kind: Kind, call: &Call) -> SpanBuilder {
    let model = call.shape.model();
    let operation = if model.is_embedding { "embeddings" } else { "chat" };
    let (start, end) = times(kind, call);
    let nanos = |moment: Timestamp| u64::try_from(moment.nanos()).unwrap();
    SpanBuilder::new(format!("{operation} {}", model.name))
        .kind(SpanKind::Client)
        .ids(call.trace, call.span)
        .parent(call.parent)
        .start(nanos(start))
        .duration(nanos(end) - nanos(start))
        .attribute(text(keys::OPERATION_NAME, operation))
}

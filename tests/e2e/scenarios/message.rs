//! The requests that a scenario sends: one export request for each block.

use std::collections::BTreeMap;

use opentelemetry_proto::tonic::{
    collector::{logs::v1::ExportLogsServiceRequest, trace::v1::ExportTraceServiceRequest},
    common::v1::{AnyValue, ArrayValue, KeyValue, any_value::Value},
    trace::v1::{Span, span::SpanKind},
};
use serde::Deserialize;
use spanledger_event::{
    Endpoint, EventId, JsonText, NestedUsage, Observation, PartialAttribution, ResponseRef, Timestamp,
    fingerprint, keys,
};
use spanledger_otlp::record;
use spanledger_testkit::{
    observation::{self, ObservationBuilder, SECOND},
    otlp::{self, SpanBuilder, integer, text},
};

/// One export request.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Traces(ExportTraceServiceRequest),
    Logs(ExportLogsServiceRequest),
    /// A body of OTLP/JSON, sent as it is written.
    Json {
        path: &'static str,
        body: String,
    },
}

impl Request {
    /// Reads a block; its language is the word after the backticks.
    pub(super) fn parse(language: &str, block: &str) -> Result<Self, String> {
        match language {
            "toml" => toml::from_str::<Block>(block).map_err(|error| error.to_string())?.request(),
            "json" => {
                let body: serde_json::Value =
                    serde_json::from_str(block).map_err(|error| error.to_string())?;
                let path = match (body.get("resourceSpans"), body.get("resourceLogs")) {
                    (Some(_), None) => "/v1/traces",
                    (None, Some(_)) => "/v1/logs",
                    _ => {
                        return Err(
                            "a JSON body must have either `resourceSpans` or `resourceLogs`".to_owned()
                        );
                    }
                };
                Ok(Self::Json { path, body: block.to_owned() })
            }
            _ => Err(format!("`{language}` cannot be sent: a block must be `toml` or `json`")),
        }
    }

    /// Path, content type and body.
    pub(super) fn encode(&self) -> (&'static str, &'static str, Vec<u8>) {
        match self {
            Self::Traces(message) => ("/v1/traces", otlp::PROTOBUF, otlp::protobuf(message)),
            Self::Logs(message) => ("/v1/logs", otlp::PROTOBUF, otlp::protobuf(message)),
            Self::Json { path, body } => (path, otlp::JSON, body.clone().into_bytes()),
        }
    }

    /// The same spans and records, each in a request of its own. A JSON body stays whole.
    pub(super) fn split(&self) -> Vec<Self> {
        match self {
            Self::Traces(message) => {
                let mut requests = Vec::new();
                for resource in &message.resource_spans {
                    for scope in &resource.scope_spans {
                        for span in &scope.spans {
                            let (mut resource, mut scope) = (resource.clone(), scope.clone());
                            scope.spans = vec![span.clone()];
                            resource.scope_spans = vec![scope];
                            let resource_spans = vec![resource];
                            requests.push(Self::Traces(ExportTraceServiceRequest { resource_spans }));
                        }
                    }
                }
                requests
            }
            Self::Logs(message) => {
                let records = message.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
                let records = records.flat_map(|scope| &scope.log_records);
                records.map(|record| Self::Logs(otlp::logs([record.clone()]))).collect()
            }
            Self::Json { .. } => vec![self.clone()],
        }
    }
}

/// A `toml` block. The scenarios' README explains its keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Block {
    #[serde(default)]
    resource: BTreeMap<String, toml::Value>,
    #[serde(default)]
    scope: String,
    #[serde(default)]
    span: Vec<SpanKeys>,
    #[serde(default)]
    own_span: Vec<CallKeys>,
    #[serde(default)]
    record: Vec<CallKeys>,
}

impl Block {
    fn request(self) -> Result<Request, String> {
        let spans: Vec<Span> = self
            .span
            .into_iter()
            .map(SpanKeys::span)
            .chain(self.own_span.into_iter().map(CallKeys::own_span))
            .collect::<Result<_, _>>()?;
        match (spans.is_empty(), self.record.is_empty()) {
            (false, true) => {
                let resource = otlp::resource(attributes(self.resource)?);
                let (name, version) = self.scope.split_once(' ').unwrap_or((&self.scope, ""));
                Ok(Request::Traces(otlp::traces_of(resource, otlp::scope(name, version), spans)))
            }
            (true, false) => {
                let records = self.record.into_iter().map(|keys| Ok(record::record(&keys.observation()?)));
                Ok(Request::Logs(otlp::logs(records.collect::<Result<Vec<_>, String>>()?)))
            }
            _ => Err("a block is one request: it must have either spans or records".to_owned()),
        }
    }
}

/// A span of an emitter that is not ours.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpanKeys {
    trace: String,
    span: String,
    parent: Option<String>,
    #[serde(default)]
    start: u64,
    #[serde(default = "one")]
    seconds: u64,
    #[serde(default)]
    server: bool,
    /// With a model the span is a chat call in the GenAI convention; without one it has only the attributes
    /// below.
    model: Option<String>,
    operation: Option<String>,
    provider: Option<String>,
    host: Option<String>,
    input: Option<i64>,
    cached: Option<i64>,
    reasoning: Option<i64>,
    output: Option<i64>,
    response: Option<String>,
    response_model: Option<String>,
    failed: Option<String>,
    #[serde(default)]
    attributed: bool,
    feature: Option<String>,
    route: Option<String>,
    customer: Option<String>,
    environment: Option<String>,
    #[serde(default)]
    attributes: BTreeMap<String, toml::Value>,
}

fn one() -> u64 {
    1
}

impl SpanKeys {
    fn span(self) -> Result<Span, String> {
        let mut span = match &self.model {
            Some(model) => SpanBuilder::chat(model),
            None => SpanBuilder::new(self.span.clone()),
        };
        span = span
            .ids(id(&self.trace)?, id(&self.span)?)
            .start(otlp::START + self.start * 1_000_000_000)
            .duration(self.seconds * 1_000_000_000);
        if let Some(parent) = &self.parent {
            span = span.parent(id(parent)?);
        }
        if self.server {
            span = span.kind(SpanKind::Server);
        }
        if self.attributed {
            span = span.attributed();
        }
        let texts = [
            (keys::OPERATION_NAME, self.operation),
            (keys::PROVIDER_NAME, self.provider),
            (keys::SERVER_ADDRESS, self.host),
            (keys::RESPONSE_ID, self.response),
            (keys::RESPONSE_MODEL, self.response_model),
            (keys::FEATURE, self.feature),
            (keys::ROUTE, self.route),
            (keys::CUSTOMER_ID, self.customer),
            (keys::ENVIRONMENT, self.environment),
        ];
        let counts = [
            (keys::INPUT_TOKENS, self.input),
            (keys::CACHE_READ_TOKENS, self.cached),
            (keys::REASONING_TOKENS, self.reasoning),
            (keys::OUTPUT_TOKENS, self.output),
        ];
        span = span
            .attributes(texts.into_iter().filter_map(|(key, value)| Some(text(key, value?))))
            .attributes(counts.into_iter().filter_map(|(key, value)| Some(integer(key, value?))))
            .attributes(attributes(self.attributes)?);
        if let Some(error) = &self.failed {
            span = span.failed(error);
        }
        Ok(span.build())
    }
}

/// A call as the crate `spanledger` reports it, in a record or in its span.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallKeys {
    request: String,
    call: String,
    /// The body of the request. Calls with the same request id and different bodies are different requests.
    #[serde(default)]
    body: String,
    #[serde(default)]
    start: i64,
    #[serde(default = "one")]
    seconds: u64,
    model: String,
    response_model: Option<String>,
    endpoint: Option<String>,
    provider: Option<String>,
    host: Option<String>,
    tier: Option<String>,
    region: Option<String>,
    /// The provider's usage object, as JSON.
    usage: Option<String>,
    input: Option<u64>,
    #[serde(default)]
    cached: u64,
    #[serde(default)]
    reasoning: u64,
    #[serde(default)]
    output: u64,
    response: Option<String>,
    failed: Option<String>,
    incomplete: Option<String>,
    #[serde(default)]
    stream: bool,
    #[serde(default = "one_attempt")]
    attempts: u32,
    trace: Option<String>,
    span: Option<String>,
    parent: Option<String>,
    feature: Option<String>,
    route: Option<String>,
    customer: Option<String>,
    environment: Option<String>,
}

fn one_attempt() -> u32 {
    1
}

impl CallKeys {
    fn observation(self) -> Result<Observation, String> {
        let start_s = i64::try_from(otlp::START / 1_000_000_000).unwrap() + self.start;
        let mut call = ObservationBuilder::record(&self.request, &self.call, start_s);
        let usage = match self.input {
            None => None,
            Some(input) => {
                let Self { cached, reasoning, output, .. } = self;
                let nested = NestedUsage { input, cached, reasoning, output, ..NestedUsage::default() };
                Some(nested.exclusive().map_err(|error| error.to_string())?)
            }
        };
        if let Some(usage) = usage {
            call = call.usage(usage);
        }
        if let Some(code) = &self.failed {
            call = call.failed(code);
        }
        if let Some(code) = &self.incomplete {
            call = call.incomplete(code);
        }
        let mut o = call.build();
        o.cost = None;
        o.event_id =
            EventId::of_request(&self.request, fingerprint("/chat/completions", self.body.as_bytes()));
        o.end = Timestamp::from_nanos(o.start.nanos() + i64::try_from(self.seconds).unwrap() * SECOND);
        o.model = Some(self.model);
        o.response_model = self.response_model;
        o.endpoint = Endpoint::from_name(self.endpoint.as_deref().unwrap_or("chat"));
        o.provider = self.provider.unwrap_or_else(|| "openai".to_owned());
        o.server_address = Some(self.host.unwrap_or_else(|| "api.openai.com".to_owned()));
        o.service_tier = self.tier;
        o.region = self.region;
        o.usage_raw = self.usage.and_then(JsonText::new);
        // A record carries only the id; the receiver derives the namespace from the provider and the host.
        o.response = self.response.map(|id| ResponseRef { namespace: String::new(), id, unique: false });
        o.stream = self.stream;
        o.attempts = self.attempts;
        let hex = |id: Result<Vec<u8>, String>| id.map(|id| otlp::hex(&id));
        o.trace_id = self.trace.map(|name| hex(id::<16>(&name).map(Vec::from))).transpose()?;
        o.span_id = self.span.map(|name| hex(id::<8>(&name).map(Vec::from))).transpose()?;
        o.parent_span_id = self.parent.map(|name| hex(id::<8>(&name).map(Vec::from))).transpose()?;
        let all = observation::attribution();
        o.attribution = PartialAttribution {
            feature: self.feature.or(all.feature),
            route: self.route.or(all.route),
            customer_id: self.customer.or(all.customer_id),
            environment: self.environment.or(all.environment),
            request_id: Some(self.request),
            ..PartialAttribution::default()
        };
        Ok(o)
    }

    fn own_span(self) -> Result<Span, String> {
        let (Some(trace), Some(span)) = (&self.trace, &self.span) else {
            return Err("an own_span must have `trace` and `span`".to_owned());
        };
        let ids = (id(trace)?, id(span)?);
        let parent = self.parent.as_deref().map(id).transpose()?;
        let o = self.observation()?;
        let mut builder = SpanBuilder::new(keys::RECORD_EVENT_NAME)
            .kind(SpanKind::Client)
            .ids(ids.0, ids.1)
            .start(u64::try_from(o.start.nanos()).unwrap())
            .duration(u64::try_from(o.end.nanos() - o.start.nanos()).unwrap())
            .attributes(record::record(&o).attributes);
        if let Some(parent) = parent {
            builder = builder.parent(parent);
        }
        Ok(builder.build())
    }
}

/// Makes an id from a name: the bytes of its letters, followed by zeros.
fn id<const LENGTH: usize>(name: &str) -> Result<[u8; LENGTH], String> {
    let mut id = [0; LENGTH];
    let bytes = name.as_bytes();
    match id.get_mut(..bytes.len()) {
        Some(begin) if !bytes.is_empty() => begin.copy_from_slice(bytes),
        _ => {
            return Err(format!(
                "`{name}` is not the name of a trace (1 to 16 letters) or of a span (1 to 8 letters)"
            ));
        }
    }
    Ok(id)
}

fn attributes(table: BTreeMap<String, toml::Value>) -> Result<Vec<KeyValue>, String> {
    table.into_iter().map(|(key, value)| Ok(otlp::attribute(key, any_value(value)?))).collect()
}

fn any_value(value: toml::Value) -> Result<Value, String> {
    Ok(match value {
        toml::Value::String(text) => Value::StringValue(text),
        toml::Value::Integer(number) => Value::IntValue(number),
        toml::Value::Float(number) => Value::DoubleValue(number),
        toml::Value::Boolean(truth) => Value::BoolValue(truth),
        toml::Value::Array(list) => {
            let values = list.into_iter().map(|value| Ok(AnyValue { value: Some(any_value(value)?) }));
            Value::ArrayValue(ArrayValue { values: values.collect::<Result<_, String>>()? })
        }
        other => return Err(format!("an attribute cannot be {other:?}")),
    })
}

//! The OpenTelemetry GenAI convention, in its current and older spellings.
//!
//! Source: `semantic-conventions-genai`, client inference, client embeddings, agents, fetch
//! response; `semantic-conventions` up to 1.41 for the older names.

use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;
use spanledger_event::{
    Endpoint, EventId, Observation, ObservedAs, ResponseRef, Role, Timestamp, Unstated, Usage, keys,
};
use spanledger_price::{
    providers,
    usage::{Answer, ResolvedUsage, UsageReadError, resolve},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{Dialect, SpanReader};
use crate::{
    attributes::Attributes,
    ids::{SPAN_ID_BYTES, TRACE_ID_BYTES, valid_id},
    price::set_usage,
    quirks::{AbsentCounts, Quirks},
    span::SpanContext,
    token_counts,
};

mod outcome;
#[cfg(test)]
mod tests;

pub(super) const DIALECT: Dialect = Dialect {
    reader: Some(SpanReader {
        recognises: |attributes, quirks| {
            let mut keys = attributes.iter().map(|attribute| attribute.key.as_str());
            keys.any(|key| key == keys::OPERATION_NAME || token_counts::is_total(key, quirks))
        },
        read,
    }),
    quirks: Quirks {
        absent_counts: &[AbsentCounts {
            // OpenTelemetry's own instrumentation for Python. It was read in version 1.3b0: it passes on every
            // count of the provider, except those that are zero.
            scopes: &["opentelemetry.instrumentation.genai.openai"],
            unstated: Unstated::NONE,
        }],
        ..Quirks::NONE
    },
};

fn read(context: &SpanContext<'_>) -> Option<Observation> {
    let SpanContext { span, attributes, .. } = *context;
    let operation = Operation::of(attributes);
    // A count of a span that lacks attributes may be among those that were dropped.
    let scope = Some(context.scope.0).filter(|_| !context.lacks_attributes());
    let unstated = token_counts::unstated_if_absent(context.quirks, scope, operation.endpoint());
    let needs_output = operation.needs_output(attributes);
    let counts = token_counts::read(attributes, context.quirks, needs_output, unstated);
    let (role, endpoint) = operation.role(counts.as_ref())?;
    let server_address = attributes.string(keys::SERVER_ADDRESS);
    let provider = provider(attributes, server_address.as_deref());
    let response = response(attributes, &provider, server_address.as_deref());
    let usage = ResolvedUsage {
        unrecognized_counts: token_counts::unrecognized(attributes, context.quirks),
        ..usage(attributes, &provider, endpoint, server_address.as_deref(), counts)
    };
    let outcome = outcome::read(context, &usage, response.as_ref());

    let start = nanos(span.start_time_unix_nano);
    let (event_id, call_id) = identity(span, start);
    let mut o = Observation::new(event_id, call_id, ObservedAs::Span, start);
    o.role = role;
    o.endpoint = endpoint;
    o.end = nanos(span.end_time_unix_nano).max(start);
    o.emitter = emitter(context.scope);
    o.server_address = server_address;
    o.provider = provider;
    o.model = attributes.string(keys::REQUEST_MODEL);
    o.response_model = attributes.string(keys::RESPONSE_MODEL);
    o.response = response;
    o.stream = attributes.bool(keys::REQUEST_STREAM).unwrap_or(attributes.has(keys::TIME_TO_FIRST_CHUNK));
    o.time_to_first_token_ms = time_to_first_token_ms(attributes);
    o.reasoning_effort = attributes.string(keys::REQUEST_REASONING_LEVEL);
    o.outcome = outcome;
    set_usage(&mut o, usage);
    let attribution = context.keys.read(attributes, &context.resource.attribution, context.is_server());
    let (emitter_cost, is_beyond) = attributes.cost(keys::USAGE_COST);
    o.truncated = attribution.is_truncated || is_beyond || context.is_truncated();
    o.emitter_cost = emitter_cost;
    o.attribution = attribution.fields;
    o.trace_id = valid_id(&span.trace_id, TRACE_ID_BYTES);
    o.span_id = valid_id(&span.span_id, SPAN_ID_BYTES);
    o.parent_span_id = valid_id(&span.parent_span_id, SPAN_ID_BYTES);
    o.service_name.clone_from(&context.resource.service_name);
    Some(o)
}

/// What the span's operation means for billing.
#[derive(Clone, Copy)]
enum Operation {
    Call(Endpoint),
    /// An agent or a workflow around calls, whose usage repeats theirs.
    Aggregate,
    /// An operation that is not billed: a tool, a retrieval, or a poll of a response that was billed when
    /// it was created.
    Free,
}

impl Operation {
    fn of(attributes: &Attributes<'_>) -> Self {
        let name = attributes.text(keys::OPERATION_NAME);
        match name.as_deref() {
            Some("chat" | "generate_content") | None => {
                let api = attributes.text(keys::OPENAI_API_TYPE);
                let is_responses = api.as_deref() == Some("responses");
                Self::Call(if is_responses { Endpoint::Responses } else { Endpoint::Chat })
            }
            Some("text_completion") => Self::Call(Endpoint::Completions),
            Some("embeddings") => Self::Call(Endpoint::Embeddings),
            Some("invoke_agent" | "agent_step" | "invoke_workflow" | "create_agent" | "plan" | "chain") => {
                Self::Aggregate
            }
            Some(
                "execute_tool"
                | "retrieval"
                | "fetch_response"
                | "search_memory"
                | "create_memory"
                | "update_memory"
                | "upsert_memory"
                | "delete_memory"
                | "create_memory_store"
                | "delete_memory_store",
            ) => Self::Free,
            // The convention allows other operations. Such a span is a call if it has a usage (`role`).
            Some(_) => Self::Call(Endpoint::Other),
        }
    }

    /// The API that was called.
    fn endpoint(self) -> Endpoint {
        match self {
            Self::Call(endpoint) => endpoint,
            Self::Aggregate | Self::Free => Endpoint::Other,
        }
    }

    /// Whether the model writes text, so that its output has to be stated. A span without an operation
    /// may be an embedding, which has no output.
    fn needs_output(self, attributes: &Attributes<'_>) -> bool {
        attributes.has(keys::OPERATION_NAME)
            && matches!(self, Self::Call(endpoint) if token_counts::needs_output(endpoint))
    }

    /// The role and the endpoint of the observation; `None` if the span is not an observation.
    fn role(self, counts: Option<&Result<Usage, UsageReadError>>) -> Option<(Role, Endpoint)> {
        let counts_nothing = counts.is_none_or(|usage| usage.as_ref().is_ok_and(Usage::is_empty));
        match self {
            Self::Call(Endpoint::Other) if counts.is_none() => None,
            Self::Call(endpoint) => Some((Role::Call, endpoint)),
            // An aggregate without a usage does not repeat the usage of calls, so it can be ignored.
            Self::Aggregate if counts_nothing => None,
            Self::Aggregate => Some((Role::Aggregate, Endpoint::Other)),
            Self::Free => None,
        }
    }
}

/// The provider that billed the call. SDKs often label calls to OpenAI-compatible hosts as `openai`, so a
/// known host of another provider takes precedence over that name.
fn provider(attributes: &Attributes<'_>, server_address: Option<&str>) -> String {
    let named =
        attributes.first_of(keys::aliases::PROVIDER_NAMES).map(|name| providers::canonical_name(&name));
    let of_host = server_address.and_then(providers::of_host).map(str::to_owned);
    match (named, of_host) {
        (Some(name), Some(host)) if name == "openai" => host,
        (Some(name), _) => name,
        (None, host) => host.unwrap_or_default(),
    }
}

fn response(
    attributes: &Attributes<'_>,
    provider: &str,
    server_address: Option<&str>,
) -> Option<ResponseRef> {
    let id = attributes.text(keys::RESPONSE_ID)?;
    Some(providers::response_ref(provider, server_address, &id))
}

/// The usage, the tier and the region of the call.
fn usage(
    attributes: &Attributes<'_>,
    provider: &str,
    endpoint: Endpoint,
    server_address: Option<&str>,
    counts: Option<Result<Usage, UsageReadError>>,
) -> ResolvedUsage {
    let region =
        attributes.string(keys::REGION).or_else(|| providers::region_of_host(provider, server_address));
    resolve(Answer {
        provider,
        endpoint,
        service_tier: service_tier(attributes).as_deref(),
        region: region.as_deref(),
        usage: counts,
        ..Answer::default()
    })
}

/// The tier that served the call. If the span does not state it, the requested tier is used, because it
/// usually is the one that served.
fn service_tier(attributes: &Attributes<'_>) -> Option<String> {
    let served = attributes.first_of(keys::aliases::RESPONSE_SERVICE_TIER);
    let requested = || attributes.first_of(keys::aliases::REQUEST_SERVICE_TIER).filter(|tier| tier != "auto");
    served.or_else(requested).map(Into::into)
}

fn time_to_first_token_ms(attributes: &Attributes<'_>) -> Option<i64> {
    let seconds = attributes.decimal(keys::TIME_TO_FIRST_CHUNK)?;
    seconds.checked_mul(1_000.into())?.trunc().try_into().ok()
}

fn emitter(scope: (&str, &str)) -> String {
    match scope {
        ("", _) => "genai".to_owned(),
        (name, "") => format!("genai {name}"),
        (name, version) => format!("genai {name} {version}"),
    }
}

/// The event id and the call id of a span. If the span's ids are not valid, a hash of its contents replaces
/// them, so that such a span neither fails the request nor merges with another span.
fn identity(span: &Span, start: Timestamp) -> (EventId, String) {
    match (valid_id(&span.trace_id, TRACE_ID_BYTES), valid_id(&span.span_id, SPAN_ID_BYTES)) {
        (Some(trace), Some(id)) => (EventId::of_span(&trace, &id, start), format!("{trace}:{id}")),
        _ => {
            let contents = format!("{:032x}", xxh3_128(&span.encode_to_vec()));
            (EventId::of_span("", &contents, start), contents)
        }
    }
}

fn nanos(unix: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(unix).unwrap_or(i64::MAX))
}

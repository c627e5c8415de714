//! The OpenTelemetry GenAI convention, current and older spellings.
//!
//! Source: `semantic-conventions-genai`, client inference, client embeddings, agents, fetch
//! response; `semantic-conventions` up to 1.41 for the older names.

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};
use prost::Message as _;
use spanledger_event::{
    CallOutcome, Endpoint, EventId, Observation, ObservedAs, Role, Timestamp, Usage, UsageError, keys,
};
use spanledger_price::{
    providers,
    usage::{Answer, UsageReadError, resolve},
};
use xxhash_rust::xxh3::xxh3_128;

use super::{Dialect, Seen};
use crate::{attributes::Attributes, price::set_usage, record::hex, usage};

pub(crate) const DIALECT: Dialect = Dialect {
    recognises: |seen| {
        seen.span.attributes.iter().any(|kv| {
            kv.key == keys::OPERATION_NAME
                || keys::aliases::INPUT.contains(&kv.key.as_str())
                || keys::aliases::OUTPUT.contains(&kv.key.as_str())
        })
    },
    read,
};

/// What an operation is.
enum Operation {
    Call(Endpoint),
    Aggregate,
    /// Not billed: a tool, a search, a poll of a response that was billed when it was made.
    Free,
}

fn operation(seen: &Seen<'_>) -> Operation {
    let name = seen.attributes.text(keys::OPERATION_NAME);
    match name.as_deref() {
        Some("chat" | "generate_content") | None => {
            let api = seen.attributes.text(keys::OPENAI_API_TYPE);
            Operation::Call(if api.as_deref() == Some("responses") {
                Endpoint::Responses
            } else {
                Endpoint::Chat
            })
        }
        Some("text_completion") => Operation::Call(Endpoint::Completions),
        Some("embeddings") => Operation::Call(Endpoint::Embeddings),
        Some("invoke_agent" | "agent_step" | "invoke_workflow" | "create_agent" | "plan" | "chain") => {
            Operation::Aggregate
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
        ) => Operation::Free,
        // The convention allows operations of one's own: with a usage it is a call.
        Some(_) => Operation::Call(Endpoint::Other),
    }
}

fn read(seen: &Seen<'_>) -> Option<Observation> {
    let attributes = seen.attributes;
    let operation = operation(seen);
    // Spans without a name may be embeddings, which have no output.
    let needs_output = attributes.has(keys::OPERATION_NAME)
        && matches!(operation, Operation::Call(endpoint) if usage::needs_output(endpoint));
    let usage = usage::read(attributes, needs_output);
    let (role, endpoint) = match operation {
        Operation::Call(Endpoint::Other) if usage.is_none() => return None,
        Operation::Call(endpoint) => (Role::Call, endpoint),
        // Without a usage there is nothing that could be counted twice.
        Operation::Aggregate if is_nothing(usage.as_ref()) => return None,
        Operation::Aggregate => (Role::Aggregate, Endpoint::Other),
        Operation::Free => return None,
    };

    let span = seen.span;
    let start = nanos(span.start_time_unix_nano);
    let (event_id, call_id) = identity(span, start);
    let mut o = Observation::new(event_id, call_id, ObservedAs::Span, start);
    o.role = role;
    o.endpoint = endpoint;
    o.end = nanos(span.end_time_unix_nano).max(start);
    o.emitter = match seen.scope {
        ("", _) => "genai".to_owned(),
        (name, "") => format!("genai {name}"),
        (name, version) => format!("genai {name} {version}"),
    };
    o.server_address = attributes.string(keys::SERVER_ADDRESS);
    let named = attributes
        .any(keys::aliases::PROVIDER_NAMES, |a, key| a.text(key))
        .map(|n| providers::canonical_name(&n));
    let hosted = o.server_address.as_deref().and_then(providers::of_host).map(str::to_owned);
    // Compatible hosts are mostly labelled `openai`: there the address knows better.
    o.provider = match (named, hosted) {
        (Some(name), Some(host)) if name == "openai" => host,
        (Some(name), _) => name,
        (None, host) => host.unwrap_or_default(),
    };
    o.model = attributes.string(keys::REQUEST_MODEL);
    o.response_model = attributes.string(keys::RESPONSE_MODEL);
    o.service_tier =
        attributes.any(keys::aliases::RESPONSE_SERVICE_TIER, |a, key| a.string(key)).or_else(|| {
            attributes
                .any(keys::aliases::REQUEST_SERVICE_TIER, |a, key| a.string(key))
                .filter(|tier| tier != "auto")
        });
    o.region = attributes
        .string(keys::REGION)
        .or_else(|| providers::region_of_host(&o.provider, o.server_address.as_deref()));
    o.response = attributes
        .text(keys::RESPONSE_ID)
        .map(|id| providers::response_ref(&o.provider, o.server_address.as_deref(), &id));
    o.stream = attributes.bool(keys::REQUEST_STREAM).unwrap_or(attributes.has(keys::TIME_TO_FIRST_CHUNK));
    o.time_to_first_token_ms = attributes
        .decimal(keys::TIME_TO_FIRST_CHUNK)
        .and_then(|seconds| seconds.checked_mul(1_000.into()))
        .and_then(|millis| millis.trunc().try_into().ok());
    o.reasoning_effort = attributes.string(keys::REQUEST_REASONING_LEVEL);
    o.emitter_cost = attributes.usd(keys::USAGE_COST);
    let resolved = resolve(Answer {
        provider: &o.provider,
        endpoint: o.endpoint,
        service_tier: o.service_tier.as_deref(),
        region: o.region.as_deref(),
        usage: usage.map(|usage| usage.map_err(UsageReadError::Counts)),
        ..Answer::default()
    });
    set_usage(&mut o, resolved);
    o.usage_unknown = usage::unknown(attributes);
    o.outcome = outcome(seen, &o);
    o.attribution = seen.keys.read(attributes, seen.resource, seen.is_server());
    o.trace_id = valid_id(&span.trace_id, 16);
    o.span_id = valid_id(&span.span_id, 8);
    o.parent_span_id = valid_id(&span.parent_span_id, 8);
    o.service_name = seen.resource.string(keys::SERVICE_NAME);
    Some(o)
}

fn outcome(seen: &Seen<'_>, o: &Observation) -> CallOutcome {
    let status = seen.span.status.as_ref();
    let failed =
        status.is_some_and(|s| s.code == StatusCode::Error as i32) || seen.attributes.has(keys::ERROR_TYPE);
    if !failed {
        return CallOutcome::Success;
    }
    let error = seen.attributes.string(keys::ERROR_TYPE).unwrap_or_else(|| "_OTHER".to_owned());
    let is_empty = o.usage.as_ref().is_some_and(Usage::is_empty);
    // LiteLLM gives a call that failed counts of zero, and an id of its own making.
    let is_made_up = |id: &str| is_empty && is_uuid(id);
    // What the model said before it broke off is billed.
    let began = o.usage.is_some() && !is_empty
        || o.usage_problem.is_some()
        || o.time_to_first_token_ms.is_some()
        || o.response.as_ref().is_some_and(|response| !is_made_up(&response.id))
        || matches!(seen.attributes.value(keys::FINISH_REASONS), Some(Value::ArrayValue(list)) if !list.values.is_empty());
    if began || gave_up(&error) || exception(seen.span).is_some_and(gave_up) {
        CallOutcome::Incomplete(error)
    } else {
        CallOutcome::Failed(error)
    }
}

fn is_nothing(usage: Option<&Result<Usage, UsageError>>) -> bool {
    usage.is_none_or(|usage| usage.as_ref().is_ok_and(Usage::is_empty))
}

/// Whether the client did not wait for the answer: the provider may have run the model and bill it.
fn gave_up(error: &str) -> bool {
    /// Told before the request was sent.
    const BEFORE: [&str; 2] = ["connecttimeout", "pooltimeout"];
    const WORDS: [&str; 9] = [
        "timeout",
        "timedout",
        "deadlineexceeded",
        "cancel",
        "abort",
        "connectionreset",
        "econnreset",
        "sockethangup",
        "remoteprotocolerror",
    ];
    let word: String =
        error.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    WORDS.iter().any(|with| word.contains(with)) && !BEFORE.iter().any(|with| word.contains(with))
}

/// The exception that ended a span; many emitters say what went wrong only there.
fn exception(span: &Span) -> Option<&str> {
    let event = span.events.iter().rev().find(|event| event.name == "exception")?;
    match Attributes(&event.attributes).value("exception.type")? {
        Value::StringValue(name) => Some(name),
        _ => None,
    }
}

fn is_uuid(id: &str) -> bool {
    const HYPHENS: [usize; 4] = [8, 13, 18, 23];
    id.len() == 36
        && id
            .bytes()
            .enumerate()
            .all(|(at, byte)| if HYPHENS.contains(&at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Event and call of a span; where its ids are not valid, its contents stand in for them, so that
/// one bad span neither fails the request nor merges with another.
fn identity(span: &Span, start: Timestamp) -> (EventId, String) {
    match (valid_id(&span.trace_id, 16), valid_id(&span.span_id, 8)) {
        (Some(trace), Some(id)) => (EventId::of_span(&trace, &id, start), format!("{trace}:{id}")),
        _ => {
            let contents = format!("{:032x}", xxh3_128(&span.encode_to_vec()));
            (EventId::of_span("", &contents, start), contents)
        }
    }
}

/// An id as lower-case hex; `None` when its length is wrong or it is all zero (OTLP: invalid).
pub(crate) fn valid_id(id: &[u8], length: usize) -> Option<String> {
    (id.len() == length && id.iter().any(|&byte| byte != 0)).then(|| hex(id))
}

fn nanos(unix: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(unix).unwrap_or(i64::MAX))
}

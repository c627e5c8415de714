//! How the call of a span ended.

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    trace::v1::{Span, status::StatusCode},
};
use spanledger_event::{CallOutcome, ResponseRef, Usage, keys};
use spanledger_price::usage::ResolvedUsage;

use crate::{attributes::last_value, span::SpanContext};

/// Reads how the call ended. A call that failed before the model ran is not billed. A call may be billed if
/// it broke off later, or if the client stopped waiting for the response.
pub(super) fn read(
    context: &SpanContext<'_>,
    usage: &ResolvedUsage,
    response: Option<&ResponseRef>,
) -> CallOutcome {
    let SpanContext { span, attributes, .. } = *context;
    let is_error = span.status.as_ref().is_some_and(|status| status.code == StatusCode::Error as i32);
    if !is_error && !attributes.has(keys::ERROR_TYPE) {
        return CallOutcome::Success;
    }
    let error = attributes.string(keys::ERROR_TYPE).unwrap_or_else(|| "_OTHER".to_owned());
    let is_abort = is_client_abort(&error) || exception(span).is_some_and(is_client_abort);
    if is_abort || model_began(context, usage, response) {
        CallOutcome::Incomplete(error)
    } else {
        CallOutcome::Failed(error)
    }
}

/// Whether the span shows that the model answered, at least in part.
fn model_began(context: &SpanContext<'_>, usage: &ResolvedUsage, response: Option<&ResponseRef>) -> bool {
    let SpanContext { attributes, quirks, .. } = *context;
    let counts = usage.usage.as_ref();
    let is_invented = |id: &str| quirks.iter().any(|quirks| (quirks.is_invented_response_id)(id, counts));
    counts.is_some_and(|usage| !Usage::is_empty(usage))
        || usage.problem.is_some()
        || attributes.decimal(keys::TIME_TO_FIRST_CHUNK).is_some()
        || response.is_some_and(|response| !is_invented(&response.id))
        || matches!(attributes.value(keys::FINISH_REASONS), Some(Value::ArrayValue(list)) if !list.values.is_empty())
}

/// Whether the client gave up or lost the connection after it sent the request. The provider may have run
/// the model, and may bill the call.
fn is_client_abort(error: &str) -> bool {
    /// These errors occur before the request is sent.
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
    let letters = error.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
    let error: String = letters.collect();
    WORDS.iter().any(|word| error.contains(word)) && !BEFORE.iter().any(|word| error.contains(word))
}

/// The type of the exception that ended a span. Many emitters state the error only there.
fn exception(span: &Span) -> Option<&str> {
    let event = span.events.iter().rev().find(|event| event.name == keys::EXCEPTION_EVENT)?;
    match last_value(&event.attributes, keys::EXCEPTION_TYPE)? {
        Value::StringValue(name) => Some(name),
        _ => None,
    }
}

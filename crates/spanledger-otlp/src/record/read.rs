//! From a record or a span of ours to its observation.

use rust_decimal::Decimal;
use spanledger_event::{
    Bucket, CARRIED, CallOutcome, Cell, ColumnKind, Endpoint, EventId, Field, JsonText, Observation,
    ObservedAs, PartialAttribution, Role, Timestamp, Unstated, Usage, UsageSource, keys,
    limits::USAGE_READ_BYTES_MAX,
};
use spanledger_price::{
    providers,
    usage::{Answer, ToolCalls, UsageReadError, resolve},
};

use crate::{
    AttributionKeys,
    attributes::Attributes,
    attribution::{ReadAttribution, dims, fill, usable},
    ids::{SPAN_ID_BYTES, TRACE_ID_BYTES, valid_id},
    price::set_usage,
    quirks::Quirks,
    resource::ResourceFacts,
    token_counts,
};

/// A record or a span of ours, with what its message says about it.
#[derive(Debug)]
pub(crate) struct RecordSource<'a> {
    pub(crate) attributes: &'a Attributes<'a>,
    pub(crate) resource: &'a ResourceFacts,
    pub(crate) scope: (&'a str, &'a str),
    pub(crate) keys: &'a AttributionKeys,
    pub(crate) quirks: &'a [&'static Quirks],
    pub(crate) observed_as: ObservedAs,
    pub(crate) trace_id: &'a [u8],
    pub(crate) span_id: &'a [u8],
    pub(crate) parent_span_id: &'a [u8],
    pub(crate) start: u64,
    pub(crate) end: u64,
}

/// The observation of a record or of a span of ours; the inverse of
/// [`attributes`](super::attributes).
pub(crate) fn read(source: &RecordSource<'_>) -> Option<Observation> {
    let a = source.attributes;
    let event_id = EventId::from_text(a.string(keys::EVENT_ID)?);
    let moment = |key: &str, fallback: u64| {
        Timestamp::from_nanos(
            a.int(key)
                .filter(|nanos| *nanos >= 0)
                .unwrap_or_else(|| i64::try_from(fallback).unwrap_or(i64::MAX)),
        )
    };
    let start = moment(keys::START, source.start);
    let call_id = a.string(keys::CALL_ID).unwrap_or_else(|| event_id.as_str().to_owned());
    let mut o = Observation::new(event_id, call_id, source.observed_as, start);
    o.end = moment(keys::END, source.end).max(start);
    o.emitter = match source.scope {
        (name, "") => name.to_owned(),
        (name, version) => format!("{name} {version}"),
    };
    o.endpoint = a.text(keys::ENDPOINT).map_or(Endpoint::Other, |name| Endpoint::from_name(&name));
    if a.text(keys::ROLE).as_deref() == Some(super::ROLE_AGGREGATE) {
        o.role = Role::Aggregate;
    }
    o.provider = a.text(keys::PROVIDER_NAME).map(|name| providers::canonical_name(&name)).unwrap_or_default();
    o.server_address = a.string(keys::SERVER_ADDRESS);
    for field in CARRIED {
        let cell = match field.column.kind {
            ColumnKind::Integer => a.int(field.key).map(Cell::Integer),
            _ => a.string(field.key).map(|text| Cell::Text(text.into())),
        };
        if let Some(Err(error)) = cell.map(|cell| (field.set)(&mut o, cell)) {
            debug_assert!(false, "a cell of the column's kind fits the field: {error}");
        }
    }
    o.response = a
        .text(keys::RESPONSE_ID)
        .map(|id| providers::response_ref(&o.provider, o.server_address.as_deref(), &id));
    o.stream = a.bool(keys::REQUEST_STREAM).unwrap_or(false);
    o.attempts = a.int(keys::ATTEMPTS).and_then(|n| u32::try_from(n).ok()).unwrap_or(1);
    let error = || a.string(keys::ERROR_TYPE).unwrap_or_else(|| "_OTHER".to_owned());
    o.outcome = match a.text(keys::OUTCOME).as_deref() {
        Some("failed") => CallOutcome::Failed(error()),
        Some("incomplete") => CallOutcome::Incomplete(error()),
        _ => CallOutcome::Success,
    };
    read_usage(&mut o, source);
    let attribution = attribution(source);
    let (emitter_cost, is_beyond) = a.cost(keys::COST_USD);
    o.truncated = attribution.is_truncated || is_beyond || a.is_truncated() || source.resource.is_truncated;
    o.emitter_cost = emitter_cost;
    o.attribution = attribution.fields;
    o.trace_id = valid_id(source.trace_id, TRACE_ID_BYTES);
    o.span_id = valid_id(source.span_id, SPAN_ID_BYTES);
    o.parent_span_id =
        valid_id(source.parent_span_id, SPAN_ID_BYTES).or_else(|| a.string(keys::PARENT_SPAN_ID));
    o.service_name.clone_from(&source.resource.service_name);
    Some(o)
}

/// The usage of a record. The provider's object decides the tokens. Our own form adds the units that the
/// object does not count, and takes the object's place where the object was removed or cut off. Records of
/// earlier versions state counts and units as attributes, as spans do.
fn read_usage(o: &mut Observation, source: &RecordSource<'_>) {
    let a = source.attributes;
    let own = a.text(keys::USAGE).map(|json| own_usage(&json));
    let mut raw = a.text(keys::USAGE_RAW);
    o.usage_raw = raw.as_deref().and_then(JsonText::new);
    // The object was cut off, so that it is no longer JSON, or it is too large to be read.
    let is_unreadable = |raw: &str| o.usage_raw.is_none() || raw.len() > USAGE_READ_BYTES_MAX;
    if own.is_some() && raw.as_deref().is_some_and(is_unreadable) {
        raw = None;
    }
    let tools = if own.is_some() { ToolCalls::default() } else { tool_calls(a) };
    let counts = || {
        let needs_output = token_counts::needs_output(o.endpoint);
        // The versions that wrote them left out counts of zero.
        let unstated = Unstated::NONE;
        raw.is_none().then(|| token_counts::read(a, source.quirks, needs_output, unstated)).flatten()
    };
    // An own form that was damaged may have had units that the object lacks: it is a problem.
    let (units, usage) = match own {
        Some(Ok(own)) if raw.is_some() => (Some(own), None),
        own => (None, own.or_else(counts)),
    };
    let mut resolved = resolve(Answer {
        provider: &o.provider,
        endpoint: o.endpoint,
        service_tier: o.service_tier.as_deref(),
        region: o.region.as_deref(),
        usage_json: raw.as_deref(),
        usage,
        tools,
        estimate: None,
    });
    if let (Some(usage), Some(own)) = (&mut resolved.usage, units) {
        *usage = with_units(usage, own);
    }
    set_usage(o, resolved);
    if o.usage_source == UsageSource::Provider && a.text(keys::USAGE_SOURCE).as_deref() == Some("estimated") {
        o.usage_source = UsageSource::Estimated;
    }
}

/// The usage of the object with the units of our own form. Where the object counts nothing, our own form is
/// the estimate that the crate made from the request.
fn with_units(of_object: &Usage, own: Usage) -> Usage {
    if of_object.is_empty() {
        own
    } else if own.has_units() || own.variant.is_some() {
        let own = own.with_unstated(Unstated::NONE);
        let usage =
            Bucket::ALL.into_iter().fold(own, |usage, bucket| usage.with(bucket, of_object.tokens(bucket)));
        usage.with_unstated(of_object.unstated())
    } else {
        of_object.clone()
    }
}

fn own_usage(json: &str) -> Result<Usage, UsageReadError> {
    if json.len() > USAGE_READ_BYTES_MAX {
        return Err(UsageReadError::TooLarge(json.len()));
    }
    let usage: Usage =
        serde_json::from_str(json).map_err(|error| UsageReadError::OwnForm(error.to_string()))?;
    // A Collector may have changed it; the same bounds hold as for a provider's counts.
    if let Some(error) = usage.out_of_range() {
        return Err(UsageReadError::Counts(error));
    }
    usage.nested().exclusive().map_err(UsageReadError::Counts)?;
    let seconds = usage.audio_seconds.iter().map(|seconds| ("audio_seconds", seconds));
    let mut quantities = seconds.chain(usage.units.iter().map(|(name, quantity)| (name.as_str(), quantity)));
    if let Some((name, quantity)) = quantities.find(|(_, quantity)| **quantity < Decimal::ZERO) {
        return Err(UsageReadError::NotACount { field: name.to_owned(), value: quantity.to_string() });
    }
    let unstated = usage.unstated();
    Ok(usage.with_unstated(unstated))
}

fn tool_calls(a: &Attributes<'_>) -> ToolCalls {
    let count = |key: &str| a.int(key).and_then(|count| u64::try_from(count).ok()).unwrap_or_default();
    ToolCalls {
        web_searches: count(keys::WEB_SEARCH_CALLS),
        file_searches: count(keys::FILE_SEARCH_CALLS),
        containers: count(keys::CODE_INTERPRETER_CALLS),
        images: count(keys::IMAGES),
        ..ToolCalls::default()
    }
}

/// The crate checked the values where they were set; a Collector may have changed them since.
fn attribution(source: &RecordSource<'_>) -> ReadAttribution {
    let a = source.attributes;
    let mut is_truncated = false;
    let mut checked = |field: Field, key: &str| usable(&field, a.text(key)?, &mut is_truncated);
    let mut fields = PartialAttribution {
        feature: checked(Field::Feature, keys::FEATURE),
        route: checked(Field::Route, keys::ROUTE),
        customer_id: checked(Field::CustomerId, keys::CUSTOMER_ID),
        environment: checked(Field::Environment, keys::ENVIRONMENT),
        request_id: checked(Field::RequestId, keys::REQUEST_ID),
        batch_job_id: checked(Field::BatchJobId, keys::BATCH_JOB_ID),
        ..PartialAttribution::default()
    };
    dims(a, &mut fields.dims, &mut is_truncated);
    let of_resource = source.keys.read(&Attributes::default(), &source.resource.attribution, false);
    is_truncated |= of_resource.is_truncated || !fill(&mut fields, &of_resource.fields);
    ReadAttribution { fields, is_truncated }
}

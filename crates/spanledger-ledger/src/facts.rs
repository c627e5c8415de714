//! The facts of an observation as bytes.
//!
//! The journal keeps an observation in one row. Its identifiers, its usage object and its cost lines are
//! columns of their own ([`crate::journal`]), because the view shows them. Everything else is here: a mask
//! that says which optional values there are, and the values in the order of their bits.
//!
//! A new field of [`Observation`] does not compile until it has a bit here. Bits are never given a new
//! meaning. A program that finds a bit that it does not know refuses the row.

use std::sync::Arc;

use spanledger_event::{
    CallOutcome, Cost, CostCertainty, Endpoint, EventId, Observation, ObservedAs, PartialAttribution,
    ResponseRef, Role, Timestamp, UnpricedReason, UsageSource, Usd,
};

use crate::{
    error::FactsError,
    words::{Lookup, Words},
};

mod pen;
#[cfg(test)]
mod tests;
mod usage;

use pen::{Eye, Pen};
pub(crate) use pen::{Packed, hex, uuid};

/// The bits of the mask.
mod bit {
    /// The call's id is not `trace:span`, so that it is stored.
    pub(super) const CALL_ID: u32 = 0;
    pub(super) const RECORD: u32 = 1;
    pub(super) const AGGREGATE: u32 = 2;
    pub(super) const RESPONSE: u32 = 3;
    pub(super) const UNIQUE: u32 = 4;
    pub(super) const SERVER_ADDRESS: u32 = 5;
    pub(super) const MODEL: u32 = 6;
    pub(super) const RESPONSE_MODEL: u32 = 7;
    pub(super) const SERVICE_TIER: u32 = 8;
    pub(super) const REGION: u32 = 9;
    pub(super) const ORGANIZATION: u32 = 10;
    pub(super) const PROJECT: u32 = 11;
    pub(super) const FIRST_TOKEN: u32 = 12;
    pub(super) const STREAM: u32 = 13;
    pub(super) const FAILED: u32 = 14;
    pub(super) const INCOMPLETE: u32 = 15;
    pub(super) const ATTEMPTS: u32 = 16;
    pub(super) const USAGE: u32 = 17;
    pub(super) const USAGE_PROBLEM: u32 = 18;
    pub(super) const USAGE_UNKNOWN: u32 = 19;
    pub(super) const PROVIDER_USAGE: u32 = 20;
    pub(super) const ESTIMATED_USAGE: u32 = 21;
    pub(super) const EMITTER_COST: u32 = 22;
    pub(super) const PROMPT_CACHE_KEY: u32 = 23;
    pub(super) const REASONING_EFFORT: u32 = 24;
    pub(super) const FEATURE: u32 = 25;
    pub(super) const ROUTE: u32 = 26;
    pub(super) const CUSTOMER_ID: u32 = 27;
    pub(super) const ENVIRONMENT: u32 = 28;
    pub(super) const REQUEST_ID: u32 = 29;
    pub(super) const BATCH_JOB_ID: u32 = 30;
    pub(super) const DIMS: u32 = 31;
    pub(super) const SERVICE_NAME: u32 = 32;
    pub(super) const COST: u32 = 33;
    pub(super) const COST_USD: u32 = 34;
    pub(super) const COST_REASON: u32 = 35;
    pub(super) const COST_DETAIL: u32 = 36;
    /// The prices were those of another moment than the start.
    pub(super) const PRICED_AT: u32 = 37;
    pub(super) const USAGE_OUT_OF_RANGE: u32 = 38;
    pub(super) const TRUNCATED: u32 = 39;
    pub(super) const UPPER_BOUND: u32 = 40;
    pub(super) const UNCERTAIN: u32 = 41;
    /// The first bit that has no meaning.
    pub(super) const END: u32 = 42;
}

/// The columns of an observation's row that its facts leave out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Columns<'a> {
    pub(crate) response_id: Option<String>,
    pub(crate) trace_id: Option<String>,
    pub(crate) span_id: Option<String>,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) usage_raw: Option<std::borrow::Cow<'a, str>>,
    pub(crate) cost_lines: Option<String>,
}

/// Writes optional values and notes their bits.
struct Writer<'p, 'a> {
    pen: Pen<'p, 'a>,
    mask: u64,
}

impl Writer<'_, '_> {
    fn flag(&mut self, bit: u32, is_set: bool) {
        self.mask |= u64::from(is_set) << bit;
    }

    fn word(&mut self, bit: u32, text: Option<&str>) {
        self.flag(bit, text.is_some());
        if let Some(text) = text {
            self.pen.word(text);
        }
    }
}

/// Writes an observation's facts to the end of `out`. `scratch` is overwritten.
pub(crate) fn encode(
    observation: &Observation,
    words: &mut Lookup<'_>,
    scratch: &mut Vec<u8>,
    out: &mut Vec<u8>,
) {
    let Observation {
        event_id,
        call_id,
        sighting,
        role,
        response,
        emitter,
        provider,
        endpoint,
        server_address,
        model,
        response_model,
        service_tier,
        region,
        organization,
        project,
        start,
        end,
        time_to_first_token_ms,
        stream,
        outcome,
        attempts,
        usage,
        usage_problem,
        usage_unknown,
        usage_out_of_range,
        truncated,
        usage_source,
        usage_raw: _,
        emitter_cost,
        prompt_cache_key,
        reasoning_effort,
        attribution,
        trace_id,
        span_id,
        parent_span_id: _,
        service_name,
        cost,
    } = observation;
    let PartialAttribution { feature, route, customer_id, environment, request_id, batch_job_id, dims } =
        attribution;
    scratch.clear();
    let pen = Pen { out: scratch, words };
    let mut w = Writer { pen, mask: 0 };
    w.pen.id(event_id.as_str());
    w.pen.out.extend_from_slice(&start.nanos().to_le_bytes());
    w.pen.signed(i128::from(end.nanos()) - i128::from(start.nanos()));
    w.pen.word(emitter);
    w.pen.word(provider);
    w.pen.word(endpoint.as_str());

    let is_span = is_call_of_span(call_id, trace_id.as_deref(), span_id.as_deref());
    w.flag(bit::CALL_ID, !is_span);
    if !is_span {
        w.pen.id(call_id);
    }
    w.flag(bit::RECORD, *sighting == ObservedAs::Record);
    w.flag(bit::AGGREGATE, *role == Role::Aggregate);
    w.word(bit::RESPONSE, response.as_ref().map(|response| response.namespace.as_str()));
    w.flag(bit::UNIQUE, response.as_ref().is_some_and(|response| response.unique));
    w.word(bit::SERVER_ADDRESS, server_address.as_deref());
    w.word(bit::MODEL, model.as_deref());
    w.word(bit::RESPONSE_MODEL, response_model.as_deref());
    w.word(bit::SERVICE_TIER, service_tier.as_deref());
    w.word(bit::REGION, region.as_deref());
    w.word(bit::ORGANIZATION, organization.as_deref());
    w.word(bit::PROJECT, project.as_deref());
    w.flag(bit::FIRST_TOKEN, time_to_first_token_ms.is_some());
    if let Some(millis) = time_to_first_token_ms {
        w.pen.signed((*millis).into());
    }
    w.flag(bit::STREAM, *stream);
    match outcome {
        CallOutcome::Success => {}
        CallOutcome::Failed(error) => w.word(bit::FAILED, Some(error)),
        CallOutcome::Incomplete(error) => w.word(bit::INCOMPLETE, Some(error)),
    }
    w.flag(bit::ATTEMPTS, *attempts != 1);
    if *attempts != 1 {
        w.pen.unsigned((*attempts).into());
    }
    w.flag(bit::USAGE, usage.is_some());
    if let Some(usage) = usage {
        usage::write(&mut w.pen, usage);
    }
    w.word(bit::USAGE_PROBLEM, usage_problem.as_deref());
    w.flag(bit::USAGE_UNKNOWN, !usage_unknown.is_empty());
    if !usage_unknown.is_empty() {
        w.pen.unsigned(usage_unknown.len() as u64);
        for count in usage_unknown {
            w.pen.text(count);
        }
    }
    w.flag(bit::USAGE_OUT_OF_RANGE, *usage_out_of_range);
    w.flag(bit::TRUNCATED, *truncated);
    w.flag(bit::PROVIDER_USAGE, *usage_source == UsageSource::Provider);
    w.flag(bit::ESTIMATED_USAGE, *usage_source == UsageSource::Estimated);
    w.flag(bit::EMITTER_COST, emitter_cost.is_some());
    if let Some(usd) = emitter_cost {
        w.pen.signed(usd.picos());
    }
    w.word(bit::PROMPT_CACHE_KEY, prompt_cache_key.as_deref());
    w.word(bit::REASONING_EFFORT, reasoning_effort.as_deref());
    w.word(bit::FEATURE, feature.as_deref());
    w.word(bit::ROUTE, route.as_deref());
    w.word(bit::CUSTOMER_ID, customer_id.as_deref());
    w.word(bit::ENVIRONMENT, environment.as_deref());
    w.flag(bit::REQUEST_ID, request_id.is_some());
    if let Some(id) = request_id {
        w.pen.id(id);
    }
    w.word(bit::BATCH_JOB_ID, batch_job_id.as_deref());
    w.flag(bit::DIMS, !dims.is_empty());
    if !dims.is_empty() {
        w.pen.unsigned(dims.len() as u64);
        for (name, value) in dims {
            w.pen.word(name);
            w.pen.word(value);
        }
    }
    w.word(bit::SERVICE_NAME, service_name.as_deref());
    w.flag(bit::COST, cost.is_some());
    if let Some(cost) = cost {
        write_cost(&mut w, cost, *start);
    }

    // The mask comes first, and is known last.
    let Writer { mask, .. } = w;
    pen::unsigned(out, mask);
    out.extend_from_slice(scratch);
}

/// Whether the call's id is made of its trace and span, as that of most spans is.
fn is_call_of_span(call: &str, trace: Option<&str>, span: Option<&str>) -> bool {
    let (Some(trace), Some(span)) = (trace, span) else { return false };
    call.strip_prefix(trace).and_then(|rest| rest.strip_prefix(':')) == Some(span)
}

fn write_cost(w: &mut Writer<'_, '_>, cost: &Cost, start: Timestamp) {
    let Cost { usd, certainty, reason, detail, lines: _, price_version, priced_at } = cost;
    w.flag(bit::UPPER_BOUND, *certainty == CostCertainty::UpperBound);
    w.flag(bit::UNCERTAIN, *certainty == CostCertainty::Uncertain);
    w.pen.word(price_version);
    w.flag(bit::COST_USD, usd.is_some());
    if let Some(usd) = usd {
        w.pen.signed(usd.picos());
    }
    w.word(bit::COST_REASON, reason.map(|reason| reason.as_str()));
    w.word(bit::COST_DETAIL, detail.as_deref());
    w.flag(bit::PRICED_AT, *priced_at != start);
    if *priced_at != start {
        w.pen.signed(priced_at.nanos().into());
    }
}

/// Reads an observation from its facts and the columns beside them.
pub(crate) fn decode(facts: &[u8], columns: Columns<'_>, words: &Words) -> Result<Observation, FactsError> {
    let mut eye = Eye { rest: facts, words };
    let mask = eye.unsigned()?;
    if mask >> bit::END != 0 {
        return Err(FactsError::Newer);
    }
    let has = |bit: u32| mask >> bit & 1 == 1;
    macro_rules! word {
        ($bit:expr) => {
            if has($bit) { Some(eye.word()?.to_owned()) } else { None }
        };
    }
    let Columns { response_id, trace_id, span_id, parent_span_id, usage_raw, cost_lines } = columns;
    let event_id = EventId::from_text(eye.id()?);
    let start = i64::from_le_bytes(eye.bytes(8)?.try_into().map_err(|_| FactsError::Short)?);
    let end = i64::try_from(i128::from(start) + eye.signed()?).map_err(|_| FactsError::Number)?;
    let start = Timestamp::from_nanos(start);
    let emitter = eye.word()?.to_owned();
    let provider = eye.word()?.to_owned();
    let endpoint = Endpoint::from_name(eye.word()?);
    let call_id = if has(bit::CALL_ID) {
        eye.id()?
    } else {
        match (&trace_id, &span_id) {
            (Some(trace), Some(span)) => format!("{trace}:{span}"),
            _ => return Err(FactsError::Columns),
        }
    };
    let response = match (word!(bit::RESPONSE), response_id) {
        (Some(namespace), Some(id)) => Some(ResponseRef { namespace, id, unique: has(bit::UNIQUE) }),
        (None, None) => None,
        _ => return Err(FactsError::Columns),
    };
    let mut observation = Observation {
        event_id,
        call_id,
        sighting: if has(bit::RECORD) { ObservedAs::Record } else { ObservedAs::Span },
        role: if has(bit::AGGREGATE) { Role::Aggregate } else { Role::Call },
        response,
        emitter,
        provider,
        endpoint,
        server_address: word!(bit::SERVER_ADDRESS),
        model: word!(bit::MODEL),
        response_model: word!(bit::RESPONSE_MODEL),
        service_tier: word!(bit::SERVICE_TIER),
        region: word!(bit::REGION),
        organization: word!(bit::ORGANIZATION),
        project: word!(bit::PROJECT),
        start,
        end: Timestamp::from_nanos(end),
        time_to_first_token_ms: if has(bit::FIRST_TOKEN) { Some(eye.small()?) } else { None },
        stream: has(bit::STREAM),
        attempts: 1,
        usage_out_of_range: has(bit::USAGE_OUT_OF_RANGE),
        truncated: has(bit::TRUNCATED),
        trace_id,
        span_id,
        parent_span_id,
        // The text was checked when the observation was made.
        usage_raw: usage_raw.and_then(spanledger_event::JsonText::new),
        ..Observation::default()
    };
    observation.outcome = if has(bit::FAILED) {
        CallOutcome::Failed(eye.word()?.to_owned())
    } else if has(bit::INCOMPLETE) {
        CallOutcome::Incomplete(eye.word()?.to_owned())
    } else {
        CallOutcome::Success
    };
    if has(bit::ATTEMPTS) {
        observation.attempts = u32::try_from(eye.unsigned()?).map_err(|_| FactsError::Number)?;
    }
    if has(bit::USAGE) {
        observation.usage = Some(usage::read(&mut eye)?);
    }
    observation.usage_problem = word!(bit::USAGE_PROBLEM);
    if has(bit::USAGE_UNKNOWN) {
        for _ in 0..eye.unsigned()? {
            observation.usage_unknown.push(eye.text()?.to_owned());
        }
    }
    observation.usage_source = match (has(bit::PROVIDER_USAGE), has(bit::ESTIMATED_USAGE)) {
        (true, _) => UsageSource::Provider,
        (_, true) => UsageSource::Estimated,
        _ => UsageSource::None,
    };
    if has(bit::EMITTER_COST) {
        observation.emitter_cost = Some(Usd::from_picos(eye.signed()?));
    }
    observation.prompt_cache_key = word!(bit::PROMPT_CACHE_KEY);
    observation.reasoning_effort = word!(bit::REASONING_EFFORT);
    let attribution = &mut observation.attribution;
    attribution.feature = word!(bit::FEATURE);
    attribution.route = word!(bit::ROUTE);
    attribution.customer_id = word!(bit::CUSTOMER_ID);
    attribution.environment = word!(bit::ENVIRONMENT);
    if has(bit::REQUEST_ID) {
        attribution.request_id = Some(eye.id()?);
    }
    attribution.batch_job_id = word!(bit::BATCH_JOB_ID);
    if has(bit::DIMS) {
        for _ in 0..eye.unsigned()? {
            let name = eye.word()?.to_owned();
            attribution.dims.insert(name, eye.word()?.to_owned());
        }
    }
    observation.service_name = word!(bit::SERVICE_NAME);
    if has(bit::COST) {
        let price_version = Arc::from(eye.word()?);
        let usd = if has(bit::COST_USD) { Some(Usd::from_picos(eye.signed()?)) } else { None };
        let reason = if has(bit::COST_REASON) {
            let word = eye.word()?;
            let known = UnpricedReason::ALL.into_iter().find(|reason| reason.as_str() == word);
            Some(known.ok_or(FactsError::Newer)?)
        } else {
            None
        };
        let detail = word!(bit::COST_DETAIL);
        let priced_at = if has(bit::PRICED_AT) { Timestamp::from_nanos(eye.small()?) } else { start };
        let lines = match &cost_lines {
            Some(json) => serde_json::from_str(json).map_err(|_| FactsError::Columns)?,
            None => Vec::new(),
        };
        let certainty = match (has(bit::UPPER_BOUND), has(bit::UNCERTAIN)) {
            (_, true) => CostCertainty::Uncertain,
            (true, _) => CostCertainty::UpperBound,
            _ => CostCertainty::Exact,
        };
        observation.cost = Some(Cost { usd, certainty, reason, detail, lines, price_version, priced_at });
    }
    if eye.rest.is_empty() { Ok(observation) } else { Err(FactsError::Long) }
}

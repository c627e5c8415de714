//! A call that has ended: from what is known of it to its observation, its span and its record.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;
use http::StatusCode;
use spanledger_event::{CallOutcome, Endpoint, EventId, JsonText, Observation, ObservedAs, Timestamp};
use spanledger_otlp::{
    record::{self, LogRecord},
    set_usage,
};
use spanledger_price::{
    providers::{region_of_host, response_ref},
    usage::{Answer, resolve},
};
use uuid::Uuid;

use super::{
    Call,
    report::{PricedCall, Report},
};
use crate::{
    Recorder, answer::ResponseObject, error::outcome_of_status, exporter::ToRecord, jobs, lenient,
    recorder::RecorderPrices,
};

/// An answer up to this size waits in the queue and is read on the exporter's thread. A larger one is
/// read at once, so that the queue does not keep it.
const BODY_QUEUED_BYTES_MAX: usize = 16 << 10;

/// How a call has ended.
#[derive(Debug)]
pub(crate) enum Ending {
    /// This outcome is known.
    Outcome(CallOutcome),
    /// The whole answer has this status and body, from which the outcome is read.
    Answer(StatusCode, Bytes),
}

/// A call that has ended.
#[derive(Debug)]
pub(crate) struct EndedCall {
    call: Box<Call>,
    ending: Ending,
    duration: Duration,
    prices: RecorderPrices,
}

impl EndedCall {
    pub(super) fn new(call: Box<Call>, ending: Ending, prices: RecorderPrices) -> Self {
        let duration = call.started_at.elapsed();
        Self { call, ending, duration, prices }
    }

    /// Ends the span and queues the record.
    pub(super) fn queue(mut self, recorder: &Recorder) {
        let intent = self.call.noted.and_then(|noted| noted.intent);
        let is_recording = self.call.span.is_recording();
        if !is_recording {
            self.call.span.end_unrecorded();
        }
        // The next call of the customer may be waiting for the room that a reservation gives back.
        if is_recording || self.call.reservation.is_some() {
            let observation = self.observation();
            let attributes = record::attributes(&observation);
            if is_recording {
                let mut span = std::mem::take(&mut self.call.span);
                span.end(&observation, &attributes, &self.call);
            }
            if let Some(reservation) = self.call.reservation.take() {
                reservation.settle(&observation);
            }
            recorder.send_ended(PricedCall::new(observation, attributes, self.report()), intent);
            return;
        }
        if matches!(&self.ending, Ending::Answer(_, body) if body.len() > BODY_QUEUED_BYTES_MAX) {
            let outcome = self.outcome();
            self.ending = Ending::Outcome(outcome);
        }
        recorder.send_ended(self, intent);
    }

    fn report(&self) -> Report {
        Report::new(&self.call.options, self.call.time_to_first_chunk)
    }

    /// Reads the outcome, and with it the rest of the answer.
    fn outcome(&mut self) -> CallOutcome {
        let ending = std::mem::replace(&mut self.ending, Ending::Outcome(CallOutcome::Success));
        match ending {
            Ending::Outcome(outcome) => outcome,
            Ending::Answer(status, body) => self.read_answer(status, &body),
        }
    }

    fn read_answer(&mut self, status: StatusCode, body: &[u8]) -> CallOutcome {
        let object: Option<ResponseObject<'_>> = lenient::object(body);
        let error = object.as_ref().and_then(ResponseObject::error);
        let response = &mut self.call.response;
        if !status.is_success() {
            let error = error.unwrap_or_default();
            response.error_message = error.message;
            return outcome_of_status(status, error.error_type);
        }
        let Some(object) = object else {
            // The model ran and will be billed, but its usage is unreadable.
            response.error_message = Some("the response is not a JSON object".to_owned());
            return CallOutcome::Incomplete("deserialization_error".to_owned());
        };
        response.read_object(&object);
        // Some servers answer 200 with an error, and the Responses API does so for a response that failed.
        match error {
            Some(error) => CallOutcome::Incomplete(error.error_type.unwrap_or_else(|| "_OTHER".to_owned())),
            None if object.has_failed() => CallOutcome::Incomplete("failed".to_owned()),
            None => CallOutcome::Success,
        }
    }

    /// The observation of the call, with its cost.
    fn observation(&mut self) -> Observation {
        let outcome = self.outcome();
        self.call.read_form();
        let mut observation = observation(&self.call, outcome, self.duration);
        self.prices.price(&mut observation);
        observation
    }
}

impl ToRecord for EndedCall {
    fn queue_bytes(&self) -> usize {
        let body = match &self.ending {
            Ending::Answer(_, body) => body.len(),
            Ending::Outcome(_) => 0,
        };
        queue_bytes(&self.call) + body
    }

    fn into_record(mut self: Box<Self>) -> LogRecord {
        let observation = self.observation();
        let record = record::record(&observation);
        self.report().tell(&observation);
        record
    }

    fn abandon(mut self: Box<Self>) {
        let observation = self.observation();
        self.report().tell(&observation);
    }
}

/// About how many bytes a call takes in the queue.
fn queue_bytes(call: &Call) -> usize {
    let texts = call.request.text_bytes() + call.response.text_bytes() + call.attribution.dims_bytes();
    // The required fields of the attribution are short.
    size_of::<Call>() + texts + 256
}

pub(super) fn observation(call: &Call, outcome: CallOutcome, duration: Duration) -> Observation {
    let mut attribution = call.attribution.to_partial();
    let (request, response) = (&call.request, &call.response);
    let request_id = attribution.request_id.get_or_insert_with(|| {
        call.noted.map_or_else(|| new_id(call.start), |noted| noted.request_id).to_string()
    });
    let event_id = EventId::of_request(request_id, request.fingerprint);
    let ids = &call.span.ids;
    let call_id = match (&ids.trace, &ids.span) {
        // By the span's ids the receiver recognizes that record and span are one call, even if a Collector
        // has removed the attributes from the span.
        (Some(trace), Some(id)) => format!("{trace}:{id}"),
        _ => call.noted.map_or_else(|| new_id(call.start), |noted| noted.call_id).to_string(),
    };
    let mut o = Observation::new(event_id, call_id, ObservedAs::Record, call.start);
    let elapsed = i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX);
    o.end = Timestamp::from_nanos(call.start.nanos().saturating_add(elapsed));
    record::SCOPE.clone_into(&mut o.emitter);
    request.provider.as_ref().clone_into(&mut o.provider);
    o.endpoint = request.endpoint;
    o.server_address = Some(request.server_address.as_ref().to_owned()).filter(|host| !host.is_empty());
    o.model = request.model.as_deref().map(str::to_owned);
    o.response_model.clone_from(&response.model);
    o.organization.clone_from(&response.organization);
    o.project.clone_from(&response.project);
    o.response = response.id.as_deref().map(|id| response_ref(&o.provider, o.server_address.as_deref(), id));
    let first_chunk = call.time_to_first_chunk.filter(|_| request.stream);
    o.time_to_first_token_ms = first_chunk.and_then(|time| i64::try_from(time.as_millis()).ok());
    o.stream = request.stream;
    o.attempts = call.attempts.load(Ordering::Relaxed).max(1);
    o.prompt_cache_key.clone_from(&request.prompt_cache_key);
    o.reasoning_effort.clone_from(&request.reasoning_effort);
    let estimate = match outcome {
        CallOutcome::Success => {
            request.units.estimate(request.endpoint, response.images, response.audio_seconds)
        }
        // The text was spoken, whether or not the caller listened to the end.
        CallOutcome::Incomplete(_) if request.endpoint == Endpoint::AudioSpeech => {
            request.units.estimate(request.endpoint, 0, None)
        }
        CallOutcome::Failed(_) | CallOutcome::Incomplete(_) => None,
    };
    let is_unknown = estimate.is_none() && response.usage_json.is_none() && outcome.is_billable();
    let estimate = estimate.or_else(|| {
        let model = response.model.as_deref().or(request.model.as_deref());
        if is_unknown { request.streamed.usage(model) } else { None }
    });
    let resolved = resolve(Answer {
        provider: &request.provider,
        endpoint: request.endpoint,
        // The tier that the response names is billed, not the tier that was requested.
        service_tier: response.service_tier.as_deref(),
        region: region_of_host(&request.provider, o.server_address.as_deref()).as_deref(),
        usage_json: response.usage_json.as_deref(),
        usage: None,
        tools: response.tools,
        estimate,
    });
    set_usage(&mut o, resolved);
    o.usage_raw = response.usage_json.as_deref().and_then(JsonText::new);
    o.outcome = outcome;
    o.attribution = attribution;
    (o.trace_id, o.span_id, o.parent_span_id) = (ids.trace.clone(), ids.span.clone(), ids.parent.clone());
    if o.outcome == CallOutcome::Success {
        jobs::identify(&mut o, request);
    }
    // What a server or a user can make large is cut here, so that no record is too large to be sent.
    o.bound_in_place();
    o
}

/// A random id that begins with the time of the call.
pub(super) fn new_id(start: Timestamp) -> Uuid {
    let millis = u64::try_from(start.millis()).unwrap_or_default();
    let [_, _, _, _, _, _, random @ ..] = *Uuid::now_v7().as_bytes();
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

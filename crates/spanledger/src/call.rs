//! Follows one call from its first request to its record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use spanledger_event::{
    Attribution, CallOutcome, EventId, JsonText, Observation, ObservedAs, PartialAttribution, Timestamp,
};
use spanledger_otlp::{record, set_usage};
use spanledger_price::{
    providers::{region_of_host, response_ref},
    usage::{Answer, resolve},
};
use uuid::Uuid;

use crate::{
    Recorder,
    answer::{ResponseInfo, ResponseObject},
    request::RequestInfo,
    span::{CallSpan, CallerContext},
};

/// A call that has started and not ended.
///
/// The record is made when the call finishes, or otherwise when this value is dropped: a call that was
/// cancelled and a stream that was dropped before its end may have been billed.
#[derive(Debug)]
pub(crate) struct CallInFlight {
    recorder: Recorder,
    request: RequestInfo,
    response: ResponseInfo,
    attribution: PartialAttribution,
    event_id: EventId,
    call_id: String,
    span: CallSpan,
    start: Timestamp,
    started_at: Instant,
    first_chunk_ms: Option<i64>,
    /// The number of HTTP requests so far, including retries.
    attempts: Arc<AtomicU32>,
    is_finished: bool,
}

impl CallInFlight {
    pub(crate) fn start(
        recorder: Recorder,
        request: RequestInfo,
        attribution: &Attribution,
        caller: &CallerContext,
        attempts: Arc<AtomicU32>,
    ) -> Self {
        recorder.call_started();
        let span = CallSpan::start(&request, caller);
        let mut attribution = PartialAttribution::from(attribution);
        let request_id = attribution.request_id.get_or_insert_with(|| Uuid::now_v7().to_string());
        let event_id = EventId::of_request(request_id, request.fingerprint);
        let call_id = match (&span.ids.trace, &span.ids.span) {
            // By the span's ids the receiver recognizes that record and span are one call, even if a Collector
            // has removed the attributes from the span.
            (Some(trace), Some(id)) => format!("{trace}:{id}"),
            _ => Uuid::now_v7().to_string(),
        };
        Self {
            recorder,
            request,
            response: ResponseInfo::default(),
            attribution,
            event_id,
            call_id,
            span,
            start: now(),
            started_at: Instant::now(),
            first_chunk_ms: None,
            attempts,
            is_finished: false,
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        self.request.stream
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.is_finished
    }

    pub(crate) fn read_headers(&mut self, headers: &http::HeaderMap) {
        self.response.read_headers(headers);
    }

    pub(crate) fn read_object(&mut self, object: ResponseObject<'_>) {
        self.response.read_object(object);
    }

    /// Notes the message of an error that a stream reports before it ends.
    pub(crate) fn set_error_message(&mut self, message: Option<String>) {
        self.response.error_message = message;
    }

    /// Notes the time of the first bytes of the body; later calls change nothing.
    pub(crate) fn chunk_arrived(&mut self) {
        if self.first_chunk_ms.is_none() {
            let elapsed = self.started_at.elapsed().as_millis();
            self.first_chunk_ms = Some(i64::try_from(elapsed).unwrap_or(i64::MAX));
        }
    }

    /// Finishes the call with an error's message for the span.
    pub(crate) fn fail(&mut self, outcome: CallOutcome, message: Option<String>) {
        if !self.is_finished {
            self.response.error_message = message;
            self.finish(outcome);
        }
    }

    /// Prices the call, ends its span and sends its record. Later calls change nothing.
    pub(crate) fn finish(&mut self, outcome: CallOutcome) {
        if std::mem::replace(&mut self.is_finished, true) {
            return;
        }
        let mut observation = self.observation(outcome);
        self.recorder.price(&mut observation);
        let attributes = record::attributes(&observation);
        self.span.end(&observation, &attributes, &self.request, &self.response);
        self.recorder.send(record::with_attributes(&observation, attributes));
        self.recorder.call_ended();
    }

    fn observation(&mut self, outcome: CallOutcome) -> Observation {
        let (request, response) = (&self.request, &self.response);
        let mut o =
            Observation::new(self.event_id.clone(), self.call_id.clone(), ObservedAs::Record, self.start);
        let elapsed = i64::try_from(self.started_at.elapsed().as_nanos()).unwrap_or(i64::MAX);
        o.end = Timestamp::from_nanos(self.start.nanos().saturating_add(elapsed));
        record::SCOPE.clone_into(&mut o.emitter);
        o.provider.clone_from(&request.provider);
        o.endpoint = request.endpoint;
        o.server_address.clone_from(&request.server_address);
        o.model.clone_from(&request.model);
        o.response_model.clone_from(&response.model);
        o.organization.clone_from(&response.organization);
        o.project.clone_from(&response.project);
        o.response =
            response.id.as_deref().map(|id| response_ref(&o.provider, o.server_address.as_deref(), id));
        o.time_to_first_token_ms = self.first_chunk_ms.filter(|_| request.stream);
        o.stream = request.stream;
        o.attempts = self.attempts.load(Ordering::Relaxed).max(1);
        o.prompt_cache_key.clone_from(&request.prompt_cache_key);
        o.reasoning_effort.clone_from(&request.reasoning_effort);
        let estimate = match outcome {
            CallOutcome::Success => request.units.estimate(request.endpoint, response.images),
            CallOutcome::Failed(_) | CallOutcome::Incomplete(_) => None,
        };
        let resolved = resolve(Answer {
            provider: &request.provider,
            endpoint: request.endpoint,
            // The tier that the response names is billed, not the tier that was requested.
            service_tier: response.service_tier.as_deref(),
            region: region_of_host(&request.provider, request.server_address.as_deref()).as_deref(),
            usage_json: response.usage_json.as_deref(),
            usage: None,
            tools: response.tools,
            estimate,
        });
        set_usage(&mut o, resolved);
        o.usage_raw = response.usage_json.as_deref().and_then(JsonText::new);
        o.outcome = outcome;
        o.attribution = std::mem::take(&mut self.attribution);
        let ids = &self.span.ids;
        (o.trace_id, o.span_id, o.parent_span_id) = (ids.trace.clone(), ids.span.clone(), ids.parent.clone());
        o
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        self.finish(CallOutcome::Incomplete("cancelled".to_owned()));
    }
}

fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since_epoch.as_nanos()).unwrap_or(i64::MAX))
}

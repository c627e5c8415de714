//! One call, from its first request to its record.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use spanledger_event::{
    Attribution, CallOutcome, EventId, Observation, ObservedAs, PartialAttribution, Timestamp,
};
use spanledger_otlp::set_usage;
use spanledger_price::{
    providers::{region_of_host, response_ref},
    usage::{Answer, resolve},
};
use uuid::Uuid;

use crate::{
    Recorder,
    request::Asked,
    response::Answered,
    span::{CallSpan, Surroundings},
};

/// A call that is under way. Its record is made when it is finished, or when it is dropped: a
/// future that was cancelled and a stream that was abandoned may have been billed.
#[derive(Debug)]
pub(crate) struct Call {
    recorder: Recorder,
    asked: Asked,
    attribution: PartialAttribution,
    event_id: EventId,
    span: CallSpan,
    id: String,
    start: Timestamp,
    begun: Instant,
    attempts: Arc<AtomicU32>,
    /// What is known of the answer so far.
    pub(crate) answered: Answered,
    first_chunk_ms: Option<i64>,
    finished: bool,
}

impl Call {
    pub(crate) fn start(
        recorder: Recorder,
        asked: Asked,
        attribution: &Attribution,
        around: &Surroundings,
        attempts: Arc<AtomicU32>,
    ) -> Self {
        recorder.opened();
        let span = CallSpan::start(&asked, around);
        let mut attribution = PartialAttribution::from(attribution);
        let request_id = attribution.request_id.get_or_insert_with(|| Uuid::now_v7().to_string());
        let event_id = EventId::of_request(request_id, asked.fingerprint);
        let call_id = match (&span.ids.trace, &span.ids.span) {
            // The span's identity, so that record and span are one call even where a Collector has
            // taken our attributes off the span.
            (Some(trace), Some(id)) => format!("{trace}:{id}"),
            _ => Uuid::now_v7().to_string(),
        };
        Self {
            recorder,
            asked,
            attribution,
            event_id,
            span,
            id: call_id,
            start: now(),
            begun: Instant::now(),
            attempts,
            answered: Answered::default(),
            first_chunk_ms: None,
            finished: false,
        }
    }

    /// The first bytes of a stream are here.
    pub(crate) fn first_chunk(&mut self) {
        if self.first_chunk_ms.is_none() {
            self.first_chunk_ms = Some(self.elapsed_ms());
        }
    }

    pub(crate) fn asked_for_stream(&self) -> bool {
        self.asked.stream
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.finished
    }

    /// Prices the call, ends its span and sends its record; later calls do nothing.
    pub(crate) fn finish(&mut self, outcome: CallOutcome) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        let mut o = self.observation(outcome);
        self.recorder.price(&mut o);
        self.span.end(&o, &self.asked, &self.answered);
        self.recorder.record(&o);
        self.recorder.closed();
    }

    fn elapsed_ms(&self) -> i64 {
        i64::try_from(self.begun.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    fn observation(&mut self, outcome: CallOutcome) -> Observation {
        let (asked, answered) = (&self.asked, &self.answered);
        let mut o = Observation::new(self.event_id.clone(), self.id.clone(), ObservedAs::Record, self.start);
        let elapsed = i64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
        o.end = Timestamp::from_nanos(self.start.nanos().saturating_add(elapsed));
        spanledger_otlp::record::SCOPE.clone_into(&mut o.emitter);
        o.provider.clone_from(&asked.provider);
        o.endpoint = asked.endpoint;
        o.server_address.clone_from(&asked.server_address);
        o.model.clone_from(&asked.model);
        o.response_model.clone_from(&answered.model);
        o.region = region_of_host(&asked.provider, asked.server_address.as_deref());
        // The tier asked for is not the tier that served; without an answer there is none.
        o.service_tier.clone_from(&answered.service_tier);
        o.organization.clone_from(&answered.organization);
        o.project.clone_from(&answered.project);
        o.response =
            answered.id.as_deref().map(|id| response_ref(&o.provider, o.server_address.as_deref(), id));
        o.time_to_first_token_ms = self.first_chunk_ms.filter(|_| asked.stream);
        o.stream = asked.stream;
        o.outcome = outcome;
        o.attempts = self.attempts.load(Ordering::Relaxed).max(1);
        o.prompt_cache_key.clone_from(&asked.prompt_cache_key);
        o.reasoning_effort.clone_from(&asked.reasoning_effort);
        o.usage_raw.clone_from(&answered.usage);
        let is_success = o.outcome == CallOutcome::Success;
        let resolved = resolve(Answer {
            provider: &o.provider,
            endpoint: o.endpoint,
            service_tier: o.service_tier.as_deref(),
            region: o.region.as_deref(),
            usage_json: answered.usage.as_deref(),
            usage: None,
            tools: answered.tools,
            estimate: is_success.then(|| asked.units.usage(asked.endpoint, answered.images)).flatten(),
        });
        set_usage(&mut o, resolved);
        o.attribution = std::mem::take(&mut self.attribution);
        let ids = &self.span.ids;
        (o.trace_id, o.span_id, o.parent_span_id) = (ids.trace.clone(), ids.span.clone(), ids.parent.clone());
        o
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.finish(CallOutcome::Incomplete("cancelled".to_owned()));
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

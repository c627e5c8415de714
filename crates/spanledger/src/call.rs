//! Follows one call from its first request to its end.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use spanledger_event::{CallOutcome, Timestamp};

use crate::{
    PromptWarning, Recorder,
    answer::{ResponseInfo, ResponseObject},
    clock::now,
    request::{FormFields, RequestInfo},
    span::{CallSpan, CallerContext, SpanMode},
    spend_guard::{PlannedCall, Reservation, SpendGuard, SpendRefusal},
};
pub(crate) use attribution::CallAttribution;
pub(crate) use ended::{EndedCall, Ending};
pub use finished::FinishedCall;
pub(crate) use intent::Noted;
pub(crate) use overlap::Overlap;
pub(crate) use report::{PricedCall, Report};

mod attribution;
mod ended;
mod finished;
mod intent;
mod overlap;
mod report;

/// A function that is called with every call that has ended.
pub(crate) type Hook = Arc<dyn Fn(&FinishedCall<'_>) + Send + Sync>;

/// The settings of a layer for its calls.
#[derive(Clone, Default)]
pub(crate) struct CallOptions {
    pub(crate) span_mode: SpanMode,
    /// Whether the text of an error is in the span. It can quote the prompt.
    pub(crate) error_text: bool,
    pub(crate) hook: Option<Hook>,
    pub(crate) guard: Option<Arc<dyn SpendGuard>>,
    pub(crate) prompt_warning: PromptWarning,
}

impl CallOptions {
    /// Asks the guard about a call that is about to be sent, and warns of a large prompt.
    pub(crate) fn before_call(
        &mut self,
        request: &RequestInfo,
        attribution: &CallAttribution,
        recorder: &Recorder,
    ) -> Result<Option<Box<Reservation>>, SpendRefusal> {
        let reservation = match &self.guard {
            Some(guard) => {
                let planned = PlannedCall::of(request, attribution.to_partial(), now(), &recorder.prices());
                Reservation::make(guard, planned)?
            }
            None => None,
        };
        self.prompt_warning = self.prompt_warning.before_the_call(request, || attribution.to_partial());
        Ok(reservation.map(Box::new))
    }
}

impl fmt::Debug for CallOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallOptions")
            .field("span_mode", &self.span_mode)
            .field("error_text", &self.error_text)
            .field("hook", &self.hook.is_some())
            .field("guard", &self.guard.is_some())
            .field("prompt_warning", &self.prompt_warning)
            .finish()
    }
}

/// A call that has started and not ended.
///
/// The record is made when the call finishes, or otherwise when this value is dropped: a call that was
/// cancelled and a stream that was dropped before its end may have been billed.
#[derive(Debug)]
pub(crate) struct CallInFlight {
    recorder: Recorder,
    /// What is known of the call; `None` after its end.
    call: Option<Box<Call>>,
    /// What distinguishes the call from equal calls that run at the same time. It is given back at the end.
    overlap: Overlap,
}

/// What is known of a call.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) request: RequestInfo,
    pub(crate) response: ResponseInfo,
    pub(crate) attribution: CallAttribution,
    pub(crate) options: CallOptions,
    pub(crate) span: CallSpan,
    pub(crate) start: Timestamp,
    pub(crate) started_at: Instant,
    pub(crate) time_to_first_chunk: Option<Duration>,
    /// The number of HTTP requests so far, including retries.
    pub(crate) attempts: Arc<AtomicU32>,
    /// The fields of the form that the call uploads.
    pub(crate) form: Option<FormFields>,
    /// What the guard has reserved for the call.
    pub(crate) reservation: Option<Box<Reservation>>,
    /// What was noted on disk before the call was sent.
    pub(crate) noted: Option<Noted>,
}

impl CallInFlight {
    pub(crate) fn start(
        recorder: Recorder,
        mut request: RequestInfo,
        form: Option<FormFields>,
        attribution: CallAttribution,
        caller: &CallerContext,
        options: CallOptions,
        attempts: Arc<AtomicU32>,
    ) -> Self {
        recorder.call_started();
        let span = CallSpan::start(&request, caller, options.span_mode);
        let overlap = Overlap::begin(attribution.request_id(), request.fingerprint);
        request.fingerprint = overlap.fingerprint(request.fingerprint);
        let call = Call {
            request,
            response: ResponseInfo::default(),
            attribution,
            options,
            span,
            start: now(),
            started_at: Instant::now(),
            time_to_first_chunk: None,
            attempts,
            form,
            reservation: None,
            noted: None,
        };
        Self { recorder, call: Some(Box::new(call)), overlap }
    }

    /// Keeps what the guard has reserved until the cost is known.
    pub(crate) fn keep(&mut self, reservation: Option<Box<Reservation>>) {
        if let Some(call) = &mut self.call {
            call.reservation = reservation;
        }
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.call.is_none()
    }

    /// Whether the request asked for a stream.
    pub(crate) fn is_stream(&mut self) -> bool {
        self.call.as_mut().is_some_and(|call| {
            call.read_form();
            call.request.stream
        })
    }

    pub(crate) fn endpoint(&self) -> spanledger_event::Endpoint {
        self.call.as_ref().map(|call| call.request.endpoint).unwrap_or_default()
    }

    pub(crate) fn was_sent(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.attempts.load(Ordering::Relaxed) > 0)
    }

    pub(crate) fn read_headers(&mut self, headers: &HeaderMap) {
        if let Some(call) = &mut self.call {
            let for_span = call.span.is_recording();
            call.response.read_headers(headers, for_span);
        }
    }

    pub(crate) fn read_object(&mut self, object: &ResponseObject<'_>) {
        if let Some(call) = &mut self.call {
            call.response.read_object(object);
        }
    }

    /// Whether the text of the answer is kept for an estimate.
    pub(crate) fn keeps_text(&self) -> bool {
        self.call.as_ref().is_some_and(|call| call.request.streamed.is_kept())
    }

    /// Adds the text in the data of a stream's event.
    pub(crate) fn add_text(&mut self, data: &[u8]) {
        if let Some(call) = &mut self.call {
            call.request.streamed.add_event(data);
        }
    }

    /// Notes the message of an error that a stream reports before it ends.
    pub(crate) fn set_error_message(&mut self, message: Option<String>) {
        if let Some(call) = &mut self.call {
            call.response.error_message = message;
        }
    }

    /// Notes the time of the first bytes of the body; later calls change nothing.
    pub(crate) fn chunk_arrived(&mut self) {
        if let Some(call) = &mut self.call
            && call.time_to_first_chunk.is_none()
        {
            call.time_to_first_chunk = Some(call.started_at.elapsed());
        }
    }

    /// Finishes the call with an error's message for the span.
    pub(crate) fn fail(&mut self, outcome: CallOutcome, message: Option<String>) {
        self.set_error_message(message);
        self.finish(outcome);
    }

    /// Finishes the call; later calls change nothing.
    pub(crate) fn finish(&mut self, outcome: CallOutcome) {
        self.end(Ending::Outcome(outcome));
    }

    /// Finishes the call with its whole answer, which is read when the record is made.
    pub(crate) fn answered(&mut self, status: StatusCode, body: Bytes) {
        self.end(Ending::Answer(status, body));
    }

    /// Ends the span and queues the record. What nobody reads on this thread, such as the usage and the cost, is
    /// read on the exporter's thread.
    fn end(&mut self, ending: Ending) {
        let Some(call) = self.call.take() else { return };
        self.overlap = Overlap::default();
        let intent = call.noted.and_then(|noted| noted.intent);
        let ended = EndedCall::new(call, ending, self.recorder.prices());
        // A fault of ours must not become one of the user's call.
        let queued = catch_unwind(AssertUnwindSafe(|| ended.queue(&self.recorder)));
        if queued.is_err() {
            self.recorder.count_loss(intent);
            tracing::error!("spanledger.call.record.failed: the record of a call could not be made");
        }
        self.recorder.call_ended();
    }
}

impl Drop for CallInFlight {
    fn drop(&mut self) {
        let error = "cancelled".to_owned();
        // A call that was not sent cannot be billed.
        let outcome =
            if self.was_sent() { CallOutcome::Incomplete(error) } else { CallOutcome::Failed(error) };
        self.finish(outcome);
    }
}

impl Call {
    /// Adds the fields of the form, as far as they were sent.
    pub(crate) fn read_form(&mut self) {
        if let Some(fields) = &self.form {
            self.request.read_form(fields);
        }
    }
}

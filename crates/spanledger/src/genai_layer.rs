//! A `tracing` layer for the calls of other libraries: every span with GenAI attributes gets the attribution and the
//! cost, and a record.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Once, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
};

use opentelemetry::{
    Context as OtelContext,
    trace::{SpanContext, SpanId, TraceContextExt as _},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::InstrumentationScope,
    trace::v1::{ResourceSpans, ScopeSpans, Span},
};
use spanledger_event::{Endpoint, EventId, Observation, ObservedAs, PartialAttribution, Role};
use spanledger_otlp::{ObservationReader, Traces, record};
use tracing::{
    Dispatch, Event, Level, Subscriber,
    dispatcher::WeakDispatch,
    span::{Attributes, Id, Record},
};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::{
    Layer, Registry,
    layer::Context,
    registry::{LookupSpan, SpanRef},
};
use uuid::Uuid;

use crate::{
    Recorder, baggage,
    call::{PricedCall, Report},
    clock, scope,
};
use fields::Fields;

mod attributes;
mod fields;

/// Attributes, prices and records the calls of other libraries, such as rig and genai: every `tracing` span with
/// `gen_ai.*` fields that is a call to a model.
///
/// When such a span starts, its attribution is that of the task's scope, of the OpenTelemetry context or of the
/// allowed baggage. When it closes,
///
/// * its OpenTelemetry span gets the attribution and the cost as attributes. What the span states itself stays;
/// * a record is sent to the receiver, as for a call of an instrumented client. It has the ids of the span, so that
///   the ledger makes one call of both, and it does not depend on a sampler.
///
/// The layer cannot refuse a call. The receiver quarantines a call without attribution. If the call of a span is made
/// by an instrumented client, or has a span of its own inside that span, it is recorded once, where it is innermost.
///
/// Add the layer before the one of `tracing-opentelemetry`, which otherwise has ended the span already:
///
/// ```
/// use opentelemetry::trace::TracerProvider as _;
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use spanledger::GenAiLayer;
/// use tracing_subscriber::layer::SubscriberExt as _;
///
/// let provider = SdkTracerProvider::default();
/// let subscriber = tracing_subscriber::registry()
///     .with(GenAiLayer::new())
///     .with(tracing_opentelemetry::layer().with_tracer(provider.tracer("my-service")));
/// # drop(subscriber);
/// ```
///
/// A span that a level filter excludes does not exist, so that its call is not recorded. The spans of rig and genai
/// have the level `INFO`: filter the log output by a filter of its own layer (`fmt::layer().with_filter(…)`), and
/// not by a filter for all layers.
#[derive(Debug, Default)]
pub struct GenAiLayer {
    recorder: Option<Recorder>,
    /// The subscriber that this layer is part of.
    dispatch: OnceLock<WeakDispatch>,
    reader: ObservationReader,
}

/// Whether the process has such a layer.
static EXISTS: AtomicBool = AtomicBool::new(false);

/// What is known of the call of an open span. It is an extension of the span.
#[derive(Debug)]
struct OpenCall {
    fields: Fields,
    start_unix_nano: u64,
    /// What the caller's scope, context or baggage states.
    attribution: PartialAttribution,
    /// What a processor has copied from the baggage to the attributes of the span.
    copied: PartialAttribution,
    /// The trace id and the span id of the OpenTelemetry span, once it was entered.
    ids: Option<SpanContext>,
    /// The APIs of the calls inside this span that have a record of their own.
    recorded_inside: Vec<Endpoint>,
}

impl GenAiLayer {
    /// Creates a layer that uses the [`Recorder`] of the process.
    pub fn new() -> Self {
        EXISTS.store(true, Ordering::Relaxed);
        Self::default()
    }

    /// Sets the recorder of the layer.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }

    fn recorder(&self) -> &Recorder {
        self.recorder.as_ref().unwrap_or_else(|| Recorder::global())
    }

    /// The OpenTelemetry context of a span, if `tracing-opentelemetry` has one.
    fn otel_context(&self, id: &Id) -> Option<OtelContext> {
        get_otel_context(id, &self.dispatch.get()?.upgrade()?)
    }

    /// The span id of the nearest ancestor that is an OpenTelemetry span.
    fn parent_id<S: for<'a> LookupSpan<'a>>(&self, span: &SpanRef<'_, S>) -> Option<SpanId> {
        let context = span.scope().skip(1).find_map(|ancestor| self.otel_context(&ancestor.id()))?;
        Some(context.span().span_context().span_id())
    }

    /// Ends the call of a span that closes.
    fn end<S: for<'a> LookupSpan<'a>>(&self, call: OpenCall, span: &SpanRef<'_, S>) {
        let otel = self.otel_context(&span.id());
        if otel.is_none() && call.ids.is_some() {
            warn_of_the_order();
        }
        let ids = otel.as_ref().map(|otel| otel.span().span_context().clone()).or(call.ids);
        let stated = call.fields.keys();
        let mut message = Span {
            name: span.name().to_owned(),
            start_time_unix_nano: call.start_unix_nano,
            end_time_unix_nano: now(),
            ..call.fields.into_span()
        };
        if let Some(ids) = ids {
            message.trace_id = ids.trace_id().to_bytes().to_vec();
            message.span_id = ids.span_id().to_bytes().to_vec();
            message.parent_span_id =
                self.parent_id(span).map(|id| id.to_bytes().to_vec()).unwrap_or_default();
        }
        let Some(mut o) = self.read(message, span.metadata().target()) else { return };
        if call.recorded_inside.iter().any(|inner| is_same_kind(*inner, o.endpoint)) {
            return;
        }
        note_in(span.scope().skip(1), o.endpoint);
        o.attribution.fill_from(&call.attribution);
        self.recorder().prices().price(&mut o);
        if let Some(otel) = otel.filter(|otel| otel.span().is_recording()) {
            otel.span().set_attributes(attributes::added(&o, &stated, &call.copied));
        }
        let attributes = record::attributes(&o);
        self.recorder().send(PricedCall::new(o, attributes, Report::to_metrics()));
    }

    /// The observation of a span; `None` if the span is no call. The receiver reads spans by the same code.
    fn read(&self, span: Span, target: &str) -> Option<Observation> {
        let scope = InstrumentationScope { name: target.to_owned(), ..InstrumentationScope::default() };
        let scope_spans = ScopeSpans { scope: Some(scope), spans: vec![span], ..ScopeSpans::default() };
        let resource_spans = ResourceSpans { scope_spans: vec![scope_spans], ..ResourceSpans::default() };
        let traces = Traces::from(ExportTraceServiceRequest { resource_spans: vec![resource_spans] });
        let mut o = self.reader.traces(&traces).pop().filter(|o| o.role == Role::Call)?;
        o.sighting = ObservedAs::Record;
        if o.span_id.is_none() {
            // Without OpenTelemetry the span has no ids, and equal calls are different calls.
            o.call_id = Uuid::now_v7().to_string();
            o.event_id = EventId::of_request(&o.call_id, 0);
        }
        Some(o)
    }
}

impl<S> Layer<S> for GenAiLayer
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // A layer is part of one subscriber, so that a second value would be the same.
        self.dispatch.get_or_init(|| dispatch.downgrade());
    }

    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if !fields::are_genai(attributes.metadata()) {
            return;
        }
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        span.extensions_mut().replace(OpenCall {
            fields,
            start_unix_nano: now(),
            attribution: scope::known(),
            copied: baggage::copied_to_spans(),
            ids: None,
            recorded_inside: Vec::new(),
        });
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.extensions().get::<OpenCall>().is_none() {
            return;
        }
        // The values are read before the extensions are locked, because reading them can itself log.
        let mut fields = Fields::default();
        values.record(&mut fields);
        if let Some(call) = span.extensions_mut().get_mut::<OpenCall>() {
            call.fields.append(fields);
        }
    }

    fn on_enter(&self, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if span.extensions().get::<OpenCall>().is_none_or(|call| call.ids.is_some()) {
            return;
        }
        // The span starts when it is entered. A layer that was added after that of OpenTelemetry does not find its ids
        // when it closes, and a record without them would be a second call.
        let otel = self.otel_context(id);
        if let (Some(otel), Some(call)) = (otel, span.extensions_mut().get_mut::<OpenCall>()) {
            call.ids = Some(otel.span().span_context().clone());
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        // `tracing-opentelemetry` gives the span an error status then.
        if *event.metadata().level() == Level::ERROR
            && let Some(span) = context.event_span(event)
            && let Some(call) = span.extensions_mut().get_mut::<OpenCall>()
        {
            call.fields.is_error = true;
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        if span.extensions().get::<OpenCall>().is_none() {
            return;
        }
        // The extensions must not be locked when the OpenTelemetry context is looked up.
        let call = span.extensions_mut().remove::<OpenCall>();
        let Some(call) = call else { return };
        // A fault of ours must not become one of the service.
        if catch_unwind(AssertUnwindSafe(|| self.end(call, &span))).is_err() {
            self.recorder().count_loss(None);
            tracing::error!(target: "spanledger", "spanledger.call.record.failed: the record of a span could not be made");
        }
    }
}

/// Notes that an instrumented client makes a call inside a span. The client records the call, so that the spans
/// around it must not record it again.
pub(crate) fn client_records_call_in(span: &tracing::Span, endpoint: Endpoint) {
    if !EXISTS.load(Ordering::Relaxed) {
        return;
    }
    span.with_subscriber(|(id, dispatch)| {
        let span = dispatch.downcast_ref::<Registry>().and_then(|registry| registry.span(id));
        note_in(span.iter().flat_map(SpanRef::scope), endpoint);
    });
}

/// Notes in spans that a call inside them has a record.
fn note_in<'a, S: LookupSpan<'a> + 'a>(spans: impl Iterator<Item = SpanRef<'a, S>>, endpoint: Endpoint) {
    for span in spans {
        if let Some(call) = span.extensions_mut().get_mut::<OpenCall>()
            && !call.recorded_inside.contains(&endpoint)
        {
            call.recorded_inside.push(endpoint);
        }
    }
}

/// Whether a call inside a span is the call of the span: both are of the same API. The convention has one operation for
/// the APIs that write text.
fn is_same_kind(inner: Endpoint, outer: Endpoint) -> bool {
    const TEXT: [Endpoint; 3] = [Endpoint::Chat, Endpoint::Responses, Endpoint::Completions];
    inner == outer || (TEXT.contains(&inner) && TEXT.contains(&outer))
}

/// Says once that the layers are in the wrong order.
fn warn_of_the_order() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            target: "spanledger",
            "spanledger.genai_layer.order: calls are recorded, but their spans lack attribution and cost, because \
             `GenAiLayer` was added after the layer of tracing-opentelemetry; add it before"
        );
    });
}

fn now() -> u64 {
    u64::try_from(clock::now().nanos()).unwrap_or_default()
}

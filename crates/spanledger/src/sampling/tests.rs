use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceState, Tracer as _, TracerProvider as _,
};
use opentelemetry_sdk::trace::{BatchSpanProcessor, InMemorySpanExporter, Sampler, SdkTracerProvider};

use super::*;

/// The context of a caller whose trace is not sampled.
fn unsampled_parent() -> Context {
    let span = SpanContext::new(
        TraceId::from(1),
        SpanId::from(2),
        TraceFlags::default(),
        true,
        TraceState::default(),
    );
    Context::new().with_remote_span_context(span)
}

#[test]
fn spans_of_ai_calls_are_sampled_whatever_the_other_sampler_decides() {
    for others in [Sampler::AlwaysOff, Sampler::ParentBased(Box::new(Sampler::AlwaysOn))] {
        let exporter = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_sampler(KeepGenAi::new(others))
            .with_simple_exporter(exporter.clone())
            .build();
        let tracer = provider.tracer("app");
        let start = |name, attributes| {
            let builder = tracer.span_builder(name).with_attributes(attributes);
            drop(builder.start_with_context(&tracer, &unsampled_parent()));
        };
        start("chat", vec![KeyValue::new(keys::OPERATION_NAME, "chat")]);
        start("GET", vec![KeyValue::new("http.route", "/")]);
        let names: Vec<_> =
            exporter.get_finished_spans().unwrap().into_iter().map(|span| span.name).collect();
        assert_eq!(names, ["chat"]);
    }
}

/// A sampler that records every span and samples none.
#[derive(Clone, Debug)]
struct RecordOnly;

impl ShouldSample for RecordOnly {
    fn should_sample(
        &self,
        _: Option<&Context>,
        _: TraceId,
        _: &str,
        _: &SpanKind,
        _: &[KeyValue],
        _: &[Link],
    ) -> SamplingResult {
        SamplingResult {
            decision: SamplingDecision::RecordOnly,
            attributes: Vec::new(),
            trace_state: TraceState::default(),
        }
    }
}

/// The number of spans that a processor exports of one unsampled span and, with `KeepGenAi`, of one sampled one.
fn exported<P: SpanProcessor + 'static>(
    wrap: impl FnOnce(BatchSpanProcessor) -> P,
    sampler: impl ShouldSample + 'static,
) -> usize {
    let exporter = InMemorySpanExporter::default();
    let batches = BatchSpanProcessor::builder(exporter.clone()).build();
    let provider =
        SdkTracerProvider::builder().with_sampler(sampler).with_span_processor(wrap(batches)).build();
    let tracer = provider.tracer("app");
    let chat = vec![KeyValue::new(keys::OPERATION_NAME, "chat")];
    drop(tracer.span_builder("chat").with_attributes(chat).start(&tracer));
    provider.force_flush().unwrap();
    exporter.get_finished_spans().unwrap().len()
}

#[test]
fn the_filter_passes_on_sampled_spans_only() {
    assert_eq!(exported(SampledOnly::new, RecordOnly), 0);
    assert_eq!(exported(SampledOnly::new, KeepGenAi::new(RecordOnly)), 1);
}

#[test]
fn the_batch_processor_of_the_sdk_still_exports_spans_that_are_not_sampled() {
    assert_eq!(
        exported(|batches| batches, RecordOnly),
        1,
        "the SDK's batch processor no longer exports unsampled spans: deprecate `SampledOnly`, and remove it from \
         the README"
    );
}

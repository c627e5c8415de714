//! Parts for OpenTelemetry's SDK: a sampler that keeps the spans of AI calls, and a filter for the batch processor.

use std::time::Duration;

use opentelemetry::{
    Context, KeyValue,
    trace::{Link, SpanKind, TraceId},
};
use opentelemetry_sdk::{
    Resource,
    error::OTelSdkResult,
    trace::{SamplingDecision, SamplingResult, ShouldSample, Span, SpanData, SpanProcessor},
};
use spanledger_event::keys;

#[cfg(test)]
mod tests;

/// Samples every span of an AI call, and asks another sampler about all other spans.
///
/// A span is one of an AI call if its first attributes contain `gen_ai.operation.name`. Make it the outermost
/// sampler: a sampler around it, such as `Sampler::ParentBased`, drops the children of unsampled spans without
/// asking. The records of calls do not need it, because no sampler drops them; it is for complete traces.
///
/// ```
/// use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
/// use spanledger::KeepGenAi;
///
/// let one_percent = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(0.01)));
/// let provider = SdkTracerProvider::builder().with_sampler(KeepGenAi::new(one_percent)).build();
/// # drop(provider);
/// ```
#[derive(Clone, Debug)]
pub struct KeepGenAi {
    others: Box<dyn ShouldSample>,
}

impl KeepGenAi {
    /// Creates a sampler that asks `others` about spans that are not of AI calls.
    pub fn new(others: impl ShouldSample + 'static) -> Self {
        Self { others: Box::new(others) }
    }
}

impl ShouldSample for KeepGenAi {
    fn should_sample(
        &self,
        parent: Option<&Context>,
        trace_id: TraceId,
        name: &str,
        kind: &SpanKind,
        attributes: &[KeyValue],
        links: &[Link],
    ) -> SamplingResult {
        let mut result = self.others.should_sample(parent, trace_id, name, kind, attributes, links);
        if attributes.iter().any(|attribute| attribute.key.as_str() == keys::OPERATION_NAME) {
            result.decision = SamplingDecision::RecordAndSample;
        }
        result
    }
}

/// Passes only sampled spans to a processor.
///
/// The SDK's `BatchSpanProcessor` (0.33) also exports spans that are recorded and not sampled, against the
/// specification. Wrap it if a sampler of yours decides `RecordOnly`.
///
/// ```
/// use opentelemetry_sdk::trace::{BatchSpanProcessor, InMemorySpanExporter, SdkTracerProvider};
/// use spanledger::SampledOnly;
///
/// let batches = BatchSpanProcessor::builder(InMemorySpanExporter::default()).build();
/// let provider = SdkTracerProvider::builder().with_span_processor(SampledOnly::new(batches)).build();
/// # drop(provider);
/// ```
#[derive(Debug)]
pub struct SampledOnly<P> {
    processor: P,
}

impl<P: SpanProcessor> SampledOnly<P> {
    /// Creates a filter in front of a processor.
    pub fn new(processor: P) -> Self {
        Self { processor }
    }
}

impl<P: SpanProcessor> SpanProcessor for SampledOnly<P> {
    fn on_start(&self, span: &mut Span, context: &Context) {
        self.processor.on_start(span, context);
    }

    fn on_end(&self, span: SpanData) {
        if span.span_context.is_sampled() {
            self.processor.on_end(span);
        }
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.processor.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.processor.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.processor.set_resource(resource);
    }
}

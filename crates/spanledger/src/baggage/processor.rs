//! Copies allowed baggage to the attributes of spans.

use std::{sync::OnceLock, time::Duration};

use opentelemetry::{Context, KeyValue, baggage::BaggageExt as _, trace::Span as _};
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};

use spanledger_event::PartialAttribution;

use super::AllowedBaggage;

/// Copies the allowed fields of the baggage to the attributes of every span when it starts, so that the spans of
/// other instrumentations have the attribution, too. OpenTelemetry's SDK for Rust has no such processor.
///
/// ```
/// use opentelemetry_sdk::trace::SdkTracerProvider;
/// use spanledger::{AllowedBaggage, BaggageSpanProcessor};
///
/// let provider = SdkTracerProvider::builder()
///     .with_span_processor(BaggageSpanProcessor::new(AllowedBaggage::default()))
///     .build();
/// # drop(provider);
/// ```
#[derive(Clone, Debug)]
pub struct BaggageSpanProcessor {
    allowed: AllowedBaggage,
}

/// The fields that the first processor of the process copies.
static COPIED: OnceLock<AllowedBaggage> = OnceLock::new();

/// What a processor copies from the current baggage to a span that starts now. An attribute must not be set twice.
pub(crate) fn copied_to_spans() -> PartialAttribution {
    let Some(allowed) = COPIED.get() else { return PartialAttribution::default() };
    Context::map_current(|context| allowed.attribution(context.baggage()))
}

/// Marks a context in which a span starts that gets the attribution itself.
struct WithoutCopies;

/// A context in which spans start without copies of the baggage, because they get the attribution from elsewhere.
pub(crate) fn without_copies(context: &Context) -> Context {
    if COPIED.get().is_some() { context.with_value(WithoutCopies) } else { context.clone() }
}

impl BaggageSpanProcessor {
    /// Creates a processor that copies these fields.
    pub fn new(allowed: AllowedBaggage) -> Self {
        COPIED.get_or_init(|| allowed.clone());
        Self { allowed }
    }
}

impl SpanProcessor for BaggageSpanProcessor {
    fn on_start(&self, span: &mut Span, context: &Context) {
        let baggage = context.baggage();
        if baggage.is_empty() || context.get::<WithoutCopies>().is_some() {
            return;
        }
        let started_with = span.exported_data().map(|data| data.attributes).unwrap_or_default();
        for (key, _, value) in self.allowed.legal_values(baggage) {
            // OTLP requires unique keys.
            if started_with.iter().all(|attribute| attribute.key.as_str() != key) {
                span.set_attribute(KeyValue::new(key.clone(), value.to_owned()));
            }
        }
    }

    fn on_end(&self, _span: SpanData) {}

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _timeout: Duration) -> OTelSdkResult {
        Ok(())
    }
}

#![doc = include_str!("../README.md")]

mod answer;
mod attempts;
mod attributed;
mod attribution_layer;
mod baggage;
mod batch;
mod body;
mod call;
mod client;
mod error;
mod exporter;
mod genai_layer;
mod jobs;
mod layer;
mod lenient;
mod missing_attribution;
mod realtime;
mod recorder;
mod request;
mod scope;
mod span;

pub use attributed::{AsAttribution, Attributed};
pub use attribution_layer::{AttributionFuture, AttributionLayer, AttributionService};
pub use baggage::{AllowedBaggage, BaggageInUse, BaggageSpanProcessor};
pub use batch::{BaseUrlError, BatchOutput};
pub use call::FinishedCall;
pub use client::{Instrument, instrument};
pub use error::Error;
pub use exporter::{ExporterConfig, ExporterStats, FlushError};
pub use genai_layer::GenAiLayer;
pub use layer::{Instrumented, SpanledgerLayer};
pub use missing_attribution::MissingAttribution;
pub use realtime::RealtimeSession;
pub use recorder::{Recorder, flush};
pub use scope::{Scoped, current as current_attribution};
pub use span::SpanMode;
#[doc(no_inline)]
pub use spanledger_event::{Attribution, AttributionError, Field};
#[doc(no_inline)]
pub use spanledger_price::{BookErrors, PriceBook};

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
mod clock;
mod error;
mod estimate;
mod exporter;
mod genai_layer;
mod init;
mod jobs;
mod layer;
mod lenient;
mod metrics;
mod missing_attribution;
mod prompt_warning;
mod realtime;
mod recorder;
mod request;
mod sampling;
mod scope;
mod span;
mod spend_guard;

pub use attributed::{AsAttribution, Attributed};
pub use attribution_layer::{AttributionFuture, AttributionLayer, AttributionService};
pub use baggage::{AllowedBaggage, BaggageInUse, BaggageSpanProcessor};
pub use batch::{BaseUrlError, BatchOutput};
pub use call::FinishedCall;
pub use client::{Instrument, instrument};
pub use error::Error;
pub use exporter::{
    Certificates, Compression, ExporterConfig, ExporterStats, FlushError, InitError, Protocol, WhenFull,
};
pub use genai_layer::GenAiLayer;
pub use init::{Guard, init};
pub use layer::{Instrumented, SpanledgerLayer};
pub use missing_attribution::MissingAttribution;
pub use prompt_warning::PromptWarning;
pub use realtime::RealtimeSession;
pub use recorder::{Recorder, flush, flush_blocking};
pub use sampling::{KeepGenAi, SampledOnly};
pub use scope::{Scoped, current as current_attribution};
pub use span::SpanMode;
#[doc(no_inline)]
pub use spanledger_event::{
    Attribution, AttributionError, Endpoint, Field, PartialAttribution, Timestamp, Usage, Usd,
};
#[doc(no_inline)]
pub use spanledger_price::{BookErrors, PriceBook};
pub use spend_guard::{MonthlyQuota, PlannedCall, SpendGuard, SpendRefusal};

#![doc = include_str!("../README.md")]

mod answer;
mod attributed;
mod body;
mod call;
mod client;
mod error;
mod exporter;
mod init;
mod layer;
mod recorder;
mod request;
mod scope;
mod span;

pub use attributed::Attributed;
pub use client::{Instrument, instrument};
pub use exporter::{
    Certificates, Compression, ExporterConfig, ExporterStats, FlushError, InitError, Protocol, WhenFull,
};
pub use init::{Guard, init};
pub use layer::{Instrumented, SpanledgerLayer};
pub use recorder::{Recorder, flush, flush_blocking};
pub use scope::{Scope, current};

#[doc(no_inline)]
pub use spanledger_event::{Attribution, AttributionError};
#[doc(no_inline)]
pub use spanledger_price::{BookErrors, PriceBook};

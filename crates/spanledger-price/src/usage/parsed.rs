//! The result of reading a usage object.

use spanledger_event::{NestedUsage, Usage};

/// The counts, the tier and the region that a usage object states.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedUsage {
    /// The provider's totals, which contain their parts.
    pub nested: NestedUsage,
    /// The same counts in exclusive buckets. Tokens without a bucket, and other billable counts, are units.
    pub usage: Usage,
    /// Numbers other than zero in unknown fields, as `path=value`. They are shown on the event.
    pub unrecognized_counts: Vec<String>,
    /// The tier that served the call, in the provider's word, if the object has it: Anthropic's
    /// `speed` and `service_tier`, Google's `trafficType`.
    pub service_tier: Option<String>,
    /// The region of processing, if the object names one that may change the price: Anthropic's
    /// `inference_geo`.
    pub region: Option<String>,
}

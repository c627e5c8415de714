//! The result of reading a usage object.

use spanledger_event::{NestedUsage, Usage};

/// What a usage object says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParsedUsage {
    /// The provider's totals, as totals that contain their parts.
    pub nested: NestedUsage,
    /// The same in exclusive buckets, with the units that are not tokens and the tokens that have no
    /// bucket.
    pub usage: Usage,
    /// Numbers that are not zero in fields that are not known here, as `path=value`. They are shown to
    /// the reader of the event; they cannot be missing tokens, because the totals have to add up.
    pub unrecognized_counts: Vec<String>,
    /// The tier that served the call, in the provider's word, where the object has it: Anthropic's
    /// `speed` and `service_tier`, Google's `trafficType`.
    pub service_tier: Option<String>,
    /// The region of processing, where the object names one that may change the price: Anthropic's
    /// `inference_geo`.
    pub region: Option<String>,
}

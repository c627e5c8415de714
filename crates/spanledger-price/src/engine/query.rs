//! The query that the price book answers.

use spanledger_event::{Endpoint, Timestamp, Usage};

/// A call to be priced: the model that was called, the time and the usage.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriceQuery<'a> {
    /// The provider that bills the call: `openai`, `azure.ai.openai`, …
    pub provider: &'a str,
    /// The requested model. It is billed only if the response names no model.
    pub model: Option<&'a str>,
    /// The model that answered. It is the billed one.
    pub response_model: Option<&'a str>,
    /// The API that was called; [`Endpoint::Batch`] is billed by the batch tier.
    pub endpoint: Endpoint,
    /// The tier that served the call, in the provider's word. `None` means the standard tier.
    pub service_tier: Option<&'a str>,
    /// The region of processing, if it changes the price: `eu`, `us`, …
    pub region: Option<&'a str>,
    /// The start of the call. The prices of this moment apply.
    pub at: Timestamp,
    /// The usage, if the provider reported it.
    pub usage: Option<&'a Usage>,
    /// Whether the usage is the sum of many requests: of a batch, or of an agent. It has the ordinary rates; above
    /// the threshold of the long-context rates the cost is uncertain.
    pub is_sum: bool,
    /// Why the reported usage cannot be used, if it is contradictory or unreadable.
    pub usage_problem: Option<&'a str>,
    /// Whether that problem is a count that no call can have.
    pub usage_out_of_range: bool,
    /// Whether the call failed before the model ran. It is free unless it reports a usage.
    pub failed: bool,
}

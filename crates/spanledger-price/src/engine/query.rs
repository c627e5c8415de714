//! The question that the price book answers.

use spanledger_event::{Endpoint, Timestamp, Usage};

/// What was called, when, and what it used.
#[derive(Clone, Copy, Debug, Default)]
pub struct PriceQuery<'a> {
    /// Who bills: `openai`, `azure.ai.openai`, …
    pub provider: &'a str,
    /// The model that was asked for; used where the response names none.
    pub model: Option<&'a str>,
    /// The model that answered. It is the one that is billed.
    pub response_model: Option<&'a str>,
    /// The API that was called; [`Endpoint::Batch`] is billed by the batch tier.
    pub endpoint: Endpoint,
    /// The tier that served the call, in the provider's word; absent means the standard one.
    pub service_tier: Option<&'a str>,
    /// The region of processing, where it changes the price: `eu`, `us`, …
    pub region: Option<&'a str>,
    /// The start of the call, whose prices apply.
    pub at: Timestamp,
    /// What was used, if the provider reported it.
    pub usage: Option<&'a Usage>,
    /// Why a usage that was reported cannot be trusted.
    pub usage_problem: Option<&'a str>,
    /// Whether the call failed before the model ran. It is free unless it reports a usage.
    pub failed: bool,
}

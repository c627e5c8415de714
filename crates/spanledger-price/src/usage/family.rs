//! How the usage objects of a provider are read.

use spanledger_event::{Endpoint, Unstated};

use super::{counter::Counter, error::Result, json::Part, parsed::ParsedUsage};

/// Providers whose usage objects are read in the same way. The usage file of a provider declares one,
/// and the provider's row in [`PROVIDERS`](crate::providers::PROVIDERS) names it.
pub(crate) struct UsageFamily {
    /// The provider's own form, if it has one.
    pub(super) own_form: Option<OwnForm>,
    /// Reads an object in OpenAI's form, with the fields that the provider adds to it. Gateways send the
    /// usage of every provider in this form.
    pub(super) read_openai_form: fn(Counter<'_>, Endpoint) -> Result<ParsedUsage>,
}

/// A form of usage objects that is not OpenAI's.
pub(super) struct OwnForm {
    /// Whether an object is in this form. `is_own` is true if it came from a provider of this family. If it
    /// did not, only keys that no other form has are sufficient.
    pub(super) matches: fn(&Part<'_>, is_own: bool) -> bool,
    /// Reads an object in this form.
    pub(super) read: fn(Counter<'_>) -> Result<ParsedUsage>,
    /// The parts that an object does not state if it lacks them. The form leaves out the other parts where
    /// nothing was used.
    pub(super) unstated_if_absent: Unstated,
}

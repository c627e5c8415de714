//! What vendors add to the OpenTelemetry convention.

use spanledger_event::Usage;

/// What a vendor's spans have beside or against the convention.
///
/// A quirk is looked for on every span that follows the convention: SDKs, frameworks and gateways of
/// several vendors write on the spans of one trace, and their scopes do not always say which.
#[derive(Debug)]
pub(crate) struct Quirks {
    /// Keys for the feature, after our own.
    pub(crate) feature: &'static [&'static str],
    /// Keys for the route, after our own.
    pub(crate) route: &'static [&'static str],
    /// Keys for the customer, after our own.
    pub(crate) customer_id: &'static [&'static str],
    /// Keys for the person who uses the application.
    pub(crate) user: &'static [&'static str],
    /// Keys for all input, after the convention's. A span that has one is a call.
    pub(crate) input: &'static [&'static str],
    /// Keys for all output, after the convention's. A span that has one is a call.
    pub(crate) output: &'static [&'static str],
    /// Keys for the input read from a cache, after the convention's.
    pub(crate) cache_read: &'static [&'static str],
    /// Keys for the input written to a cache, after the convention's.
    pub(crate) cache_write: &'static [&'static str],
    /// Keys for the hidden output, after the convention's.
    pub(crate) reasoning: &'static [&'static str],
    /// Beginnings of keys in the convention's namespace of counts whose counts repeat others.
    pub(crate) repeated_counts: &'static [&'static str],
    /// Whether a response id was made by the vendor, for a call that no provider answered.
    pub(crate) is_invented_response_id: fn(id: &str, usage: Option<&Usage>) -> bool,
}

impl Quirks {
    /// No quirks.
    pub(crate) const NONE: Self = Self {
        feature: &[],
        route: &[],
        customer_id: &[],
        user: &[],
        input: &[],
        output: &[],
        cache_read: &[],
        cache_write: &[],
        reasoning: &[],
        repeated_counts: &[],
        is_invented_response_id: |_, _| false,
    };
}

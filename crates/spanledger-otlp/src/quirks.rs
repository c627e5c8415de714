//! Quirks: how the spans of vendors deviate from the OpenTelemetry convention.

use spanledger_event::{Unstated, Usage};

/// The keys that a vendor adds to the convention, and its deviations from it.
///
/// Quirks of all vendors apply to every span that follows the convention. SDKs, frameworks and gateways of
/// several vendors write to the spans of one trace, and the scope does not always name the vendor.
#[derive(Debug)]
pub(crate) struct Quirks {
    /// Keys for the feature. They are read after Spanledger's own.
    pub(crate) feature: &'static [&'static str],
    /// Keys for the route. They are read after Spanledger's own.
    pub(crate) route: &'static [&'static str],
    /// Keys for the customer. They are read after Spanledger's own.
    pub(crate) customer_id: &'static [&'static str],
    /// Keys for the person who uses the application.
    pub(crate) user: &'static [&'static str],
    /// Keys for all input. They are read after the convention's. A span that has one is a call.
    pub(crate) input: &'static [&'static str],
    /// Keys for all output. They are read after the convention's. A span that has one is a call.
    pub(crate) output: &'static [&'static str],
    /// Keys for the input read from a cache. They are read after the convention's.
    pub(crate) cache_read: &'static [&'static str],
    /// Keys for the input written to a cache. They are read after the convention's.
    pub(crate) cache_write: &'static [&'static str],
    /// Keys for the hidden output. They are read after the convention's.
    pub(crate) reasoning: &'static [&'static str],
    /// Prefixes of keys in the convention's namespace of counts. Counts with such a key repeat other counts.
    pub(crate) repeated_counts: &'static [&'static str],
    /// What it means that a span of the vendor lacks a count. A span of a scope that no row names does not
    /// state the counts that it lacks.
    pub(crate) absent_counts: &'static [AbsentCounts],
    /// Whether the vendor invented a response id for a call that no provider answered.
    pub(crate) is_invented_response_id: fn(id: &str, usage: Option<&Usage>) -> bool,
}

/// What it means that a span of some instrumentation scopes lacks a count.
#[derive(Debug)]
pub(crate) struct AbsentCounts {
    /// The names of the scopes.
    pub(crate) scopes: &'static [&'static str],
    /// The counts that a span does not state if it lacks them. The scopes leave out the other counts where
    /// they are zero.
    pub(crate) unstated: Unstated,
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
        absent_counts: &[],
        is_invented_response_id: |_, _| false,
    };
}

//! A builder of observations for tests.
//!
//! The module lives beside the types that it builds, so that the unit tests of this crate and of
//! every crate above it can use it. It is compiled for tests and with the feature `test-support`.
//!
//! ```
//! use spanledger_event::{fold, test_support::ObservationBuilder};
//!
//! let failed = ObservationBuilder::record("request-1", "call-1", 0).failed("500").build();
//! let answered = ObservationBuilder::record("request-1", "call-2", 5).tokens(100, 10).cost_picos(110).build();
//! let events = fold(&[failed, answered]);
//! assert_eq!((events.len(), events[0].attempts), (1, 2));
//! assert_eq!(events[0].billed_usd.unwrap().picos(), 110);
//! ```

use crate::{
    Bucket, CallOutcome, Cost, EventId, Observation, ObservedAs, PartialAttribution, ResponseRef, Role,
    Timestamp, UnpricedReason, Usage, UsageSource, Usd,
};

/// The nanoseconds of one second.
pub const SECOND: i64 = 1_000_000_000;

/// The price version of the costs that [`ObservationBuilder`] sets.
pub const PRICE_VERSION: &str = "test";

/// A complete attribution: feature `search`, route `/search`, customer `acme`, environment `test`.
pub fn attribution() -> PartialAttribution {
    PartialAttribution {
        feature: Some("search".to_owned()),
        route: Some("/search".to_owned()),
        customer_id: Some("acme".to_owned()),
        environment: Some("test".to_owned()),
        ..PartialAttribution::default()
    }
}

/// Builds one [`Observation`]. It starts as a successful call of `gpt-5.5` at OpenAI that lasts one
/// second; each method changes one thing.
#[derive(Clone, Debug)]
pub struct ObservationBuilder(Observation);

impl ObservationBuilder {
    /// The project's own record of a call. It is attributed ([`attribution`]), and it belongs to the
    /// logical request `request`.
    pub fn record(request: &str, call: &str, start_s: i64) -> Self {
        let mut this = Self::new(EventId::of_request(request, 1), call, ObservedAs::Record, start_s);
        this.0.attribution = PartialAttribution { request_id: Some(request.to_owned()), ..attribution() };
        this
    }

    /// A span of another emitter, without attribution.
    pub fn span(trace: &str, span: &str, start_s: i64) -> Self {
        let start = Timestamp::from_nanos(start_s * SECOND);
        let id = EventId::of_span(trace, span, start);
        Self::new(id, &format!("{trace}:{span}"), ObservedAs::Span, start_s).in_trace(trace, span, None)
    }

    fn new(id: EventId, call: &str, observed_as: ObservedAs, start_s: i64) -> Self {
        let mut o = Observation::new(id, call, observed_as, Timestamp::from_nanos(start_s * SECOND));
        o.end = Timestamp::from_nanos((start_s + 1) * SECOND);
        "openai".clone_into(&mut o.provider);
        o.emitter = format!("{observed_as:?}");
        o.model = Some("gpt-5.5".to_owned());
        Self(o)
    }

    /// Sets a usage that the provider reported.
    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.0.usage = Some(usage);
        self.0.usage_source = UsageSource::Provider;
        self
    }

    /// Sets a usage of text only: the tokens of the input and of the visible output.
    #[must_use]
    pub fn tokens(self, input: u64, output: u64) -> Self {
        self.usage(Usage::default().with(Bucket::Input, input).with(Bucket::Output, output))
    }

    /// Sets the cost, in picodollars.
    #[must_use]
    pub fn cost_picos(mut self, picos: i128) -> Self {
        let cost = Cost::free(PRICE_VERSION, self.0.start);
        self.0.cost = Some(Cost { usd: Some(Usd::from_picos(picos)), ..cost });
        self
    }

    /// States that the call has no price, and why.
    #[must_use]
    pub fn unpriced(mut self, reason: UnpricedReason) -> Self {
        let cost = Cost::free(PRICE_VERSION, self.0.start);
        self.0.cost = Some(Cost { usd: None, reason: Some(reason), ..cost });
        self
    }

    /// Sets the response's id, given by a provider whose ids are unique.
    #[must_use]
    pub fn response(self, id: &str) -> Self {
        self.response_ref("openai", id, true)
    }

    /// Sets the response's id, given by a host whose ids may repeat, such as a gateway.
    #[must_use]
    pub fn response_of_gateway(self, host: &str, id: &str) -> Self {
        self.response_ref(host, id, false)
    }

    fn response_ref(mut self, namespace: &str, id: &str, unique: bool) -> Self {
        self.0.response = Some(ResponseRef { namespace: namespace.to_owned(), id: id.to_owned(), unique });
        self
    }

    /// States that the call failed before the model ran. It costs nothing.
    #[must_use]
    pub fn failed(mut self, code: &str) -> Self {
        self.0.outcome = CallOutcome::Failed(code.to_owned());
        self.cost_picos(0)
    }

    /// States that the call broke off after the model had begun.
    #[must_use]
    pub fn incomplete(mut self, code: &str) -> Self {
        self.0.outcome = CallOutcome::Incomplete(code.to_owned());
        self
    }

    /// Puts the call into a trace.
    #[must_use]
    pub fn in_trace(mut self, trace: &str, span: &str, parent: Option<&str>) -> Self {
        self.0.trace_id = Some(trace.to_owned());
        self.0.span_id = Some(span.to_owned());
        self.0.parent_span_id = parent.map(str::to_owned);
        self
    }

    /// Makes it an aggregate over calls, such as an agent's span, that ends at this second.
    #[must_use]
    pub fn aggregate(mut self, end_s: i64) -> Self {
        self.0.role = Role::Aggregate;
        self.0.end = Timestamp::from_nanos(end_s * SECOND);
        self
    }

    /// Attributes it completely ([`attribution`]).
    #[must_use]
    pub fn attributed(self) -> Self {
        self.attribution(attribution())
    }

    /// Sets the attribution.
    #[must_use]
    pub fn attribution(mut self, attribution: PartialAttribution) -> Self {
        self.0.attribution = attribution;
        self
    }

    /// Changes any field.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Observation)) -> Self {
        change(&mut self.0);
        self
    }

    /// The observation.
    pub fn build(self) -> Observation {
        self.0
    }
}

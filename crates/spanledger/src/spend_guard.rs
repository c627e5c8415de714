//! A guard that is asked before each call and may refuse it.

use std::{
    borrow::Cow,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use http::StatusCode;
use spanledger_event::{
    Bucket, Endpoint, EventId, Observation, ObservedAs, PartialAttribution, Timestamp, Usage, Usd,
};

use crate::{recorder::RecorderPrices, request::RequestInfo};

mod monthly;
#[cfg(test)]
mod tests;

pub use monthly::MonthlyQuota;

/// Is asked before each billable call, and may refuse it. A call that it refuses fails with
/// [`Error::Refused`](crate::Error::Refused) and is not sent.
///
/// Both functions are called in the way of a call and must not block. A panic in one of them is logged and has no
/// other effect: the call is made.
pub trait SpendGuard: Send + Sync {
    /// Reserves what a call may cost, or refuses the call.
    fn reserve(&self, call: &PlannedCall) -> Result<(), SpendRefusal>;

    /// Replaces a reservation by the cost of the call. It is called once for each reservation, soon after the call
    /// has ended. The cost is `None` if it is not known; then the call may have cost as much as was reserved.
    fn settle(&self, call: &PlannedCall, cost: Option<Usd>);
}

/// A call that is about to be sent.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PlannedCall {
    /// Whom the call is for. Fields are missing only if calls without attribution are quarantined.
    pub attribution: PartialAttribution,
    /// The provider by its OpenTelemetry name.
    pub provider: String,
    /// The requested model.
    pub model: Option<String>,
    /// The API that is called.
    pub endpoint: Endpoint,
    /// When the call is made.
    pub at: Timestamp,
    /// What the call may cost. Its input has at most as many tokens as the request has bytes, and its output as many
    /// as the request allows, or [`OUTPUT_TOKENS_ASSUMED`](Self::OUTPUT_TOKENS_ASSUMED). `None` if the price book has
    /// no price, or the API is not billed by tokens of text.
    ///
    /// Input that the request only refers to, such as an earlier response or an image behind a URL, is not in it.
    pub upper_bound: Option<Usd>,
}

impl PlannedCall {
    /// The number of output tokens that is assumed for a request that sets no maximum.
    pub const OUTPUT_TOKENS_ASSUMED: u64 = 16_384;

    /// A call of a customer, to test a guard.
    pub fn new(attribution: PartialAttribution, at: Timestamp, upper_bound: Option<Usd>) -> Self {
        Self {
            attribution,
            provider: String::new(),
            model: None,
            endpoint: Endpoint::default(),
            at,
            upper_bound,
        }
    }

    pub(crate) fn of(
        request: &RequestInfo,
        attribution: PartialAttribution,
        at: Timestamp,
        prices: &RecorderPrices,
    ) -> Self {
        Self {
            attribution,
            provider: request.provider.as_ref().to_owned(),
            model: request.model.as_deref().map(str::to_owned),
            endpoint: request.endpoint,
            at,
            upper_bound: upper_bound(request, at, prices),
        }
    }
}

/// What a call may cost.
fn upper_bound(request: &RequestInfo, at: Timestamp, prices: &RecorderPrices) -> Option<Usd> {
    let positive = |number: Option<i64>| number.and_then(|number| u64::try_from(number).ok());
    let output = match request.endpoint {
        Endpoint::Chat | Endpoint::Responses | Endpoint::Completions => {
            let allowed = positive(request.max_tokens).unwrap_or(PlannedCall::OUTPUT_TOKENS_ASSUMED);
            allowed.saturating_mul(positive(request.choices).unwrap_or(1))
        }
        Endpoint::Embeddings => 0,
        _ => return None,
    };
    let input = u64::try_from(request.body_bytes?).ok()?;
    let mut o = Observation::new(EventId::default(), String::new(), ObservedAs::Record, at);
    request.provider.as_ref().clone_into(&mut o.provider);
    o.endpoint = request.endpoint;
    o.model = request.model.as_deref().map(str::to_owned);
    o.service_tier.clone_from(&request.service_tier);
    o.usage = Some(Usage::default().with(Bucket::Input, input).with(Bucket::Output, output));
    prices.price(&mut o);
    o.cost?.usd
}

/// Why a guard refuses a call. It has the form of an HTTP answer, so that a service can pass it on.
///
/// ```
/// use spanledger::SpendRefusal;
///
/// let refusal = SpendRefusal::monthly_quota("acme has used 50 of 50 dollars in 2026-11");
/// assert_eq!(refusal.status(), 429);
/// assert_eq!(
///     refusal.body(),
///     r#"{"error":"monthly_ai_quota_exceeded","message":"acme has used 50 of 50 dollars in 2026-11"}"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct SpendRefusal {
    code: Cow<'static, str>,
    message: String,
}

impl SpendRefusal {
    /// A refusal with an error code of your own.
    pub fn new(code: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into() }
    }

    /// A refusal because a customer's quota of the month is used up.
    pub fn monthly_quota(message: impl Into<String>) -> Self {
        Self::new("monthly_ai_quota_exceeded", message)
    }

    /// The error code.
    pub fn code(&self) -> &str {
        &self.code
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The HTTP status for an answer: 429.
    pub fn status(&self) -> StatusCode {
        StatusCode::TOO_MANY_REQUESTS
    }

    /// The JSON body for an answer.
    pub fn body(&self) -> String {
        #[derive(serde::Serialize)]
        struct Body<'a> {
            error: &'a str,
            message: &'a str,
        }
        let body = Body { error: &self.code, message: &self.message };
        // Two texts can always be written as JSON.
        serde_json::to_string(&body).unwrap_or_default()
    }
}

/// The answer of a service that passes the refusal on.
#[cfg(feature = "axum")]
impl axum::response::IntoResponse for SpendRefusal {
    fn into_response(self) -> axum::response::Response {
        let content_type = [(http::header::CONTENT_TYPE, "application/json")];
        (self.status(), content_type, self.body()).into_response()
    }
}

/// What a guard has reserved for a call. It is settled once; at the latest when it is dropped.
pub(crate) struct Reservation {
    guard: Arc<dyn SpendGuard>,
    call: PlannedCall,
    is_settled: bool,
}

impl Reservation {
    /// Asks a guard.
    pub(crate) fn make(guard: &Arc<dyn SpendGuard>, call: PlannedCall) -> Result<Option<Self>, SpendRefusal> {
        match catch_unwind(AssertUnwindSafe(|| guard.reserve(&call))) {
            Ok(Ok(())) => {
                let guard = Arc::clone(guard);
                Ok(Some(Self { guard, call, is_settled: false }))
            }
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => {
                tracing::error!(
                    "spanledger.guard.panicked: `SpendGuard::reserve` has panicked, and the call is made"
                );
                Ok(None)
            }
        }
    }

    /// Tells the guard what the call has cost.
    pub(crate) fn settle(mut self, o: &Observation) {
        self.settle_with(o.cost.as_ref().and_then(|cost| cost.usd));
    }

    fn settle_with(&mut self, cost: Option<Usd>) {
        if std::mem::replace(&mut self.is_settled, true) {
            return;
        }
        if catch_unwind(AssertUnwindSafe(|| self.guard.settle(&self.call, cost))).is_err() {
            tracing::error!("spanledger.guard.panicked: `SpendGuard::settle` has panicked");
        }
    }
}

impl Drop for Reservation {
    /// A call whose record could not be queued has no known cost.
    fn drop(&mut self) {
        self.settle_with(None);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("call", &self.call).finish_non_exhaustive()
    }
}

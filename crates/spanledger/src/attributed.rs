//! Attribution at the call site.
//!
//! An API group of `async-openai` takes headers, a query and a path, and nothing else that reaches the
//! layer. So the attribution travels as JSON in a header, and the layer removes the header before
//! anything is sent.

use async_openai::traits::RequestOptionsBuilder;
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use spanledger_event::Attribution;

/// Carries the attribution from the call to the layer.
const HEADER: HeaderName = HeaderName::from_static("x-spanledger-attribution");

/// Says who a call is for, on any API group of the client.
///
/// The attribution travels in an internal header that the layer removes before anything is sent.
/// Use it on a client made by [`instrument`](crate::instrument): a client without the layer would
/// send the header on.
pub trait Attributed: RequestOptionsBuilder {
    /// The same group; its calls are for `attribution`.
    #[must_use]
    fn attributed(self, attribution: &Attribution) -> Self {
        self.headers(HeaderMap::from_iter([(HEADER, encode(attribution))]))
    }
}

impl<T: RequestOptionsBuilder> Attributed for T {}

fn encode(attribution: &Attribution) -> HeaderValue {
    // Neither step can fail. If one did, the empty value would make the layer refuse the call.
    let json = serde_json::to_vec(attribution).unwrap_or_default();
    let mut value = HeaderValue::try_from(BASE64_STANDARD_NO_PAD.encode(json))
        .unwrap_or_else(|_| HeaderValue::from_static(""));
    // Kept out of debug output.
    value.set_sensitive(true);
    value
}

/// The header of a call holds something else than an attribution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{HEADER}` cannot be read as an attribution ({problem})")]
pub(crate) struct UnreadableAttribution {
    problem: String,
}

/// Takes the attribution off a request, together with the baggage, which must not reach the provider
/// either.
pub(crate) fn take(headers: &mut HeaderMap) -> Result<Option<Attribution>, UnreadableAttribution> {
    // W3C baggage names tenants and users; it is meant for our own services.
    headers.remove("baggage");
    headers.remove(HEADER).map(|value| decode(&value)).transpose()
}

fn decode(value: &HeaderValue) -> Result<Attribution, UnreadableAttribution> {
    let unreadable = |problem: String| UnreadableAttribution { problem };
    let json =
        BASE64_STANDARD_NO_PAD.decode(value.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
    // This checks each value again: any code can set a header.
    serde_json::from_slice(&json).map_err(|error| unreadable(error.to_string()))
}

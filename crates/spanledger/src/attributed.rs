//! Attribution at the call site.
//!
//! Through an API group of `async-openai`, only headers, a query and a path reach the layer. The attribution is
//! therefore passed as JSON in a header, which the layer removes before anything is sent.

use async_openai::traits::RequestOptionsBuilder;
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use spanledger_event::Attribution;

/// The header that carries the attribution from the call to the layer.
const HEADER: HeaderName = HeaderName::from_static("x-spanledger-attribution");

/// Attaches an attribution to the calls of any API group of the client.
///
/// The attribution is passed in an internal header that the layer removes before anything is sent. Use this
/// trait only on a client made by [`instrument`](crate::instrument): a client without the layer would send
/// the header to the provider.
pub trait Attributed: RequestOptionsBuilder {
    /// Returns the same group, whose calls have this attribution.
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
    // A sensitive value does not appear in debug output.
    value.set_sensitive(true);
    value
}

/// The error for a header whose value is not an attribution.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the header `{HEADER}` cannot be read as an attribution ({problem})")]
pub(crate) struct UnreadableAttribution {
    problem: String,
}

/// Removes the attribution from a request and returns it. Also removes the baggage, which must not reach the
/// provider either.
pub(crate) fn take(headers: &mut HeaderMap) -> Result<Option<Attribution>, UnreadableAttribution> {
    // W3C baggage can name tenants and users; it is meant for the user's services, not for the provider.
    headers.remove("baggage");
    headers.remove(HEADER).map(|value| decode(&value)).transpose()
}

fn decode(value: &HeaderValue) -> Result<Attribution, UnreadableAttribution> {
    let unreadable = |problem: String| UnreadableAttribution { problem };
    let json =
        BASE64_STANDARD_NO_PAD.decode(value.as_bytes()).map_err(|error| unreadable(error.to_string()))?;
    // Each value is validated again, because any code can set the header.
    serde_json::from_slice(&json).map_err(|error| unreadable(error.to_string()))
}

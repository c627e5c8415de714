//! Attribution at the call site.

use async_openai::traits::RequestOptionsBuilder;
use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use spanledger_event::Attribution;

/// Carries the attribution from the call to the layer, which takes it off again.
pub(crate) const HEADER: HeaderName = HeaderName::from_static("x-spanledger-attribution");

/// Says who a call is for, on any API group of the client.
///
/// The attribution travels in an internal header that the layer removes before anything is sent.
/// Use it on a client made by [`instrument`](crate::instrument): a client without the layer would
/// send the header on.
pub trait Attributed: RequestOptionsBuilder {
    /// The same group; its calls are for `attribution`.
    #[must_use]
    fn attributed(self, attribution: &Attribution) -> Self {
        let mut headers = HeaderMap::new();
        if let Some(value) = encode(attribution) {
            headers.insert(HEADER, value);
        }
        self.headers(headers)
    }
}

impl<T: RequestOptionsBuilder> Attributed for T {}

fn encode(attribution: &Attribution) -> Option<HeaderValue> {
    let json = serde_json::to_vec(attribution).ok()?;
    let mut value = HeaderValue::try_from(BASE64_STANDARD_NO_PAD.encode(json)).ok()?;
    // Kept out of debug output.
    value.set_sensitive(true);
    Some(value)
}

/// Takes the attribution off a request, together with what else must not reach the provider.
pub(crate) fn take(headers: &mut HeaderMap) -> Option<Attribution> {
    // W3C baggage names tenants and users; it is for our own services.
    headers.remove("baggage");
    let value = headers.remove(HEADER)?;
    let json = BASE64_STANDARD_NO_PAD.decode(value.as_bytes()).ok()?;
    serde_json::from_slice(&json).ok()
}

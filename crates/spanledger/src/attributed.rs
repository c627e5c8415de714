//! Attribution at the call site, and the extension trait for attribution.
//!
//! Through an API group of `async-openai`, only headers, a query and a path reach the layer. The attribution is
//! therefore passed as JSON in a header, which the layer removes before anything is sent.

use std::cell::RefCell;

use async_openai::traits::RequestOptionsBuilder;
use bytes::Bytes;
use futures_util::Stream;
use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use spanledger_event::Attribution;

use crate::{
    baggage::AllowedBaggage,
    scope::{self, Scoped},
};

/// The header that carries the attribution from the call to the layer.
const HEADER: HeaderName = HeaderName::from_static("x-spanledger-attribution");

/// Says for whom calls are made: attaches an [`Attribution`] to the calls of an API group, of a future, of a
/// stream or of an OpenTelemetry context.
///
/// An attribution that is attached to the call counts before that of the task's scope, which counts before that
/// of the current context.
pub trait Attributed: Sized {
    /// Returns the same API group of the client, whose calls have this attribution.
    ///
    /// The attribution is passed in an internal header that the layer removes before anything is sent. Use this
    /// method only on a client made by [`instrument`](crate::instrument): a client without the layer would
    /// send the header to the provider.
    #[must_use]
    fn attributed(self, attribution: &Attribution) -> Self
    where
        Self: RequestOptionsBuilder,
    {
        self.headers(HeaderMap::from_iter([(HEADER, encode(attribution))]))
    }

    /// Returns a future whose calls have this attribution. It can be spawned.
    ///
    /// Scopes can be nested; the innermost one counts. The attribution also is in the OpenTelemetry context, so
    /// that a task which the future spawns has it if the task takes the context along:
    /// `tokio::spawn(task.with_current_context())` or, with `tracing-opentelemetry`, the span of a task that is
    /// created inside the scope, as in `tokio::spawn(task.instrument(info_span!("digest")))`. A span that was
    /// created before the scope does not carry the attribution.
    fn scope<F: Future>(&self, future: F) -> Scoped<F>
    where
        Self: AsAttribution,
    {
        Scoped::new(self.as_attribution().clone(), future)
    }

    /// Returns a stream whose calls have this attribution, wherever the stream is polled. Use it for the body of a
    /// response, which is polled after the handler has returned.
    fn scope_stream<S: Stream>(&self, stream: S) -> Scoped<S>
    where
        Self: AsAttribution,
    {
        Scoped::new(self.as_attribution().clone(), stream)
    }

    /// Returns the OpenTelemetry context with this attribution. For synchronous code, attach it:
    /// `let _guard = attribution.in_context(&Context::current()).attach();`
    #[must_use]
    fn in_context(&self, context: &Context) -> Context
    where
        Self: AsAttribution,
    {
        scope::in_context(self.as_attribution(), context)
    }

    /// Returns the OpenTelemetry context whose baggage has the [allowed fields](AllowedBaggage) of this
    /// attribution. OpenTelemetry's `BaggagePropagator` sends the baggage to the services that are called in this
    /// context, so use it only for requests to your own services.
    #[must_use]
    fn in_baggage(&self, context: &Context) -> Context
    where
        Self: AsAttribution,
    {
        AllowedBaggage::of_process().in_context(self.as_attribution(), context)
    }
}

impl<T> Attributed for T {}

/// The type is [`Attribution`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an `Attribution`",
    label = "only an `Attribution` has a scope",
    note = "make one with `Attribution::builder()`"
)]
pub trait AsAttribution: sealed::Sealed {
    /// The attribution.
    fn as_attribution(&self) -> &Attribution;
}

impl AsAttribution for Attribution {
    fn as_attribution(&self) -> &Attribution {
        self
    }
}

mod sealed {
    /// No other crate can implement the trait.
    pub trait Sealed {}
    impl Sealed for super::Attribution {}
}

thread_local! {
    /// The header that was made last on this thread, with its attribution. A call usually reaches the layer on the
    /// thread on which its attribution was attached, so that the header need not be parsed.
    static LAST: RefCell<Option<(HeaderValue, Attribution)>> = const { RefCell::new(None) };
}

fn encode(attribution: &Attribution) -> HeaderValue {
    // Neither step can fail, because JSON escapes control characters and an attribution has none. If one did, the
    // empty value would make the layer refuse the call.
    let json = serde_json::to_vec(attribution).unwrap_or_default();
    let mut value =
        HeaderValue::from_maybe_shared(Bytes::from(json)).unwrap_or_else(|_| HeaderValue::from_static(""));
    // A sensitive value does not appear in debug output.
    value.set_sensitive(true);
    LAST.set(Some((value.clone(), attribution.clone())));
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
    let last = LAST.with_borrow(|last| {
        last.as_ref()
            .filter(|(header, _)| header.as_bytes() == value.as_bytes())
            .map(|(_, last)| last.clone())
    });
    if let Some(attribution) = last {
        return Ok(attribution);
    }
    // Each value is validated again, because any code can set the header.
    serde_json::from_slice(value.as_bytes()).map_err(|error| unreadable(error.to_string()))
}

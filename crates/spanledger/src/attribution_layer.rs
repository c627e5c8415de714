//! A tower layer that attributes what the handlers of an HTTP server call.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context as TaskContext, Poll, ready},
};

use http::{HeaderMap, Request, Response, request::Parts};
use opentelemetry::{
    baggage::BaggageExt as _,
    propagation::{Extractor, TextMapPropagator as _},
};
use opentelemetry_sdk::propagation::BaggagePropagator;
use pin_project_lite::pin_project;
use spanledger_event::{AttributionError, Field, PartialAttribution, check_value};

use crate::{
    baggage::{self, AllowedBaggage},
    scope::{self, IncompleteAttribution, Known, Scoped},
};

#[cfg(feature = "axum")]
mod axum;
#[cfg(test)]
mod tests;

/// Attributes the calls that an HTTP server makes for a request: those of the handler, and those that are made
/// while the body of the response is streamed.
///
/// Each field is a value, or a function of the request's head. A request whose attribution lacks a field, or has a
/// value that is not legal, is handled all the same. Its calls need an attribution of their own: without one they are
/// refused with an error that names the field, or quarantined with the fields that are known.
///
/// ```
/// use spanledger::AttributionLayer;
///
/// /// What the service's own authentication puts into the request's extensions.
/// #[derive(Clone)]
/// struct Account {
///     id: String,
/// }
///
/// let layer = AttributionLayer::new()
///     .feature("search")
///     .environment("production")
///     .route_from(|request| Some(request.uri.path().to_owned()))
///     .customer_id_from(|request| Some(request.extensions.get::<Account>()?.id.clone()));
/// # drop(layer);
/// ```
///
/// With the feature `axum`, `route_from_matched_path` fills the route. Apply the layer with
/// `Router::layer`, after the layer that authenticates was added, so that it runs outside of this one:
/// the last layer that is added runs first.
#[derive(Clone, Debug, Default)]
pub struct AttributionLayer {
    sources: Arc<Sources>,
}

#[derive(Clone, Debug, Default)]
struct Sources {
    fields: Vec<(Field, Source)>,
    baggage: Option<AllowedBaggage>,
}

/// Where the value of a field comes from.
#[derive(Clone)]
enum Source {
    Value(String),
    Request(Arc<FromRequest>),
}

type FromRequest = dyn Fn(&Parts) -> Option<String> + Send + Sync;

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => value.fmt(f),
            Self::Request(_) => f.write_str("from the request"),
        }
    }
}

macro_rules! field {
    ($field:expr, $value:ident, $function:ident, $doc:literal) => {
        #[doc = concat!("Sets ", $doc, ".")]
        #[must_use]
        pub fn $value(self, value: impl Into<String>) -> Self {
            self.with($field, Source::Value(value.into()))
        }

        #[doc = concat!("Takes ", $doc, " from the head of each request.")]
        #[must_use]
        pub fn $function(self, value: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
            self.with($field, Source::Request(Arc::new(value)))
        }
    };
}

impl AttributionLayer {
    /// Creates a layer without a source for any field.
    pub fn new() -> Self {
        Self::default()
    }

    field!(Field::Feature, feature, feature_from, "the product feature");
    field!(Field::Route, route, route_from, "the route");
    field!(Field::CustomerId, customer_id, customer_id_from, "the paying account");
    field!(Field::Environment, environment, environment_from, "the environment");

    /// Takes your id of the logical request from the head of each request. Without one, each call gets an id of
    /// its own.
    #[must_use]
    pub fn request_id_from(self, value: impl Fn(&Parts) -> Option<String> + Send + Sync + 'static) -> Self {
        self.with(Field::RequestId, Source::Request(Arc::new(value)))
    }

    /// Reads these fields from the `baggage` header, before the other sources. Use it only in a service that gets
    /// its requests from your own services: whoever sends the header says who pays.
    #[must_use]
    pub fn accept_baggage(mut self, allowed: AllowedBaggage) -> Self {
        Arc::make_mut(&mut self.sources).baggage = Some(allowed);
        self
    }

    fn with(mut self, field: Field, source: Source) -> Self {
        let fields = &mut Arc::make_mut(&mut self.sources).fields;
        fields.retain(|(other, _)| *other != field);
        fields.push((field, source));
        self
    }
}

impl Sources {
    fn attribution(&self, request: &Parts) -> Known {
        let (known, problem) = self.fields_of(request);
        let problem = match problem {
            Some(problem) => problem,
            None => match known.clone().try_into() {
                Ok(attribution) => return Ok(attribution),
                Err(problem) => problem,
            },
        };
        Err(Arc::new(IncompleteAttribution { known, problem }))
    }

    /// The legal values, and what is wrong with the first one that is not.
    fn fields_of(&self, request: &Parts) -> (PartialAttribution, Option<AttributionError>) {
        let mut problem = None;
        let mut partial = match &self.baggage {
            Some(allowed) => of_headers(allowed, &request.headers),
            None => PartialAttribution::default(),
        };
        for (field, source) in &self.fields {
            if baggage::value_of(&partial, field).is_some() {
                continue;
            }
            let value = match source {
                Source::Value(value) => Some(value.clone()),
                Source::Request(value) => value(request),
            };
            let Some(value) = value else { continue };
            match check_value(field, &value) {
                Ok(()) => baggage::set(&mut partial, field, value),
                // It says more than that the field is missing.
                Err(illegal) => problem = problem.or(Some(illegal)),
            }
        }
        (partial, problem)
    }
}

/// The attribution in the `baggage` headers of a request.
fn of_headers(allowed: &AllowedBaggage, headers: &HeaderMap) -> PartialAttribution {
    /// The headers as one text, because the propagator reads one.
    struct Joined(String);

    impl Extractor for Joined {
        fn get(&self, _key: &str) -> Option<&str> {
            Some(&self.0)
        }

        fn keys(&self) -> Vec<&str> {
            Vec::new()
        }
    }

    let values: Vec<&str> =
        headers.get_all("baggage").iter().filter_map(|value| value.to_str().ok()).collect();
    if values.is_empty() {
        return PartialAttribution::default();
    }
    let context = opentelemetry::Context::new();
    let context = BaggagePropagator::new().extract_with_context(&context, &Joined(values.join(",")));
    allowed.attribution(context.baggage())
}

impl<S> tower::Layer<S> for AttributionLayer {
    type Service = AttributionService<S>;

    fn layer(&self, inner: S) -> AttributionService<S> {
        AttributionService { inner, sources: Arc::clone(&self.sources) }
    }
}

/// The service that [`AttributionLayer`] makes.
#[derive(Clone, Debug)]
pub struct AttributionService<S> {
    inner: S,
    sources: Arc<Sources>,
}

impl<S, B, R> tower::Service<Request<B>> for AttributionService<S>
where
    S: tower::Service<Request<B>, Response = Response<R>>,
{
    type Response = Response<Scoped<R>>;
    type Error = S::Error;
    type Future = AttributionFuture<S::Future>;

    fn poll_ready(&mut self, task: &mut TaskContext<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(task)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (parts, body) = request.into_parts();
        let attribution = self.sources.attribution(&parts);
        if let Err(incomplete) = &attribution {
            let (error, path) = (&incomplete.problem, parts.uri.path());
            tracing::debug!(target: "spanledger", %error, path, "spanledger.attribution.incomplete");
        }
        let request = Request::from_parts(parts, body);
        // A service may make calls before it returns its future.
        let future = scope::sync(&attribution, || self.inner.call(request));
        AttributionFuture { inner: Scoped::with_known(attribution.clone(), future), attribution }
    }
}

pin_project! {
    /// The future of an [`AttributionService`].
    #[derive(Debug)]
    pub struct AttributionFuture<F> {
        #[pin]
        inner: Scoped<F>,
        attribution: Known,
    }
}

impl<F, R, E> Future for AttributionFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = Result<Response<Scoped<R>>, E>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let response = ready!(this.inner.poll(task))?;
        Poll::Ready(Ok(response.map(|body| Scoped::with_known(this.attribution.clone(), body))))
    }
}

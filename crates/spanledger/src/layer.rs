//! The tower layer.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    task::{Context, Poll},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use bytes::Bytes;
use reqwest::{Request, Response};

use crate::{
    Recorder, attributed, body, call::CallInFlight, error::outcome_of, request::RequestInfo, scope,
    span::CallerContext,
};

/// Attributes, traces, prices and records every billable call of an `async-openai` client.
///
/// It must be the outermost layer: the caller's task, with its span and its
/// [scope](crate::Attributed::scope), is visible only there. [`instrument`](crate::instrument) builds the
/// usual stack; use the layer where you compose a stack yourself.
///
/// ```
/// use async_openai::{Client, config::OpenAIConfig};
/// use async_openai::middleware::{ReqwestService, retry::OpenAIRetryLayer};
/// use spanledger::SpanledgerLayer;
///
/// let http_client = reqwest::Client::new();
/// let service = tower::ServiceBuilder::new()
///     .layer(SpanledgerLayer::new())
///     .layer(OpenAIRetryLayer::default())
///     .service(ReqwestService::new(http_client.clone()));
/// let client = Client::build(http_client, OpenAIConfig::new()).with_http_service(service);
/// # let _: Client<OpenAIConfig> = client;
/// ```
#[derive(Clone, Debug, Default)]
pub struct SpanledgerLayer {
    provider: Option<Arc<str>>,
    recorder: Option<Recorder>,
    without_stream_usage: bool,
}

impl SpanledgerLayer {
    /// Creates a layer that uses the [`Recorder`] of the process.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the provider behind the base URL by its OpenTelemetry name. The calls are priced with its prices.
    /// Set it if the host does not identify the provider, for example for a gateway.
    #[must_use]
    pub fn with_provider(mut self, name: impl Into<String>) -> Self {
        self.provider = Some(name.into().into());
        self
    }

    /// Sets whether the layer requests the usage of chat streams (default: yes). Switch it off for a server
    /// that refuses `stream_options`; its streams are then unpriced.
    #[must_use]
    pub fn with_stream_usage(mut self, ask: bool) -> Self {
        self.without_stream_usage = !ask;
        self
    }

    /// Sets the recorder of this client. The default is the recorder of the process.
    #[must_use]
    pub fn with_recorder(mut self, recorder: Recorder) -> Self {
        self.recorder = Some(recorder);
        self
    }
}

impl<S> tower::Layer<S> for SpanledgerLayer {
    type Service = Instrumented<S>;

    fn layer(&self, inner: S) -> Instrumented<S> {
        Instrumented { inner, layer: self.clone() }
    }
}

/// The service that [`SpanledgerLayer`] makes.
#[derive(Clone, Debug)]
pub struct Instrumented<S> {
    inner: S,
    layer: SpanledgerLayer,
}

impl<S> tower::Service<HttpRequestFactory> for Instrumented<S>
where
    S: tower::Service<HttpRequestFactory, Response = Response> + Clone + Send + 'static,
    S::Error: Into<OpenAIError>,
    S::Future: Send,
{
    type Response = Response;
    type Error = OpenAIError;
    type Future = Pin<Box<dyn Future<Output = Result<Response, OpenAIError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), OpenAIError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, factory: HttpRequestFactory) -> Self::Future {
        // The service that was polled ready handles this call. The clone is polled before the next call.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        // This must not be moved into the future, which may be polled in another task than the caller's.
        let caller = CallerContext::current();
        let scoped = scope::current();
        let layer = self.layer.clone();
        Box::pin(async move {
            let mut first = factory.build().await?;
            let attached = attributed::take(first.headers_mut());
            let request = RequestInfo::read(&first, layer.provider.as_deref(), !layer.without_stream_usage);
            let Some(request) = request else {
                let factory = Attempts::new(factory, first, None).into_factory();
                return inner.call(factory).await.map_err(Into::into);
            };
            let attribution = match attached {
                Ok(attached) => attached.or(scoped).ok_or_else(|| unattributed(&request))?,
                Err(error) => return Err(refusal(&request, &error.to_string())),
            };
            let recorder = layer.recorder.unwrap_or_else(|| Recorder::global().clone());
            let attempts = Attempts::new(factory, first, request.body_with_usage.clone());
            let hide_usage = request.body_with_usage.is_some();
            let mut call =
                CallInFlight::start(recorder, request, &attribution, &caller, Arc::clone(&attempts.count));
            match inner.call(attempts.into_factory()).await.map_err(Into::into) {
                Ok(response) => body::observe(response, call, hide_usage).await,
                Err(error) => {
                    call.fail(outcome_of(&error), Some(error.to_string()));
                    Err(error)
                }
            }
        })
    }
}

/// The HTTP requests of one call: the first one, which is already built, and one for each retry.
struct Attempts {
    factory: HttpRequestFactory,
    /// The first request. It is sent after it was inspected, because building it again could read a file again.
    first: Request,
    /// The body that replaces the body of each request.
    body: Option<Bytes>,
    /// The number of requests so far.
    count: Arc<AtomicU32>,
}

impl Attempts {
    fn new(factory: HttpRequestFactory, first: Request, body: Option<Bytes>) -> Self {
        Self { factory, first, body, count: Arc::default() }
    }

    fn into_factory(self) -> HttpRequestFactory {
        let Self { factory, first, body, count } = self;
        let first = Arc::new(Mutex::new(Some(first)));
        HttpRequestFactory::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            let first = first.lock().unwrap_or_else(PoisonError::into_inner).take();
            let (factory, body) = (factory.clone(), body.clone());
            async move {
                let mut request = match first {
                    Some(request) => request,
                    None => {
                        let mut request = factory.build().await?;
                        // The attribution is known from the first request; here the header is only removed.
                        drop(attributed::take(request.headers_mut()));
                        request
                    }
                };
                if let Some(body) = body {
                    *request.body_mut() = Some(body.into());
                }
                Ok(request)
            }
        })
    }
}

fn unattributed(request: &RequestInfo) -> OpenAIError {
    refusal(
        request,
        "it has no attribution: feature, route, customer_id and environment are missing. Attach one with \
         `.attributed(&attribution)` before the call, or run the task in `attribution.scope(…)`",
    )
}

fn refusal(request: &RequestInfo, reason: &str) -> OpenAIError {
    OpenAIError::InvalidArgument(format!("spanledger: {} was not sent, because {reason}", request.path))
}

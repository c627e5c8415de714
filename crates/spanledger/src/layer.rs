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
use spanledger_event::CallOutcome;

use crate::{
    Recorder, attributed,
    call::Call,
    request::Asked,
    response::{self, error_type},
    scope,
    span::Surroundings,
};

/// Attributes, traces, prices and records every billable call of an `async-openai` client.
///
/// It must be the outermost layer: the caller's task, with its span and its
/// [scope](crate::Scope), is visible only there. [`instrument`](crate::instrument) builds the
/// usual stack; this is for those who compose one themselves.
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
    leave_streams_alone: bool,
}

impl SpanledgerLayer {
    /// A layer that records to the process's [`Recorder`].
    pub fn new() -> Self {
        Self::default()
    }

    /// The provider behind the base URL, by its OpenTelemetry name, where it is neither OpenAI nor
    /// Azure.
    #[must_use]
    pub fn with_provider(mut self, name: impl Into<String>) -> Self {
        self.provider = Some(name.into().into());
        self
    }

    /// Whether chat streams are asked for their usage (default: yes). Switch it off for a server
    /// that refuses `stream_options`; its streams are unpriced then.
    #[must_use]
    pub fn with_stream_usage(mut self, ask: bool) -> Self {
        self.leave_streams_alone = !ask;
        self
    }

    /// A recorder of its own.
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
        // The one that was polled ready is used; the clone waits for its own turn.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let around = Surroundings::current();
        let scoped = scope::current();
        let layer = self.layer.clone();
        Box::pin(async move {
            let mut first = factory.build().await?;
            let given = attributed::take(first.headers_mut());
            let Some(asked) = Asked::of(&first, layer.provider.as_deref(), !layer.leave_streams_alone) else {
                let factory = replay(&factory, first, None, Arc::default());
                return inner.call(factory).await.map_err(Into::into);
            };
            let Some(attribution) = given.map(Arc::new).or(scoped) else {
                return Err(refuse(&asked));
            };
            let recorder = layer.recorder.unwrap_or_else(|| Recorder::global().clone());
            let attempts = Arc::new(AtomicU32::new(0));
            let body = asked.with_usage.clone();
            let hide_usage = body.is_some();
            let factory = replay(&factory, first, body, Arc::clone(&attempts));
            let mut call = Call::start(recorder, asked, &attribution, &around, attempts);
            match inner.call(factory).await.map_err(Into::into) {
                Ok(response) => response::watch(response, call, hide_usage).await,
                Err(error) => {
                    call.answered.message = Some(error.to_string());
                    call.finish(outcome(&error));
                    Err(error)
                }
            }
        })
    }
}

/// The same requests, without what is ours and with our body; the first is the one that was
/// already built, because building an upload reads its file.
fn replay(
    factory: &HttpRequestFactory,
    first: Request,
    body: Option<Bytes>,
    attempts: Arc<AtomicU32>,
) -> HttpRequestFactory {
    let first = Arc::new(Mutex::new(Some(first)));
    let factory = factory.clone();
    HttpRequestFactory::new(move || {
        attempts.fetch_add(1, Ordering::Relaxed);
        let built = first.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (factory, body) = (factory.clone(), body.clone());
        async move {
            let mut request = match built {
                Some(request) => request,
                None => {
                    let mut request = factory.build().await?;
                    // Taken off again; it was read from the first request.
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

fn refuse(asked: &Asked) -> OpenAIError {
    OpenAIError::InvalidArgument(format!(
        "spanledger: {} was not sent, because it has no attribution: feature, route, customer_id and environment are \
         missing. Attach one with `.attributed(&attribution)` before the call, or run the task in \
         `attribution.scope(…)`",
        asked.path
    ))
}

/// What an error that never became a response means for the invoice.
fn outcome(error: &OpenAIError) -> CallOutcome {
    let kind = error_type(error);
    let nothing_ran = match error {
        OpenAIError::ApiError(_) | OpenAIError::InvalidArgument(_) | OpenAIError::FileReadError(_) => true,
        // Nothing was sent. A request that was sent and not answered may have run.
        OpenAIError::Reqwest(error) => error.is_connect() || error.is_builder(),
        // `async-openai` gives up on a 429 whose body it cannot read.
        OpenAIError::JSONDeserialize(..) => true,
        _ => false,
    };
    if nothing_ran { CallOutcome::Failed(kind) } else { CallOutcome::Incomplete(kind) }
}

//! The tower layer.

use std::{
    pin::Pin,
    sync::{Arc, atomic::AtomicU32},
    task::{Context, Poll},
};

use async_openai::{error::OpenAIError, middleware::HttpRequestFactory};
use http::StatusCode;
use reqwest::{Request, Response, Url};
use spanledger_event::{Endpoint, PartialAttribution};
use tower::ServiceExt as _;

use crate::{
    Error, FinishedCall, PromptWarning, Recorder, SpanMode, SpendGuard,
    attempts::Attempts,
    attributed, body,
    call::{CallAttribution, CallInFlight, CallOptions},
    error::outcome_of,
    jobs::{self, JobRead},
    missing_attribution::{Incomplete, MissingAttribution},
    request::{Billing, Change, HostCache, ReadOptions, RequestInfo, billing_of, stream_usage},
    scope,
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
    settings: Arc<Settings>,
}

/// The settings of a layer, which all calls of its clients share.
#[derive(Clone, Debug)]
struct Settings {
    provider: Option<String>,
    recorder: Option<Recorder>,
    ask_for_usage: bool,
    estimate_usage: bool,
    /// The host that the clients call.
    host: HostCache,
    missing_attribution: MissingAttribution,
    call: CallOptions,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            provider: None,
            recorder: None,
            ask_for_usage: true,
            estimate_usage: false,
            host: HostCache::default(),
            missing_attribution: MissingAttribution::default(),
            call: CallOptions::default(),
        }
    }
}

impl SpanledgerLayer {
    /// Creates a layer that uses the [`Recorder`] of the process.
    pub fn new() -> Self {
        Self::default()
    }

    fn with(mut self, set: impl FnOnce(&mut Settings)) -> Self {
        set(Arc::make_mut(&mut self.settings));
        self
    }

    /// Sets the provider behind the base URL by its OpenTelemetry name. The calls are priced with its prices.
    ///
    /// Set it if the host does not identify the provider, for example for a gateway in front of OpenAI. A
    /// host that is not known is otherwise its own provider, which has no prices.
    #[must_use]
    pub fn with_provider(self, name: impl Into<String>) -> Self {
        self.with(|settings| {
            settings.provider = Some(name.into());
            settings.host = HostCache::default();
        })
    }

    /// Sets whether the layer requests the usage of chat streams (default: yes). A server that refuses
    /// `stream_options` is recognized by its answer, and gets the original request again.
    #[must_use]
    pub fn with_stream_usage(self, ask: bool) -> Self {
        self.with(|settings| settings.ask_for_usage = ask)
    }

    /// Sets whether the usage of a stream that ends without it is estimated by counting the tokens of its texts
    /// (default: no). The usage is marked as estimated, and a call keeps its prompt and its answer until its end.
    ///
    /// The estimate lacks what nobody sees: cached tokens, hidden reasoning, images and the definitions of tools.
    #[cfg(feature = "tokenizer")]
    #[must_use]
    pub fn with_usage_estimate(self, estimate: bool) -> Self {
        self.with(|settings| settings.estimate_usage = estimate)
    }

    /// Sets the recorder of this client. The default is the recorder of the process.
    #[must_use]
    pub fn with_recorder(self, recorder: Recorder) -> Self {
        self.with(|settings| settings.recorder = Some(recorder))
    }

    /// Sets what happens to a billable call without an attribution. By default it is refused.
    #[must_use]
    pub fn with_missing_attribution(self, missing: MissingAttribution) -> Self {
        self.with(|settings| settings.missing_attribution = missing)
    }

    /// Sets how the span of a call is made. The default is [`SpanMode::Auto`].
    #[must_use]
    pub fn with_span_mode(self, mode: SpanMode) -> Self {
        self.with(|settings| settings.call.span_mode = mode)
    }

    /// Sets whether the text of a provider's error is the status of the span (default: no), because it can quote
    /// the prompt. The error's code or type is on the span always.
    #[must_use]
    pub fn with_error_text(self, keep: bool) -> Self {
        self.with(|settings| settings.call.error_text = keep)
    }

    /// Sets a guard that is asked before each call and may refuse it. By default no call is refused for its cost.
    #[must_use]
    pub fn with_spend_guard(self, guard: impl SpendGuard + 'static) -> Self {
        self.with(|settings| settings.call.guard = Some(Arc::new(guard)))
    }

    /// Sets when a call logs a warning because its prompt is large. The default is above 250,000 tokens.
    #[must_use]
    pub fn with_prompt_warning(self, warning: PromptWarning) -> Self {
        self.with(|settings| settings.call.prompt_warning = warning)
    }

    /// Sets a function that is called with every call that has ended, on a thread of this crate, or on the caller's if
    /// the export is switched off. It must not block, because the records of other calls wait for it. A panic in it is
    /// logged and has no other effect.
    ///
    /// ```
    /// use spanledger::SpanledgerLayer;
    ///
    /// let layer = SpanledgerLayer::new().on_call_finished(|call| {
    ///     println!("{:?} cost {:?} dollars", call.model(), call.cost_usd());
    /// });
    /// ```
    #[must_use]
    pub fn on_call_finished(self, hook: impl Fn(&FinishedCall<'_>) + Send + Sync + 'static) -> Self {
        self.with(|settings| settings.call.hook = Some(Arc::new(hook)))
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
        let inner = std::mem::replace(&mut self.inner, clone);
        // These must not be moved into the future, which may be polled in another task than the caller's.
        let outer = OBSERVED.try_with(|observed| *observed).ok();
        let caller = CallerContext::current();
        let scoped = scope::current();
        let settings = Arc::clone(&self.layer.settings);
        let incomplete = scoped.is_none().then(|| Incomplete::current(settings.missing_attribution));
        Box::pin(async move {
            let mut first = factory.build().await?;
            let attached = attributed::take(first.headers_mut());
            let this_body = BodyId::of(&first);
            let billing = billing_of(first.method(), first.url().path());
            let endpoint = match billing {
                Billing::Billed(endpoint) | Billing::FreeCall(endpoint) => Some(endpoint),
                Billing::Unknown => Some(Endpoint::Other),
                Billing::Free => None,
            };
            // Another layer of the same client may observe the call already.
            let Some(endpoint) = endpoint.filter(|_| outer != Some(this_body)) else {
                let read = JobRead::of(&first, settings.provider.as_deref());
                let response = send(inner, factory, first, this_body).await?;
                let Some(read) = read.filter(|_| outer != Some(this_body)) else { return Ok(response) };
                let recorder = settings.recorder.as_ref().unwrap_or_else(|| Recorder::global()).clone();
                return Ok(jobs::observe(response, read, recorder));
            };
            let path = || first.url().path().to_owned();
            let attribution = match attached {
                Ok(attached) => attached.or(scoped),
                Err(error) => {
                    return Err(
                        Error::UnreadableAttribution { path: path(), problem: error.to_string() }.into()
                    );
                }
            };
            let attribution = match attribution {
                Some(attribution) => CallAttribution::Complete(attribution),
                // A call that is free, or of which it is not known, is not refused.
                None if !matches!(billing, Billing::Billed(_)) => {
                    CallAttribution::Partial(PartialAttribution::default())
                }
                None => {
                    let incomplete = incomplete.unwrap_or_default();
                    match settings.missing_attribution {
                        MissingAttribution::Quarantine => {
                            CallAttribution::Partial(incomplete.warn_and_take(first.url()))
                        }
                        MissingAttribution::Refuse => return Err(incomplete.refusal(path()).into()),
                    }
                }
            };
            let options = ReadOptions {
                host: Some(&settings.host),
                provider: settings.provider.as_deref(),
                ask_for_usage: settings.ask_for_usage,
                estimate_usage: settings.estimate_usage,
            };
            let (request, change) = RequestInfo::read(&first, endpoint, options);
            let recorder = settings.recorder.as_ref().unwrap_or_else(|| Recorder::global()).clone();
            let form = match &change {
                Change::Form { fields, .. } => Some(fields.clone()),
                Change::Nothing | Change::Body(_) => None,
            };
            let count = Arc::new(AtomicU32::new(0));
            let mut options = settings.call.clone();
            let reservation = options
                .before_call(&request, &attribution, &recorder)
                .map_err(|refusal| Error::Refused { path: path(), refusal })?;
            let mut call = CallInFlight::start(
                recorder,
                request,
                form,
                attribution,
                &caller,
                options,
                Arc::clone(&count),
            );
            call.keep(reservation);
            call.note_intent().await;
            let mut hide_usage = matches!(change, Change::Body(_));
            let unchanged = hide_usage.then(|| Unchanged {
                inner: inner.clone(),
                factory: factory.clone(),
                url: first.url().clone(),
            });
            let sent_body = match &change {
                Change::Body(body) => BodyId::of_bytes(body),
                Change::Nothing | Change::Form { .. } => this_body,
            };
            let attempts = Attempts::new(factory, Some(first), change, Arc::clone(&count)).into_factory();
            let mut result = observed(inner, attempts, sent_body).await;
            if let (Some(unchanged), Ok(response)) = (unchanged, &result)
                && is_bad_request(response.status())
            {
                result = match result {
                    Ok(response) => unchanged.resend(response, &count, this_body, &mut hide_usage).await,
                    Err(error) => Err(error),
                };
            }
            match result {
                Ok(response) => body::observe(response, call, hide_usage).await,
                Err(error) => {
                    let outcome = outcome_of(&error, call.was_sent());
                    call.fail(outcome, Some(error.to_string()));
                    Err(error)
                }
            }
        })
    }
}

tokio::task_local! {
    /// The body of the call that a layer of this task observes. A client can have two layers; the inner one
    /// recognizes the call by it and passes it on.
    static OBSERVED: BodyId;
}

/// Where the body of a request is in memory, and its length; nothing for an upload. The call holds the body, so
/// that another call at the same time has another place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct BodyId(Option<(usize, usize)>);

impl BodyId {
    fn of(request: &Request) -> Self {
        request.body().and_then(|body| body.as_bytes()).map_or(Self(None), Self::of_bytes)
    }

    fn of_bytes(bytes: &[u8]) -> Self {
        Self(Some((bytes.as_ptr().addr(), bytes.len())))
    }
}

/// Whether a server says that the request is wrong. Some answer 422 to a field that they do not know.
fn is_bad_request(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY)
}

/// Sends requests of a call that is observed here.
async fn observed<S>(
    mut inner: S,
    requests: HttpRequestFactory,
    body: BodyId,
) -> Result<Response, OpenAIError>
where
    S: tower::Service<HttpRequestFactory, Response = Response>,
    S::Error: Into<OpenAIError>,
{
    // The service may capture the task's values when it is called, so that this happens inside of the scope.
    OBSERVED.scope(body, async move { inner.call(requests).await.map_err(Into::into) }).await
}

/// Sends a call that is not recorded. Only the internal header is removed from it.
async fn send<S>(
    inner: S,
    factory: HttpRequestFactory,
    first: Request,
    body: BodyId,
) -> Result<Response, OpenAIError>
where
    S: tower::Service<HttpRequestFactory, Response = Response>,
    S::Error: Into<OpenAIError>,
{
    let requests = Attempts::new(factory, Some(first), Change::Nothing, Arc::default());
    observed(inner, requests.into_factory(), body).await
}

/// What is needed to send a request again without `stream_options`.
struct Unchanged<S> {
    inner: S,
    factory: HttpRequestFactory,
    url: Url,
}

impl<S> Unchanged<S>
where
    S: tower::Service<HttpRequestFactory, Response = Response>,
    S::Error: Into<OpenAIError>,
{
    /// Sends the original request if an answer refuses the option that this layer has added. Otherwise returns
    /// the answer.
    async fn resend(
        mut self,
        response: Response,
        count: &Arc<AtomicU32>,
        body: BodyId,
        hide_usage: &mut bool,
    ) -> Result<Response, OpenAIError> {
        let (parts, bytes) = body::collect(response).await.map_err(OpenAIError::Reqwest)?;
        if !stream_usage::is_refusal(&bytes) {
            return Ok(body::assemble(parts, bytes.into()));
        }
        *hide_usage = false;
        let requests = Attempts::new(self.factory, None, Change::Nothing, Arc::clone(count));
        self.inner.ready().await.map_err(Into::into)?;
        let response = observed(self.inner, requests.into_factory(), body).await?;
        // A server that refuses the original too has another reason, and only quotes the request in its answer.
        if !is_bad_request(response.status()) {
            stream_usage::remember_refusal(&self.url);
        }
        Ok(response)
    }
}

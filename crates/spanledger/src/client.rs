//! Builds an instrumented client.

use async_openai::{
    Client,
    config::Config,
    middleware::{ReqwestService, retry::OpenAIRetryLayer},
};
use tower::{Layer as _, ServiceBuilder};

use crate::{
    FinishedCall, MissingAttribution, PromptWarning, Recorder, SpanMode, SpanledgerLayer, SpendGuard,
};

/// Starts an `async-openai` client whose calls are attributed, traced, priced and recorded.
///
/// ```
/// use async_openai::config::OpenAIConfig;
///
/// let client: async_openai::Client<OpenAIConfig> = spanledger::instrument(OpenAIConfig::new()).build();
/// ```
pub fn instrument<C: Config>(config: C) -> Instrument<C> {
    Instrument {
        config,
        http_client: None,
        retry: OpenAIRetryLayer::default(),
        layer: SpanledgerLayer::new(),
    }
}

/// Builds an instrumented client.
#[must_use = "a builder does nothing until `build` is called"]
pub struct Instrument<C> {
    config: C,
    http_client: Option<reqwest::Client>,
    retry: OpenAIRetryLayer,
    layer: SpanledgerLayer,
}

impl<C> std::fmt::Debug for Instrument<C> {
    /// Formats the builder without its configuration, which contains an API key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instrument").field("layer", &self.layer).finish_non_exhaustive()
    }
}

impl<C: Config> Instrument<C> {
    /// Sets the HTTP client, with its proxy, timeouts and default headers.
    pub fn http_client(mut self, client: reqwest::Client) -> Self {
        self.http_client = Some(client);
        self
    }

    /// Sets how often a call is retried after 429, 5xx and failed connections. The default is 3, as in
    /// `async-openai`.
    pub fn max_retries(mut self, retries: usize) -> Self {
        self.retry = OpenAIRetryLayer::new(retries);
        self
    }

    /// Sets the provider behind the base URL by its OpenTelemetry name: `openai`, `groq`, `mistral_ai`, … The calls
    /// are priced with its prices.
    ///
    /// Set it if the host does not identify the provider, for example for a gateway in front of OpenAI. A
    /// host that is not known is otherwise its own provider, which has no prices.
    pub fn provider(mut self, name: impl Into<String>) -> Self {
        self.layer = self.layer.with_provider(name);
        self
    }

    /// Sets whether the layer requests the usage of chat streams (default: yes). A server that refuses
    /// `stream_options` is recognized by its answer, and gets the original request again.
    pub fn stream_usage(mut self, ask: bool) -> Self {
        self.layer = self.layer.with_stream_usage(ask);
        self
    }

    /// Sets whether the usage of a stream that ends without it is estimated; see
    /// [`SpanledgerLayer::with_usage_estimate`].
    #[cfg(feature = "tokenizer")]
    pub fn usage_estimate(mut self, estimate: bool) -> Self {
        self.layer = self.layer.with_usage_estimate(estimate);
        self
    }

    /// Sets the recorder of this client. The default is the recorder of the process.
    pub fn recorder(mut self, recorder: Recorder) -> Self {
        self.layer = self.layer.with_recorder(recorder);
        self
    }

    /// Sets what happens to a billable call without an attribution. By default it is refused.
    ///
    /// ```
    /// use async_openai::config::OpenAIConfig;
    /// use spanledger::MissingAttribution;
    ///
    /// // While the call sites of an existing service are annotated one by one:
    /// let client = spanledger::instrument(OpenAIConfig::new())
    ///     .missing_attribution(MissingAttribution::Quarantine)
    ///     .build();
    /// # let _: async_openai::Client<OpenAIConfig> = client;
    /// ```
    pub fn missing_attribution(mut self, missing: MissingAttribution) -> Self {
        self.layer = self.layer.with_missing_attribution(missing);
        self
    }

    /// Sets how the span of a call is made. The default is [`SpanMode::Auto`].
    pub fn span_mode(mut self, mode: SpanMode) -> Self {
        self.layer = self.layer.with_span_mode(mode);
        self
    }

    /// Sets whether the text of a provider's error is the status of the span (default: no), because it can quote
    /// the prompt.
    pub fn error_text(mut self, keep: bool) -> Self {
        self.layer = self.layer.with_error_text(keep);
        self
    }

    /// Sets a guard that is asked before each call and may refuse it, such as a [`MonthlyQuota`](crate::MonthlyQuota).
    pub fn spend_guard(mut self, guard: impl SpendGuard + 'static) -> Self {
        self.layer = self.layer.with_spend_guard(guard);
        self
    }

    /// Sets when a call logs a warning because its prompt is large. The default is above 250,000 tokens.
    pub fn prompt_warning(mut self, warning: PromptWarning) -> Self {
        self.layer = self.layer.with_prompt_warning(warning);
        self
    }

    /// Sets a function that is called with every call that has ended; see
    /// [`SpanledgerLayer::on_call_finished`].
    pub fn on_call_finished(mut self, hook: impl Fn(&FinishedCall<'_>) + Send + Sync + 'static) -> Self {
        self.layer = self.layer.on_call_finished(hook);
        self
    }

    /// Builds the client.
    pub fn build(self) -> Client<C> {
        let http_client = self.http_client.unwrap_or_default();
        let retrying =
            ServiceBuilder::new().layer(self.retry).service(ReqwestService::new(http_client.clone()));
        // The layer is outermost, because the caller's task, span and scope are visible only there.
        Client::build(http_client, self.config).with_http_service(self.layer.layer(retrying))
    }
}

//! A warning about prompts that are larger than intended.

use spanledger_event::{Observation, PartialAttribution};

use crate::request::RequestInfo;

#[cfg(test)]
mod tests;

/// When a call logs a warning because its prompt is large. The default is above 250,000 input tokens.
///
/// Some models cost more above such a size, and a prompt that has grown so large is often a mistake. The warning is
/// the `tracing` event `spanledger.prompt.large` with the size, the model and the attribution. A call logs it
/// at most once, when its usage is known, or before it is sent. The usage is read on a thread of this crate, so that
/// only the process's global subscriber sees that warning.
///
/// ```
/// use async_openai::config::OpenAIConfig;
/// use spanledger::PromptWarning;
///
/// let client = spanledger::instrument(OpenAIConfig::new())
///     .prompt_warning(PromptWarning::above(100_000).also_before_the_call())
///     .build();
/// # let _: async_openai::Client<OpenAIConfig> = client;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PromptWarning {
    tokens: u64,
    before_the_call: bool,
}

impl Default for PromptWarning {
    fn default() -> Self {
        Self::above(250_000)
    }
}

/// About how many bytes of a request are one token.
const BYTES_PER_TOKEN: u64 = 4;

impl PromptWarning {
    /// Warns of prompts with more than this number of tokens.
    pub fn above(tokens: u64) -> Self {
        Self { tokens, before_the_call: false }
    }

    /// Never warns.
    pub fn off() -> Self {
        Self::above(u64::MAX)
    }

    /// Warns also before a call is sent, by an estimate of four bytes a token.
    #[must_use]
    pub fn also_before_the_call(mut self) -> Self {
        self.before_the_call = true;
        self
    }

    /// Warns of a request that is about to be sent. Returns the warning for the call's end: a call warns once.
    pub(crate) fn before_the_call(
        self,
        request: &RequestInfo,
        attribution: impl FnOnce() -> PartialAttribution,
    ) -> Self {
        let tokens = request.body_bytes.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default();
        let tokens = tokens / BYTES_PER_TOKEN;
        if !self.before_the_call || tokens <= self.tokens {
            return self;
        }
        self.warn(tokens, true, request.model.as_deref(), &attribution(), None);
        Self::off()
    }

    /// Warns of a call whose usage is known.
    pub(crate) fn after_the_call(self, o: &Observation) {
        let Some(usage) = &o.usage else { return };
        let tokens = usage.prompt_tokens();
        if tokens > self.tokens {
            self.warn(tokens, false, o.model.as_deref(), &o.attribution, o.trace_id.as_deref());
        }
    }

    fn warn(
        self,
        prompt_tokens: u64,
        estimated: bool,
        model: Option<&str>,
        attribution: &PartialAttribution,
        trace_id: Option<&str>,
    ) {
        tracing::warn!(
            target: "spanledger",
            prompt_tokens,
            limit = self.tokens,
            estimated,
            model,
            feature = attribution.feature.as_deref(),
            route = attribution.route.as_deref(),
            customer_id = attribution.customer_id.as_deref(),
            environment = attribution.environment.as_deref(),
            request_id = attribution.request_id.as_deref(),
            trace_id,
            "spanledger.prompt.large: the prompt of a call is larger than the limit"
        );
    }
}

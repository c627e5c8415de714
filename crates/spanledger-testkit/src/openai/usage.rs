//! Token counts, as a provider reports them.

/// The tokens of one call, nested as the provider nests them.
///
/// `prompt` is all input and includes `cached`, `cache_write`, `audio_in` and `image_in`;
/// `completion` is all output and includes `reasoning`, `audio_out`, `image_out` and both
/// kinds of prediction tokens. The values are neither checked nor clamped, so
/// that a test can send a usage that contradicts itself.
///
/// Source: "The chat completion object", `usage`; "The response object",
/// `usage`; the usage of images, speech and transcriptions. Each format leaves out the
/// parts that it does not have: Responses has no audio, no image and no prediction
/// tokens, and embeddings report `prompt` only.
///
/// ```
/// use spanledger_testkit::Usage;
///
/// let usage = Usage::new(2_000, 300).cached(1_536).reasoning(256);
/// assert_eq!(usage.total(), 2_300);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// All input tokens.
    pub prompt: u64,
    /// The part of the prompt that was read from the cache.
    pub cached: u64,
    /// The part of the prompt that was written to the cache. The field is only sent
    /// if it is not zero, because older models do not have it.
    pub cache_write: u64,
    /// The part of the prompt that is audio.
    pub audio_in: u64,
    /// The part of the prompt that is images.
    pub image_in: u64,
    /// All output tokens.
    pub completion: u64,
    /// The part of the completion that is hidden reasoning.
    pub reasoning: u64,
    /// The part of the completion that is audio.
    pub audio_out: u64,
    /// The part of the completion that is images.
    pub image_out: u64,
    /// The tokens of a predicted output that were used.
    pub accepted_prediction: u64,
    /// The tokens of a predicted output that were not used, and are billed.
    pub rejected_prediction: u64,
    /// The total to report instead of `prompt + completion`.
    pub total_override: Option<u64>,
}

impl Usage {
    /// A usage with this many input and output tokens, without cached, audio or reasoning parts.
    pub const fn new(prompt: u64, completion: u64) -> Self {
        Self {
            prompt,
            cached: 0,
            cache_write: 0,
            audio_in: 0,
            image_in: 0,
            completion,
            reasoning: 0,
            audio_out: 0,
            image_out: 0,
            accepted_prediction: 0,
            rejected_prediction: 0,
            total_override: None,
        }
    }

    /// Sets the cached part of the prompt.
    #[must_use]
    pub const fn cached(mut self, tokens: u64) -> Self {
        self.cached = tokens;
        self
    }

    /// Sets the part of the prompt that was written to the cache.
    #[must_use]
    pub const fn cache_write(mut self, tokens: u64) -> Self {
        self.cache_write = tokens;
        self
    }

    /// Sets the audio part of the prompt.
    #[must_use]
    pub const fn audio_in(mut self, tokens: u64) -> Self {
        self.audio_in = tokens;
        self
    }

    /// Sets the reasoning part of the completion.
    #[must_use]
    pub const fn reasoning(mut self, tokens: u64) -> Self {
        self.reasoning = tokens;
        self
    }

    /// Sets the audio part of the completion.
    #[must_use]
    pub const fn audio_out(mut self, tokens: u64) -> Self {
        self.audio_out = tokens;
        self
    }

    /// Sets the image part of the prompt.
    #[must_use]
    pub const fn image_in(mut self, tokens: u64) -> Self {
        self.image_in = tokens;
        self
    }

    /// Sets the image part of the completion.
    #[must_use]
    pub const fn image_out(mut self, tokens: u64) -> Self {
        self.image_out = tokens;
        self
    }

    /// Sets the accepted and the rejected prediction tokens.
    #[must_use]
    pub const fn prediction(mut self, accepted: u64, rejected: u64) -> Self {
        self.accepted_prediction = accepted;
        self.rejected_prediction = rejected;
        self
    }

    /// Makes the provider report this total instead of the sum.
    #[must_use]
    pub const fn total_override(mut self, tokens: u64) -> Self {
        self.total_override = Some(tokens);
        self
    }

    /// The total that goes on the wire.
    pub const fn total(&self) -> u64 {
        match self.total_override {
            Some(total) => total,
            None => self.prompt.saturating_add(self.completion),
        }
    }
}

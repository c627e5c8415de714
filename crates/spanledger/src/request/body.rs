//! Reads the JSON body of a request.

use bytes::Bytes;
use reqwest::Url;
use spanledger_event::Endpoint;

use super::{RequestInfo, stream_usage, units::RequestUnits};
use crate::lenient::{self, integer, lenient_object, not_null, short_text as text, value};

lenient_object! {
    /// The fields of a request body that are read.
    struct Body {
        model: "model",
        stream: "stream",
        stream_options: "stream_options",
        service_tier: "service_tier",
        reasoning_effort: "reasoning_effort",
        reasoning: "reasoning",
        prompt_cache_key: "prompt_cache_key",
        previous_response_id: "previous_response_id",
        background: "background",
        max_tokens: "max_tokens",
        max_completion_tokens: "max_completion_tokens",
        max_output_tokens: "max_output_tokens",
        temperature: "temperature",
        top_p: "top_p",
        seed: "seed",
        choices: "n",
        /// The text to speak, a prompt, or a list of messages.
        input: "input",
        quality: "quality",
        size: "size",
        /// Azure's own data, whose servers refuse `stream_options`.
        data_sources: "data_sources",
    }
}

lenient_object! {
    struct Reasoning {
        effort: "effort",
    }
}

impl RequestInfo {
    /// Reads the body, and returns the body that requests the usage of a stream, if the request lacks that.
    pub(super) fn read_body(&mut self, bytes: &[u8], url: &Url, ask_for_usage: bool) -> Option<Bytes> {
        let body: Body<'_> = lenient::object(bytes)?;
        self.stream = value(body.stream).unwrap_or(false);
        self.model = text(body.model).map(Into::into);
        self.service_tier = text(body.service_tier);
        let reasoning: Option<Reasoning<'_>> = lenient::nested(body.reasoning);
        self.reasoning_effort =
            text(body.reasoning_effort).or_else(|| reasoning.and_then(|reasoning| text(reasoning.effort)));
        self.prompt_cache_key = text(body.prompt_cache_key);
        self.previous_response_id = text(body.previous_response_id);
        self.is_background = value(body.background).unwrap_or(false);
        self.max_tokens = integer(not_null(body.max_completion_tokens))
            .or_else(|| integer(not_null(body.max_output_tokens)))
            .or_else(|| integer(not_null(body.max_tokens)));
        self.temperature = value(body.temperature);
        self.top_p = value(body.top_p);
        self.seed = integer(body.seed);
        self.choices = integer(body.choices).filter(|&choices| choices != 1);
        self.units = RequestUnits::read(self.endpoint, body.input, body.quality, body.size);
        // Streams of the other endpoints always report their usage.
        let has_usage_option = matches!(self.endpoint, Endpoint::Chat | Endpoint::Completions);
        let is_asked = self.stream && has_usage_option && ask_for_usage;
        if !is_asked || stream_usage::is_refused(url, not_null(body.data_sources).is_some()) {
            return None;
        }
        stream_usage::with_usage_option(bytes, body.stream_options)
    }
}

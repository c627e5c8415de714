//! Counts the tokens of a stream's texts.

use serde_json::Value;
use spanledger_event::{Bucket, Endpoint, Unstated, Usage};

use crate::lenient::{self, lenient_object, text};

#[cfg(test)]
mod tests;

/// The greatest size of an answer's text that is kept. The rest is counted in proportion to its bytes.
const OUTPUT_BYTES_MAX: usize = 1 << 20;
/// Tokens that each message adds to its text, and that begin the answer. Source: OpenAI's cookbook, "How to count
/// tokens with tiktoken".
const TOKENS_OF_A_MESSAGE: u64 = 3;

/// The texts of a stream.
#[derive(Debug, Default)]
pub(crate) struct StreamedText {
    /// The body of the request.
    prompt: Option<Vec<u8>>,
    output: String,
    /// The bytes of the answer's text beyond the maximum.
    output_bytes_left_out: usize,
}

lenient_object! {
    struct Event {
        choices: "choices",
        delta: "delta",
    }
}

lenient_object! {
    struct Choice {
        delta: "delta",
        text: "text",
    }
}

lenient_object! {
    struct Delta {
        content: "content",
        refusal: "refusal",
    }
}

impl StreamedText {
    /// Keeps the prompt of a request for a stream of text.
    pub(crate) fn keep_prompt(&mut self, endpoint: Endpoint, body: Option<&reqwest::Body>) {
        if matches!(endpoint, Endpoint::Chat | Endpoint::Completions | Endpoint::Responses) {
            self.prompt = body.and_then(|body| body.as_bytes()).map(<[u8]>::to_vec);
        }
    }

    /// Whether the texts of the stream are kept.
    pub(crate) fn is_kept(&self) -> bool {
        self.prompt.is_some()
    }

    /// Adds the text in the data of an event.
    pub(crate) fn add_event(&mut self, data: &[u8]) {
        let Some(event) = lenient::object::<Event<'_>>(data) else { return };
        // An event of the Responses API has the text itself.
        self.add(text(event.delta));
        for choice in lenient::list::<Choice<'_>>(event.choices) {
            self.add(text(choice.text));
            if let Some(delta) = lenient::nested::<Delta<'_>>(choice.delta) {
                self.add(text(delta.content));
                self.add(text(delta.refusal));
            }
        }
    }

    fn add(&mut self, piece: Option<String>) {
        let Some(piece) = piece else { return };
        if self.output.len() + piece.len() > OUTPUT_BYTES_MAX {
            self.output_bytes_left_out += piece.len();
        } else {
            self.output.push_str(&piece);
        }
    }

    /// About how many bytes the texts take.
    pub(crate) fn bytes(&self) -> usize {
        let prompt = self.prompt.as_ref().map_or(0, Vec::len);
        prompt + self.output.len()
    }

    /// The usage of a model for these texts. `None` if the prompt is not known.
    pub(crate) fn usage(&self, model: Option<&str>) -> Option<Usage> {
        let body: Value = serde_json::from_slice(self.prompt.as_ref()?).ok()?;
        let encoder = encoder_of(model.unwrap_or_default());
        let tokens = |text: &str| u64::try_from(encoder.count(text)).unwrap_or(u64::MAX);
        let mut input = 0;
        let mut messages = 0;
        for field in ["messages", "input", "prompt", "instructions"] {
            let Some(value) = body.get(field) else { continue };
            messages += value.as_array().map_or(1, |list| u64::try_from(list.len()).unwrap_or_default());
            texts(value, &mut |text| input += tokens(text));
        }
        let mut output = tokens(&self.output);
        if let (Some(left_out), Some(kept)) =
            (u64::try_from(self.output_bytes_left_out).ok(), u64::try_from(self.output.len()).ok())
        {
            output += (output * left_out).checked_div(kept).unwrap_or_default();
        }
        let input = input + (messages + 1) * TOKENS_OF_A_MESSAGE;
        let usage = Usage::default().with(Bucket::Input, input).with(Bucket::Output, output);
        Some(usage.with_unstated(Unstated::ALL))
    }
}

/// The encoding of a model. Models since gpt-4o have the same one.
fn encoder_of(model: &str) -> &'static bpe_openai::Tokenizer {
    let is_older =
        model == "gpt-4" || ["gpt-4-", "gpt-3.5", "gpt-35"].iter().any(|old| model.starts_with(old));
    if is_older { bpe_openai::cl100k_base() } else { bpe_openai::o200k_base() }
}

/// The texts of a prompt: a text itself, or the contents of messages and their parts. A URL with an image in it
/// is no text.
fn texts(value: &Value, see: &mut impl FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|value| texts(value, see)),
        Value::Object(object) => {
            for (name, value) in object {
                if matches!(name.as_str(), "content" | "text" | "name" | "arguments" | "output") {
                    texts(value, see);
                }
            }
        }
        _ => {}
    }
}

//! Google's `usageMetadata`, in the API's spelling and in that of its Python SDK, the live API's and
//! the Interactions API's `usage`.
//!
//! The prompt contains what was cached; the prompt that tools made is beside it. Thoughts are beside
//! the candidates, or part of them on some versions of Vertex; the total decides. Zeros are left out.

use serde_json::Value;
use spanledger_event::{Endpoint, NestedUsage, UsageError};

use super::{
    ParsedUsage, UsageJsonError, openai,
    reader::{Part, Reader, Result, Unit},
    tokens::{Sides, Tokens},
};

// The last of each is the Interactions API's.
const PROMPT: [&str; 3] = ["promptTokenCount", "prompt_token_count", "total_input_tokens"];
const CACHED: [&str; 3] = ["cachedContentTokenCount", "cached_content_token_count", "total_cached_tokens"];
const TOOLS: [&str; 3] = ["toolUsePromptTokenCount", "tool_use_prompt_token_count", "total_tool_use_tokens"];
const CANDIDATES: [&str; 5] = [
    "candidatesTokenCount",
    "candidates_token_count",
    "responseTokenCount",
    "response_token_count",
    "total_output_tokens",
];
const THOUGHTS: [&str; 3] = ["thoughtsTokenCount", "thoughts_token_count", "total_thought_tokens"];
const TOTAL: [&str; 3] = ["totalTokenCount", "total_token_count", "total_tokens"];

const PROMPT_DETAILS: [&str; 4] =
    ["promptTokensDetails", "prompt_tokens_details", "promptTokenDetails", "input_tokens_by_modality"];
const CACHED_DETAILS: [&str; 3] = ["cacheTokensDetails", "cache_tokens_details", "cached_tokens_by_modality"];
const TOOLS_DETAILS: [&str; 3] =
    ["toolUsePromptTokensDetails", "tool_use_prompt_tokens_details", "tool_use_tokens_by_modality"];
const CANDIDATES_DETAILS: [&str; 5] = [
    "candidatesTokensDetails",
    "candidates_tokens_details",
    "responseTokensDetails",
    "response_tokens_details",
    "output_tokens_by_modality",
];

/// Whether it is in this form beyond doubt. Only Google's own calls can be of the Interactions API,
/// whose words others use too.
pub(super) fn is_meant(usage: &Part<'_>, is_google: bool) -> bool {
    let words = |of: &[&'static str]| of.iter().take(of.len() - 1).any(|key| usage.has(key));
    words(&PROMPT)
        || words(&CANDIDATES)
        || words(&TOTAL)
        || is_google && (usage.has("total_input_tokens") || usage.has("total_output_tokens"))
}

pub(super) fn read(mut reader: Reader<'_>) -> Result<ParsedUsage> {
    let root = reader.root;
    let has = |keys: &[&'static str]| keys.iter().any(|key| root.has(key));
    // An output of zero is left out here; a prompt is never empty.
    if !(has(&TOTAL) || has(&PROMPT)) {
        return Err(UsageJsonError::NotAUsage(
            "the object lacks the prompt's tokens: without them it says half of what is billed",
        ));
    }
    let mut count = |keys: &[&'static str]| Ok(reader.named(&root, keys)?.unwrap_or_default());
    let (prompt, tools) = (count(&PROMPT)?, count(&TOOLS)?);
    let mut nested = NestedUsage {
        input: prompt + tools,
        cached: count(&CACHED)?,
        output: count(&CANDIDATES)?,
        reasoning: count(&THOUGHTS)?,
        ..NestedUsage::default()
    };
    nested.total = reader.named(&root, &TOTAL)?;

    let from_prompt = details(&mut reader, &PROMPT_DETAILS, "prompt", prompt)?;
    let from_tools = details(&mut reader, &TOOLS_DETAILS, "tools' prompt", tools)?;
    let cached = details(&mut reader, &CACHED_DETAILS, "cached input", nested.cached)?;
    let output = details(&mut reader, &CANDIDATES_DETAILS, "candidates", nested.output)?;
    let input = from_prompt.plus(&from_tools);
    (nested.audio_input, nested.cached_audio, nested.audio_output) =
        (input.audio, cached.audio, output.audio);
    (nested.image_input, nested.cached_image, nested.image_output) =
        (input.image, cached.image, output.image);
    let mut tokens = Tokens {
        nested,
        text: Sides { input: input.text, cached: cached.text, output: output.text },
        video: Sides { input: input.video, cached: cached.video, output: output.video },
        other: Sides { input: input.other, cached: cached.other, output: output.other },
    };
    tokens.add_hidden_output(true);

    // Searches that the Interactions API counts; the same by invocation, and raw, is nothing new.
    for tool in root.items("grounding_tool_count")? {
        let count = reader.named(&tool, &["search_query_count"])?.filter(|&count| count > 0);
        let count = count.or(reader.count(&tool, "count")?).unwrap_or_default();
        reader.bill(Unit::Named("grounding_queries"), count.into());
    }
    reader.skip(&root, &["model_invocation_token_counts", "raw_prompt_token"]);
    reader.finish(Some(&tokens))
}

/// Google's answers in OpenAI's form leave the thoughts out of the completion.
pub(super) fn read_openai(mut reader: Reader<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let mut tokens = openai::tokens(&mut reader, endpoint)?;
    if let Some(tokens) = &mut tokens {
        tokens.add_hidden_output(false);
    }
    openai::finish(reader, tokens)
}

/// Tokens by modality.
#[derive(Default)]
struct Modalities {
    text: u64,
    audio: u64,
    /// With documents, whose pages are read as images.
    image: u64,
    video: u64,
    other: u64,
}

impl Modalities {
    fn plus(&self, more: &Self) -> Self {
        Self {
            text: self.text.saturating_add(more.text),
            audio: self.audio.saturating_add(more.audio),
            image: self.image.saturating_add(more.image),
            video: self.video.saturating_add(more.video),
            other: self.other.saturating_add(more.other),
        }
    }
}

/// A list by modality, which may tell less than the whole, never more.
fn details(
    reader: &mut Reader<'_>,
    keys: &[&'static str],
    side: &'static str,
    whole: u64,
) -> Result<Modalities> {
    let root = reader.root;
    let mut found = Modalities::default();
    let mut parts = 0_u64;
    let Some(key) = keys.iter().find(|key| root.has(key)) else { return Ok(found) };
    for item in root.items(key)? {
        let tokens = reader.named(&item, &["tokenCount", "token_count", "tokens"])?.unwrap_or_default();
        reader.skip(&item, &["modality"]);
        let sum = match modality(item.get("modality")) {
            Some("text") => &mut found.text,
            Some("audio") => &mut found.audio,
            Some("image" | "document") => &mut found.image,
            Some("video") => &mut found.video,
            _ => &mut found.other,
        };
        *sum = sum.saturating_add(tokens);
        parts = parts.saturating_add(tokens);
    }
    if parts > whole {
        return Err(UsageJsonError::Contradictory(UsageError::PartsExceedWhole { side, parts, whole }));
    }
    Ok(found)
}

/// The modality by its name, also as the SDK's enum prints it, or by its number in the protocol.
fn modality(value: Option<&Value>) -> Option<&'static str> {
    const NAMES: [&str; 5] = ["text", "image", "video", "audio", "document"];
    match value? {
        Value::String(name) => {
            let name = name.rsplit('.').next()?;
            NAMES.into_iter().find(|known| known.eq_ignore_ascii_case(name))
        }
        Value::Number(number) => NAMES.get(usize::try_from(number.as_u64()?.checked_sub(1)?).ok()?).copied(),
        _ => None,
    }
}

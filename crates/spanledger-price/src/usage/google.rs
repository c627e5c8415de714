//! Google's `usageMetadata`, in the spellings of the API, its Python SDK and the live API, and the `usage`
//! of the Interactions API.
//!
//! The prompt includes cached tokens, but not the prompt that tools made. The candidates do not include the
//! thoughts, except on some versions of Vertex; the total decides. Google omits counts of zero.

use serde_json::Value;
use spanledger_event::{Endpoint, NestedUsage, Unstated, UsageError};

use super::{
    counter::{Counter, Unit},
    error::{Result, UsageReadError},
    family::{OwnForm, UsageFamily},
    json::Part,
    openai,
    parsed::ParsedUsage,
    tokens::{Sides, Tokens},
};

/// Google's own form, and OpenAI's form as Google writes it.
pub(crate) static FAMILY: UsageFamily = UsageFamily {
    own_form: Some(OwnForm {
        matches,
        read,
        // Google omits counts of zero.
        unstated_if_absent: Unstated::NONE,
    }),
    read_openai_form,
};

// The last key of each list is that of the Interactions API.
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

/// Whether a usage is in Google's form. The keys of the Interactions API count only for calls to Google,
/// because other providers use them too.
fn matches(usage: &Part<'_>, is_own: bool) -> bool {
    let words = |of: &[&'static str]| of.iter().take(of.len() - 1).any(|key| usage.has(key));
    words(&PROMPT)
        || words(&CANDIDATES)
        || words(&TOTAL)
        || is_own && (usage.has("total_input_tokens") || usage.has("total_output_tokens"))
}

fn read(mut counter: Counter<'_>) -> Result<ParsedUsage> {
    let root = counter.root;
    let has = |keys: &[&'static str]| keys.iter().any(|key| root.has(key));
    // Google omits an output of zero. A prompt is never empty.
    if !(has(&TOTAL) || has(&PROMPT)) {
        return Err(UsageReadError::NotAUsage(
            "the object lacks the prompt's tokens: without them the input would cost nothing",
        ));
    }
    let mut count = |keys: &[&'static str]| Ok(counter.named(&root, keys)?.unwrap_or_default());
    let (prompt, tools) = (count(&PROMPT)?, count(&TOOLS)?);
    let mut nested = NestedUsage {
        input: prompt + tools,
        cached: count(&CACHED)?,
        output: count(&CANDIDATES)?,
        reasoning: count(&THOUGHTS)?,
        ..NestedUsage::default()
    };
    nested.total = counter.named(&root, &TOTAL)?;

    let from_prompt = details(&mut counter, &PROMPT_DETAILS, "prompt", prompt)?;
    let from_tools = details(&mut counter, &TOOLS_DETAILS, "tools' prompt", tools)?;
    let cached = details(&mut counter, &CACHED_DETAILS, "cached input", nested.cached)?;
    let output = details(&mut counter, &CANDIDATES_DETAILS, "candidates", nested.output)?;
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

    // The Interactions API counts searches here. Its counts by invocation repeat other counts.
    for tool in root.items("grounding_tool_count")? {
        let count = counter.named(&tool, &["search_query_count"])?.filter(|&count| count > 0);
        let count = count.or(counter.count(&tool, "count")?).unwrap_or_default();
        counter.bill(Unit::Named("grounding_queries"), count.into());
    }
    counter.ignore(&root, &["model_invocation_token_counts", "raw_prompt_token"]);
    counter.finish(Some(&tokens))
}

/// In OpenAI's form, Google's completion does not include the thoughts.
fn read_openai_form(mut counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let mut tokens = openai::tokens(&mut counter, endpoint)?;
    if let Some(tokens) = &mut tokens {
        tokens.add_hidden_output(false);
    }
    openai::finish(counter, tokens)
}

/// Tokens by modality.
#[derive(Default)]
struct Modalities {
    text: u64,
    audio: u64,
    /// Images and documents. The pages of a document are processed as images.
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

/// Reads a list of tokens by modality. Their sum may be less than the whole, but not more.
fn details(
    counter: &mut Counter<'_>,
    keys: &[&'static str],
    side: &'static str,
    whole: u64,
) -> Result<Modalities> {
    let root = counter.root;
    let mut found = Modalities::default();
    let mut parts = 0_u64;
    let Some(key) = keys.iter().find(|key| root.has(key)) else { return Ok(found) };
    for item in root.items(key)? {
        let tokens = counter.named(&item, &["tokenCount", "token_count", "tokens"])?.unwrap_or_default();
        counter.ignore(&item, &["modality"]);
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
        return Err(UsageReadError::Contradictory(UsageError::PartsExceedWhole { side, parts, whole }));
    }
    Ok(found)
}

/// Reads a modality: its name, its name as the SDK's enum prints it, or its number in the protocol.
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

//! OpenAI's usage objects: chat, completions, Responses, embeddings, images, audio, realtime, batch.
//!
//! Objects are recognised by their keys and not by the endpoint, because gateways use the form of one API
//! for another one, and some send both forms at once. The endpoint determines only the modality of tokens
//! that the object does not label: the output of the images endpoint is image tokens, and that of the speech
//! endpoint is audio tokens.
//!
//! Most other providers use this form too and add fields to it. Fields that gateways also send are read here
//! for every provider.

#[cfg(test)]
mod tests;

use spanledger_event::{Endpoint, NestedUsage, Unstated};

use super::{
    counter::{Billable, Counter, Unit},
    error::{Result, UsageReadError},
    family::UsageFamily,
    json::Part,
    parsed::ParsedUsage,
    tokens::{Sides, Tokens, ordinary_writes},
};

/// OpenAI's form, for all providers without special fields.
pub(crate) static FAMILY: UsageFamily = UsageFamily { own_form: None, read_openai_form: read };

const TOTALS: [&str; 5] =
    ["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens", "total_tokens"];
// Chat, Responses and realtime have different names for the same two objects.
const INPUT: [&str; 3] = ["prompt_tokens_details", "input_tokens_details", "input_token_details"];
const OUTPUT: [&str; 3] = ["completion_tokens_details", "output_tokens_details", "output_token_details"];

/// Cached input as Moonshot, Mistral, `DeepSeek`, LiteLLM and xAI name it.
const CACHED: [&str; 5] = [
    "cached_tokens",
    "num_cached_tokens",
    "prompt_cache_hit_tokens",
    "cache_read_input_tokens",
    "cached_prompt_text_tokens",
];

/// Audio under OpenAI's name and LangChain's.
const AUDIO: [&str; 2] = ["audio_tokens", "audio"];

/// Billable counts with their own units: transcriptions by time, speech by characters, tool calls, and the
/// fields of gateways and other providers.
pub(super) const BILLABLE: [Billable; 15] = [
    Billable { unit: Unit::AudioSeconds, places: &[&["seconds"], &["prompt_audio_seconds"]] },
    Billable {
        unit: Unit::Characters,
        places: &[
            &["characters"],
            &["input_characters"],
            &["prompt_tokens_details", "character_count"],
            &["input_tokens_details", "character_count"],
        ],
    },
    Billable { unit: Unit::Images, places: &[&["generated_images"], &["image_count"], &["num_images"]] },
    Billable { unit: Unit::Measured("video_seconds"), places: &[&["video_seconds"]] },
    Billable {
        unit: Unit::WebSearch,
        places: &[
            &["tool_usage", "web_search", "num_requests"],
            &["server_tool_use", "web_search_requests"],
            &["server_side_tool_usage_details", "web_search_calls"],
            &["prompt_tokens_details", "web_search_requests"],
            &["input_tokens_details", "web_search_requests"],
        ],
    },
    Billable {
        unit: Unit::FileSearch,
        places: &[
            &["tool_usage", "file_search", "num_requests"],
            &["server_side_tool_usage_details", "file_search_calls"],
        ],
    },
    Billable {
        unit: Unit::CodeInterpreter,
        places: &[
            &["tool_usage", "code_interpreter", "num_sessions"],
            &["server_side_tool_usage_details", "code_interpreter_calls"],
        ],
    },
    // These are images and video in the input.
    Billable {
        unit: Unit::Named("input_images"),
        places: &[&["prompt_tokens_details", "image_count"], &["input_tokens_details", "image_count"]],
    },
    Billable {
        unit: Unit::Measured("input_video_seconds"),
        places: &[
            &["prompt_tokens_details", "video_length_seconds"],
            &["input_tokens_details", "video_length_seconds"],
        ],
    },
    // These are tokens of the model that the image tool calls. It is not the model that answered.
    Billable {
        unit: Unit::Named("image_tool_input_tokens"),
        places: &[&["tool_usage", "image_gen", "input_tokens"]],
    },
    Billable {
        unit: Unit::Named("image_tool_output_tokens"),
        places: &[&["tool_usage", "image_gen", "output_tokens"]],
    },
    // `OpenRouter` bills its own tools in addition to the model.
    Billable {
        unit: Unit::Named("server_tool_calls"),
        places: &[&["server_tool_use_details", "tool_calls_executed"]],
    },
    Billable { unit: Unit::Named("search_sources"), places: &[&["num_sources_used"]] },
    Billable { unit: Unit::Named("search_queries"), places: &[&["num_search_queries"]] },
    Billable { unit: Unit::Named("citation_tokens"), places: &[&["citation_tokens"]] },
];

/// Fields that LiteLLM puts among the parts of the input although they are billed separately.
const BESIDE_INPUT: [&str; 4] =
    ["web_search_requests", "character_count", "image_count", "video_length_seconds"];

/// Whether an object has keys of this form that no other form has.
pub(super) fn matches(usage: &Part<'_>) -> bool {
    usage.has("prompt_tokens") || INPUT.iter().any(|key| usage.has(key))
}

/// Reads a usage object of an endpoint.
pub(super) fn read(mut counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let tokens = tokens(&mut counter, endpoint)?;
    finish(counter, tokens)
}

/// The last step for most providers with usage objects in this form.
pub(super) fn finish(mut counter: Counter<'_>, tokens: Option<Tokens>) -> Result<ParsedUsage> {
    let (root, in_details) = (counter.root, tokens.unwrap_or_default().nested.reasoning);
    let separate = counter.count(&root, "reasoning_tokens")?.unwrap_or_default();
    if same_reasoning(in_details, separate)? != in_details {
        // A count that only the separate field states may or may not be part of the output, so it becomes a
        // unit without a price.
        counter.bill(Unit::Named("reasoning_tokens"), separate.into());
    }
    counter.finish(tokens.as_ref())
}

/// The hidden output, which the details and a separate field may both state. The two must agree.
pub(super) fn same_reasoning(in_details: u64, separate: u64) -> Result<u64> {
    if in_details != 0 && separate != 0 && in_details != separate {
        return Err(UsageReadError::Disagreement {
            a: "completion_tokens_details.reasoning_tokens".to_owned(),
            a_value: in_details.into(),
            b: "reasoning_tokens".to_owned(),
            b_value: separate.into(),
        });
    }
    Ok(in_details.max(separate))
}

/// Reads the tokens and all other billable fields. The tokens are `None` if neither input nor output is
/// stated.
pub(super) fn tokens(counter: &mut Counter<'_>, endpoint: Endpoint) -> Result<Option<Tokens>> {
    let root = counter.root;
    let inputs = parts_of(&[root], &INPUT)?;
    // Most objects have only tokens. The search for other fields is then skipped.
    let has_beside = inputs.iter().any(|part| BESIDE_INPUT.iter().any(|key| part.has(key)));
    if has_beside || !root.has_only(&[&TOTALS, &INPUT, &OUTPUT]) {
        counter.bill_fields(&BILLABLE)?;
        // The other counts of these tools repeat the billed ones.
        counter.ignore(&root.part("tool_usage")?, &["image_gen"]);
        counter.ignore(&root.part("server_tool_use_details")?, &["tool_calls_requested"]);
    }
    let input = counter.named(&root, &["prompt_tokens", "input_tokens"])?;
    let output = counter.named(&root, &["completion_tokens", "output_tokens"])?;
    let total = counter.count(&root, "total_tokens")?;
    if input.is_none() && output.is_none() {
        return Ok(None);
    }
    both_sides(endpoint, input, output, total)?;

    let outputs = parts_of(&[root], &OUTPUT)?;
    let in_cache = parts_of(&inputs, &["cached_tokens_details"])?;
    let mut stated = |parts: &[Part<'_>], keys: &[&'static str]| {
        let places = parts.iter().flat_map(|part| keys.iter().map(move |key| (part, *key)));
        counter.agreed(places)
    };
    let reasoning = stated(&outputs, &["reasoning_tokens", "reasoning"])?;
    let mut modality =
        |parts: &[Part<'_>], keys: &[&'static str]| Ok(stated(parts, keys)?.unwrap_or_default());
    let mut nested = NestedUsage {
        input: input.unwrap_or_default(),
        audio_input: modality(&inputs, &AUDIO)?,
        cached_audio: modality(&in_cache, &AUDIO)?,
        image_input: modality(&inputs, &["image_tokens"])?,
        cached_image: modality(&in_cache, &["image_tokens"])?,
        output: output.unwrap_or_default(),
        reasoning: reasoning.unwrap_or_default(),
        audio_output: modality(&outputs, &AUDIO)?,
        image_output: modality(&outputs, &["image_tokens"])?,
        total,
        ..NestedUsage::default()
    };
    let mut of = |key| -> Result<Sides> {
        Ok(Sides {
            input: modality(&inputs, &[key])?,
            cached: modality(&in_cache, &[key])?,
            output: modality(&outputs, &[key])?,
        })
    };
    let (text, video) = (of("text_tokens")?, of("video_tokens")?);
    // Predicted tokens, including rejected ones, are part of the output and billed like it.
    counter.in_any(&outputs, "accepted_prediction_tokens")?;
    counter.in_any(&outputs, "rejected_prediction_tokens")?;

    let in_details = inputs.iter().flat_map(|part| ["cached_tokens", "cache_read"].map(|key| (part, key)));
    let cached = counter.agreed(in_details.chain(CACHED.map(|key| (&root, key))))?;
    nested.cached = cached.unwrap_or_default();
    let has_writes = writes(counter, &inputs, &mut nested)?;
    nested.unstated = Unstated {
        cached: cached.is_none(),
        // Models without a charge for writes do not count them, so that an object that states cached tokens
        // says enough about the cache.
        cache_write: !has_writes && cached.is_none(),
        reasoning: reasoning.is_none(),
    };
    assign_unlabelled(&mut nested, endpoint, &text, &video, counter.has_audio_seconds());
    Ok(Some(Tokens { nested, text, video, other: Sides::default() }))
}

/// Refuses a usage without input or output: the missing side would cost zero. A side may be missing if there
/// is a total, because both sides must add up to it. Endpoints without output tokens need not state an
/// output.
fn both_sides(endpoint: Endpoint, input: Option<u64>, output: Option<u64>, total: Option<u64>) -> Result<()> {
    let has_output = matches!(
        endpoint,
        Endpoint::Chat | Endpoint::Responses | Endpoint::Completions | Endpoint::Realtime | Endpoint::Images
    );
    if total.is_none() && (input.is_none() || has_output && output.is_none()) {
        return Err(UsageReadError::NotAUsage(if input.is_none() {
            "the object lacks the input tokens: without them the input would cost nothing"
        } else {
            "the object lacks the output tokens: without them the output would cost nothing"
        }));
    }
    Ok(())
}

/// Assigns tokens to the modality of the endpoint if the object does not state their modality. A breakdown
/// that has only zeros counts as missing.
fn assign_unlabelled(
    nested: &mut NestedUsage,
    endpoint: Endpoint,
    text: &Sides,
    video: &Sides,
    by_time: bool,
) {
    let n = nested;
    let is_stated = [text.output, video.output, n.audio_output, n.image_output] != [0; 4];
    match endpoint {
        // The hidden output is not separated from the image tokens. If it were billed as text, it would be too
        // cheap.
        Endpoint::Images if !is_stated && n.reasoning <= n.output => {
            (n.image_output, n.reasoning) = (n.output, 0);
        }
        Endpoint::AudioSpeech if !is_stated => n.audio_output = n.output.saturating_sub(n.reasoning),
        // If the audio is billed by its length, the input tokens are those of the text prompt.
        Endpoint::AudioTranscription | Endpoint::AudioTranslation
            if !by_time && [text.input, video.input, n.audio_input, n.image_input] == [0; 4] =>
        {
            let written = n.cache_write.saturating_add(n.cache_write_1h).saturating_add(n.cache_write_12h);
            n.audio_input = n.input.saturating_sub(n.cached.saturating_add(written));
        }
        _ => {}
    }
}

/// Reads cache writes by lifetime, under OpenAI's names and under LiteLLM's names for Anthropic. Returns
/// whether the object states any.
fn writes(counter: &mut Counter<'_>, inputs: &[Part<'_>], nested: &mut NestedUsage) -> Result<bool> {
    const SUMS: [&str; 3] = ["cache_write_tokens", "cache_creation_tokens", "cache_creation"];
    let root = counter.root;
    let mut splits = parts_of(inputs, &["cache_write_tokens_details", "cache_creation_token_details"])?;
    // Gateways copy Anthropic's own split to the root. LangChain writes the split into the details, and sets
    // the sum to zero.
    splits.push(root.part("cache_creation")?);
    splits.extend_from_slice(inputs);
    let in_details = inputs.iter().flat_map(|part| SUMS.map(|key| (part, key)));
    let total = counter.agreed(in_details.chain([(&root, "cache_creation_input_tokens")]))?;
    let short =
        splits.iter().flat_map(|part| ["ttl_30m_tokens", "ephemeral_5m_input_tokens"].map(|key| (part, key)));
    let short = counter.agreed(short)?;
    let one_hour = counter.in_any(&splits, "ephemeral_1h_input_tokens")?;
    let twelve_hours = counter.in_any(&splits, "ttl_12h_tokens")?;
    let is_stated = [total, short, one_hour, twelve_hours].iter().any(Option::is_some);
    nested.cache_write_1h = one_hour.unwrap_or_default();
    nested.cache_write_12h = twelve_hours.unwrap_or_default();
    let longer = nested.cache_write_1h.saturating_add(nested.cache_write_12h);
    let is_split = longer > 0 || short.is_some_and(|short| short > 0);
    let total = total.filter(|&total| total > 0 || !is_split);
    let names = ["cache_write_tokens", "cache_write_tokens_details.ttl_30m_tokens"];
    nested.cache_write = ordinary_writes(names, total, short, longer)?;
    Ok(is_stated)
}

fn parts_of<'v>(parents: &[Part<'v>], keys: &[&'static str]) -> Result<Vec<Part<'v>>> {
    parents.iter().flat_map(|parent| keys.iter().map(|key| parent.part(key))).collect()
}

//! Properties of all usage objects, and of texts that are not usage objects.

use proptest::prelude::*;
use serde_json::{Value, json};
use spanledger_event::{Bucket, Endpoint, Unstated, Usage};
use spanledger_price::usage::{parse, parse_for};

use crate::{usage::assert_complete, usage_fixtures::FIXTURES};

const PROVIDERS: [&str; 10] = [
    "openai",
    "anthropic",
    "gcp.gemini",
    "deepseek",
    "mistral_ai",
    "x_ai",
    "groq",
    "cohere",
    "aws.bedrock",
    "acme",
];

/// A provider, a function that writes a usage in its form, and the buckets that it reports separately.
type Form = (&'static str, fn(&Usage) -> Value, &'static [Bucket]);

const COMMON: &[Bucket] = &[
    Bucket::Input,
    Bucket::CachedInput,
    Bucket::AudioInput,
    Bucket::ImageInput,
    Bucket::Output,
    Bucket::Reasoning,
];
const CACHED_TEXT: &[Bucket] = &[Bucket::Input, Bucket::CachedInput, Bucket::Output, Bucket::Reasoning];

const FORMS: [Form; 9] = [
    ("openai", realtime, &Bucket::ALL),
    ("acme", realtime, &Bucket::ALL),
    (
        "anthropic",
        anthropic,
        &[
            Bucket::Input,
            Bucket::CachedInput,
            Bucket::CacheWrite,
            Bucket::CacheWrite1h,
            Bucket::Output,
            Bucket::Reasoning,
        ],
    ),
    (
        "aws.bedrock",
        bedrock,
        &[Bucket::Input, Bucket::CachedInput, Bucket::CacheWrite, Bucket::CacheWrite1h, Bucket::Output],
    ),
    (
        "gcp.gemini",
        gemini,
        &[
            Bucket::Input,
            Bucket::CachedInput,
            Bucket::AudioInput,
            Bucket::CachedAudioInput,
            Bucket::ImageInput,
            Bucket::CachedImageInput,
            Bucket::Output,
            Bucket::Reasoning,
            Bucket::AudioOutput,
            Bucket::ImageOutput,
        ],
    ),
    ("deepseek", deepseek, CACHED_TEXT),
    ("mistral", mistral, CACHED_TEXT),
    ("xai", xai, COMMON),
    ("cohere", cohere, &[Bucket::Input, Bucket::Output]),
];

fn realtime(usage: &Usage) -> Value {
    let n = usage.nested();
    let writes = n.cache_write + n.cache_write_1h + n.cache_write_12h;
    json!({
        "input_tokens": n.input, "output_tokens": n.output, "total_tokens": n.input + n.output,
        "input_token_details": {
            "audio_tokens": n.audio_input, "image_tokens": n.image_input, "cached_tokens": n.cached,
            "cached_tokens_details": {"audio_tokens": n.cached_audio, "image_tokens": n.cached_image},
            "cache_write_tokens": writes,
            "cache_write_tokens_details": {"ttl_30m_tokens": n.cache_write, "ttl_12h_tokens": n.cache_write_12h},
            "cache_creation_token_details": {"ephemeral_1h_input_tokens": n.cache_write_1h},
        },
        "output_token_details": {
            "reasoning_tokens": n.reasoning, "audio_tokens": n.audio_output, "image_tokens": n.image_output,
        },
    })
}

fn anthropic(usage: &Usage) -> Value {
    json!({
        "input_tokens": usage.tokens(Bucket::Input), "output_tokens": usage.output_tokens(),
        "cache_read_input_tokens": usage.tokens(Bucket::CachedInput),
        "cache_creation_input_tokens": usage.cache_write_tokens(),
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.tokens(Bucket::CacheWrite),
            "ephemeral_1h_input_tokens": usage.tokens(Bucket::CacheWrite1h),
        },
        "output_tokens_details": {"thinking_tokens": usage.reasoning_tokens()},
    })
}

fn bedrock(usage: &Usage) -> Value {
    json!({
        "inputTokens": usage.tokens(Bucket::Input), "outputTokens": usage.output_tokens(),
        "totalTokens": usage.prompt_tokens() + usage.output_tokens(),
        "cacheReadInputTokens": usage.cached_tokens(), "cacheWriteInputTokens": usage.cache_write_tokens(),
        "cacheDetails": [
            {"ttl": "5m", "inputTokens": usage.tokens(Bucket::CacheWrite)},
            {"ttl": "1h", "inputTokens": usage.tokens(Bucket::CacheWrite1h)},
        ],
    })
}

fn gemini(usage: &Usage) -> Value {
    let n = usage.nested();
    let by = |audio, image| json!([{"modality": "AUDIO", "tokenCount": audio}, {"modality": "IMAGE", "tokenCount": image}]);
    json!({
        "promptTokenCount": n.input, "cachedContentTokenCount": n.cached, "thoughtsTokenCount": n.reasoning,
        "candidatesTokenCount": usage.completion_tokens(), "totalTokenCount": n.input + n.output,
        "promptTokensDetails": by(n.audio_input, n.image_input),
        "cacheTokensDetails": by(n.cached_audio, n.cached_image),
        "candidatesTokensDetails": by(n.audio_output, n.image_output),
    })
}

fn deepseek(usage: &Usage) -> Value {
    let n = usage.nested();
    json!({
        "prompt_tokens": n.input, "completion_tokens": n.output, "total_tokens": n.input + n.output,
        "prompt_cache_hit_tokens": n.cached, "prompt_cache_miss_tokens": n.input - n.cached,
        "completion_tokens_details": {"reasoning_tokens": n.reasoning},
    })
}

fn mistral(usage: &Usage) -> Value {
    let n = usage.nested();
    json!({
        "prompt_tokens": n.input, "completion_tokens": n.output, "total_tokens": n.input + n.output,
        "num_cached_tokens": n.cached, "completion_tokens_details": {"reasoning_tokens": n.reasoning},
    })
}

fn xai(usage: &Usage) -> Value {
    let n = usage.nested();
    json!({
        "prompt_tokens": n.input, "completion_tokens": usage.completion_tokens(),
        "total_tokens": n.input + n.output,
        "prompt_tokens_details": {
            "text_tokens": n.input - n.audio_input - n.image_input, "audio_tokens": n.audio_input,
            "image_tokens": n.image_input, "cached_tokens": n.cached,
        },
        "completion_tokens_details": {"reasoning_tokens": n.reasoning},
    })
}

fn cohere(usage: &Usage) -> Value {
    json!({"billed_units": {"input_tokens": usage.prompt_tokens(), "output_tokens": usage.output_tokens()}})
}

proptest! {
    /// Guarantees: a usage in a provider's form is read back as the same usage, also if its numbers are
    /// written as text or with a decimal point; the buckets add up to the provider's total.
    #[test]
    fn each_form_is_read_back(
        tokens in proptest::array::uniform13(prop_oneof![Just(0_u64), 0_u64..1_000_000]),
        writing in 0_u8..3,
    ) {
        for (provider, form, buckets) in FORMS {
            let usage = Bucket::ALL
                .into_iter()
                .zip(tokens)
                .filter(|(bucket, _)| buckets.contains(bucket))
                .fold(Usage::default(), |usage, (bucket, n)| usage.with(bucket, n))
                // A form without hidden output says nothing about it.
                .with_unstated(Unstated { reasoning: !buckets.contains(&Bucket::Reasoning), ..Unstated::NONE });
            let mut json = form(&usage);
            rewrite(&mut json, &mut |value| match (writing, value.as_u64()) {
                (1, Some(n)) => *value = json!(n.to_string()),
                (2, Some(n)) => *value = json!(format!("{n}.0")),
                _ => {}
            });
            let parsed = parse(provider, &json.to_string());
            let parsed = parsed.map_err(|error| TestCaseError::fail(format!("{provider} {json}: {error:?}")))?;
            prop_assert_eq!(&parsed.usage, &usage, "{} {}", provider, json);
            prop_assert_eq!(parsed.nested.input + parsed.nested.output, usage.prompt_tokens() + usage.output_tokens());
            prop_assert!(parsed.unrecognized_counts.is_empty(), "{:?}", parsed.unrecognized_counts);
        }
    }

    /// Guarantees: a total that differs from the sum is refused.
    #[test]
    fn a_wrong_total_is_refused(input in 0_u64..1_000_000, output in 0_u64..1_000_000, off in 1_u64..1_000_000) {
        let total = input + output + off;
        let chat = json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": total});
        for provider in PROVIDERS {
            prop_assert!(parse(provider, &chat.to_string()).is_err(), "{}", provider);
        }
        let native = [
            ("anthropic", json!({"input_tokens": input, "output_tokens": output, "total_tokens": total})),
            ("gemini", json!({"promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": total})),
            ("bedrock", json!({"inputTokens": input, "outputTokens": output, "totalTokens": total})),
        ];
        for (provider, json) in native {
            prop_assert!(parse(provider, &json.to_string()).is_err(), "{}", provider);
        }
    }

    /// Guarantees: any text from any provider is read or refused without a panic.
    #[test]
    fn any_text_is_read_or_refused(provider in "(xai|gemini|anthropic|cohere|.*)", text in ".*", number in "-?[0-9]{0,25}(\\.[0-9]{1,3})?(e[0-9]{1,3})?") {
        for json in [
            text,
            format!(r#"{{"input_tokens": {number}, "output_tokens": 1, "cache_read_input_tokens": "{number}"}}"#),
            format!(r#"{{"promptTokenCount": {number}, "promptTokensDetails": [{{"modality": {number}, "tokenCount": {number}}}]}}"#),
            format!(r#"{{"billed_units": {{"search_units": {number}}}, "seconds": {number}}}"#),
        ] {
            for endpoint in Endpoint::ALL {
                match parse_for(&provider, endpoint, &json) {
                    Ok(parsed) => assert_complete(&parsed, &json),
                    Err(error) => prop_assert!(!error.to_problem().is_empty()),
                }
            }
        }
    }
}

/// Applies an edit to every leaf.
fn rewrite(value: &mut Value, edit: &mut impl FnMut(&mut Value)) {
    match value {
        Value::Object(object) => object.values_mut().for_each(|value| rewrite(value, edit)),
        Value::Array(items) => items.iter_mut().for_each(|value| rewrite(value, edit)),
        leaf => edit(leaf),
    }
}

/// A random generator with the same numbers on every machine (xorshift).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(sides).unwrap()).unwrap()
    }
}

fn odd_value(dice: &mut Dice) -> Value {
    let values = [
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(i64::MIN),
        json!(1_u64 << 32),
        json!((1_u64 << 32) + 1),
        json!(null),
        json!(true),
        json!(""),
        json!("7"),
        json!("-7"),
        json!("1e9"),
        json!("\u{0}é"),
        json!([]),
        json!([1]),
        json!([{}]),
        json!({}),
        json!({"cached_tokens": 3}),
        json!([{"modality": 4, "tokenCount": 2}]),
        json!([[[[]]]]),
    ];
    values[dice.roll(values.len())].clone()
}

/// Changes one value, removes a key, or adds a key of another provider.
fn mutate(value: &mut Value, keys: &[String], dice: &mut Dice) {
    match value {
        Value::Object(object) if !object.is_empty() && dice.roll(8) > 0 => {
            let key = object.keys().nth(dice.roll(object.len())).unwrap().clone();
            match dice.roll(6) {
                0 => drop(object.remove(&key)),
                1 => {
                    let other_key = keys[dice.roll(keys.len())].clone();
                    object.insert(other_key, odd_value(dice));
                }
                2 => {
                    let moved = object[&key].clone();
                    object.insert(keys[dice.roll(keys.len())].clone(), moved);
                }
                _ => mutate(&mut object[&key], keys, dice),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let at = dice.roll(items.len());
            mutate(&mut items[at], keys, dice);
        }
        value => *value = odd_value(dice),
    }
}

fn keys_of(value: &Value, keys: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                keys.push(key.clone());
                keys_of(value, keys);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| keys_of(item, keys)),
        _ => {}
    }
}

/// Guarantees: a damaged object or text never makes the readers panic or lose a token.
#[test]
fn damaged_usages_are_read_or_refused() {
    const ROUNDS: usize = 40_000;
    let whole: Vec<Value> =
        FIXTURES.iter().map(|fixture| serde_json::from_str(fixture.json).unwrap()).collect();
    let mut keys = Vec::new();
    for value in &whole {
        keys_of(value, &mut keys);
    }
    let mut dice = Dice(0x5eed_0123_4567_89ab);
    let (mut read, mut refused) = (0, 0);
    for _ in 0..ROUNDS {
        let at = dice.roll(whole.len());
        let mut value = whole[at].clone();
        for _ in 0..=dice.roll(3) {
            mutate(&mut value, &keys, &mut dice);
        }
        let mut json = value.to_string();
        if dice.roll(10) == 0 {
            let cut = (0..=dice.roll(json.len())).rev().find(|&cut| json.is_char_boundary(cut)).unwrap();
            json.truncate(cut);
        }
        let provider =
            if dice.roll(2) == 0 { FIXTURES[at].provider } else { PROVIDERS[dice.roll(PROVIDERS.len())] };
        match parse_for(provider, Endpoint::ALL[dice.roll(Endpoint::ALL.len())], &json) {
            Ok(parsed) => {
                assert_complete(&parsed, &json);
                let bounded = Bucket::ALL.into_iter().all(|b| parsed.usage.tokens(b) <= Usage::TOKENS_MAX);
                assert!(bounded && parsed.usage.units.values().all(|n| n.is_sign_positive()), "{json}");
                read += 1;
            }
            Err(error) => {
                assert!(!error.to_problem().is_empty());
                refused += 1;
            }
        }
    }
    assert!(read > ROUNDS / 10 && refused > ROUNDS / 10, "{read} read, {refused} refused");
}

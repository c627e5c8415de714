//! OpenAI's usage objects: chat, completions, Responses, embeddings, images, audio, realtime.
//!
//! They are told apart by their keys, not by the endpoint: gateways answer one API in another's
//! form, and some send both forms at once.

#[cfg(test)]
mod tests;

use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use spanledger_event::{NestedUsage, UsageError};

use super::{ParsedUsage, UsageJsonError};

// Chat, Responses and realtime each have a name of their own for the same two objects.
const INPUT: [&str; 3] = ["prompt_tokens_details", "input_tokens_details", "input_token_details"];
const OUTPUT: [&str; 3] = ["completion_tokens_details", "output_tokens_details", "output_token_details"];

/// Reads a usage object.
pub fn parse(json: &str) -> Result<ParsedUsage, UsageJsonError> {
    let value: Value =
        serde_json::from_str(json).map_err(|error| UsageJsonError::NotJson(error.to_string()))?;
    let Value::Object(usage) = &value else {
        return Err(UsageJsonError::NotAUsage("the usage is not a JSON object"));
    };
    let mut reader = Reader::default();
    let root = Part { at: [""; 2], object: Some(usage) };
    let seconds = reader.seconds(&root)?;
    let input = reader.same(&root, "prompt_tokens", "input_tokens")?;
    let output = reader.same(&root, "completion_tokens", "output_tokens")?;
    let total = reader.count(&root, "total_tokens")?;
    if input.is_none() && output.is_none() && seconds.is_none() {
        return Err(UsageJsonError::NotAUsage("the object has neither token counts nor seconds"));
    }

    let input_parts = INPUT.map(|key| part_of(&root, key));
    let output_parts = OUTPUT.map(|key| part_of(&root, key));
    let cached_parts = input_parts.each_ref().map(|part| part_of(part, "cached_tokens_details"));
    let write_parts = input_parts.each_ref().map(|part| part_of(part, "cache_write_tokens_details"));

    let writes = reader.any(&input_parts, "cache_write_tokens")?;
    let short_writes = reader.any(&write_parts, "ttl_30m_tokens")?;
    let long_writes = reader.any(&write_parts, "ttl_12h_tokens")?;
    let nested = NestedUsage {
        input: input.unwrap_or_default(),
        cached: reader.any(&input_parts, "cached_tokens")?.unwrap_or_default(),
        cache_write: without_long(writes, short_writes, long_writes)?,
        cache_write_1h: 0,
        cache_write_12h: long_writes.unwrap_or_default(),
        audio_input: reader.any(&input_parts, "audio_tokens")?.unwrap_or_default(),
        cached_audio: reader.any(&cached_parts, "audio_tokens")?.unwrap_or_default(),
        image_input: reader.any(&input_parts, "image_tokens")?.unwrap_or_default(),
        cached_image: reader.any(&cached_parts, "image_tokens")?.unwrap_or_default(),
        output: output.unwrap_or_default(),
        reasoning: reader.any(&output_parts, "reasoning_tokens")?.unwrap_or_default(),
        audio_output: reader.any(&output_parts, "audio_tokens")?.unwrap_or_default(),
        image_output: reader.any(&output_parts, "image_tokens")?.unwrap_or_default(),
        total,
    };
    // What is left of a whole is text, so these say nothing new; they must not say more than that.
    let text_input = reader.any(&input_parts, "text_tokens")?.unwrap_or_default();
    let text_output = reader.any(&output_parts, "text_tokens")?.unwrap_or_default();
    let text_cached = reader.any(&cached_parts, "text_tokens")?.unwrap_or_default();
    // Parts of the output that are billed like the rest of it, also the rejected ones.
    reader.any(&output_parts, "accepted_prediction_tokens")?;
    reader.any(&output_parts, "rejected_prediction_tokens")?;

    let mut usage = nested.exclusive().map_err(UsageJsonError::Contradictory)?;
    contained("input", nested.input, [text_input, nested.audio_input, nested.image_input])?;
    contained("output", nested.output, [text_output, nested.audio_output, nested.image_output])?;
    contained("cached input", nested.cached, [text_cached, nested.cached_audio, nested.cached_image])?;
    usage.audio_seconds = seconds;
    Ok(ParsedUsage { nested, usage, unknown: reader.unread(&value) })
}

/// The writes of 30 minutes: the total without the longer ones, or the split where no total is told.
fn without_long(total: Option<u64>, short: Option<u64>, long: Option<u64>) -> Result<u64, UsageJsonError> {
    let Some(total) = total else { return Ok(short.unwrap_or_default()) };
    let rest = total.checked_sub(long.unwrap_or_default()).ok_or({
        let parts = long.unwrap_or_default();
        UsageJsonError::Contradictory(UsageError::PartsExceedWhole {
            side: "cache writes",
            parts,
            whole: total,
        })
    })?;
    match short {
        Some(short) if short != rest => Err(UsageJsonError::Disagreement {
            a: "cache_write_tokens_details.ttl_30m_tokens".to_owned(),
            a_value: short,
            b: "cache_write_tokens without ttl_12h_tokens".to_owned(),
            b_value: rest,
        }),
        _ => Ok(rest),
    }
}

/// Text, audio and image are parts of one whole.
fn contained(side: &'static str, whole: u64, parts: [u64; 3]) -> Result<(), UsageJsonError> {
    let parts = parts.into_iter().fold(0, u64::saturating_add);
    if parts > whole {
        return Err(UsageJsonError::Contradictory(UsageError::PartsExceedWhole { side, parts, whole }));
    }
    Ok(())
}

/// An object inside the usage, absent when it is missing or null.
struct Part<'v> {
    /// The keys that lead to it, the outer one first.
    at: [&'static str; 2],
    object: Option<&'v Map<String, Value>>,
}

impl<'v> Part<'v> {
    fn get(&self, key: &str) -> Option<&'v Value> {
        self.object?.get(key).filter(|value| !value.is_null())
    }

    fn field(&self, key: &'static str) -> Field {
        Field([self.at[0], self.at[1], key])
    }
}

fn part_of<'v>(part: &Part<'v>, key: &'static str) -> Part<'v> {
    let at = if part.at[0].is_empty() { [key, ""] } else { [part.at[0], key] };
    Part { at, object: part.get(key).and_then(Value::as_object) }
}

/// Where a count stands: the keys that lead to it.
#[derive(Clone, Copy)]
struct Field([&'static str; 3]);

impl Field {
    fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.into_iter().filter(|key| !key.is_empty())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keys().collect::<Vec<_>>().join("."))
    }
}

/// Takes fields and remembers which.
#[derive(Default)]
struct Reader {
    read: Vec<Field>,
}

impl Reader {
    fn count(&mut self, part: &Part<'_>, key: &'static str) -> Result<Option<u64>, UsageJsonError> {
        let Some(value) = part.get(key) else { return Ok(None) };
        let field = part.field(key);
        self.read.push(field);
        let not_a_count = || UsageJsonError::NotACount { field: field.to_string(), value: excerpt(value) };
        whole(value).map(Some).ok_or_else(not_a_count)
    }

    /// Two names of one count. Gateways that send both leave the one they do not mean at zero.
    fn same(
        &mut self,
        part: &Part<'_>,
        a: &'static str,
        b: &'static str,
    ) -> Result<Option<u64>, UsageJsonError> {
        agreed([(part.field(a), self.count(part, a)?), (part.field(b), self.count(part, b)?)])
    }

    /// One count that may stand in several places.
    fn any(&mut self, parts: &[Part<'_>; 3], key: &'static str) -> Result<Option<u64>, UsageJsonError> {
        let [a, b, c] = parts.each_ref().map(|part| Ok((part.field(key), self.count(part, key)?)));
        agreed([a?, b?, c?])
    }

    /// The length of audio, where it is billed by time.
    fn seconds(&mut self, root: &Part<'_>) -> Result<Option<Decimal>, UsageJsonError> {
        let Some(value) = root.get("seconds") else { return Ok(None) };
        self.read.push(root.field("seconds"));
        let seconds = match value {
            Value::Number(number) => Decimal::from_str_exact(&number.to_string()).ok(),
            Value::String(text) => Decimal::from_str_exact(text.trim()).ok(),
            _ => None,
        };
        let not_a_count = || UsageJsonError::NotACount { field: "seconds".to_owned(), value: excerpt(value) };
        seconds.filter(|seconds| *seconds >= Decimal::ZERO).map(Some).ok_or_else(not_a_count)
    }

    /// The numbers that nobody took and that are not zero, in the order of their paths.
    fn unread(&self, usage: &Value) -> Vec<String> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), usage, &mut found);
        found
    }

    fn has_read(&self, path: &[&str]) -> bool {
        self.read.iter().any(|field| field.keys().eq(path.iter().copied()))
    }

    fn walk<'v>(&self, path: &mut Vec<&'v str>, value: &'v Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    path.push(key);
                    self.walk(path, value, found);
                    path.pop();
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(path, item, found)),
            Value::Number(number) if number.as_u64() != Some(0) && !self.has_read(path) => {
                found.push(format!("{}={number}", path.join(".")));
            }
            _ => {}
        }
    }
}

/// The one count that all places tell, zero aside.
fn agreed<const N: usize>(places: [(Field, Option<u64>); N]) -> Result<Option<u64>, UsageJsonError> {
    let mut agreed: Option<(Field, u64)> = None;
    for (field, count) in places {
        let Some(count) = count else { continue };
        match agreed {
            Some((a, a_value)) if a_value != 0 && count != 0 && a_value != count => {
                let (a, b) = (a.to_string(), field.to_string());
                return Err(UsageJsonError::Disagreement { a, a_value, b, b_value: count });
            }
            Some((_, a_value)) if a_value != 0 => {}
            _ => agreed = Some((field, count)),
        }
    }
    Ok(agreed.map(|(_, count)| count))
}

/// A whole number that is not negative, also in a string. `12.0` is one: some languages write all
/// numbers like that.
fn whole(value: &Value) -> Option<u64> {
    let whole = |text: &str| {
        let digits = match text.split_once('.') {
            Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => digits,
            _ => text,
        };
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(&number.to_string())),
        Value::String(text) => whole(text.trim()),
        _ => None,
    }
}

/// The value for a message, cut to a bearable length.
fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

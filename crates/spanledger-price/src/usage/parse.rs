//! Reads a usage object into buckets.

use serde_json::Value;
use spanledger_event::{Endpoint, limits::USAGE_READ_BYTES_MAX};

use super::{
    counter::Counter,
    error::{Result, UsageReadError},
    family::UsageFamily,
    openai,
    parsed::ParsedUsage,
    unstated::unstated_if_absent,
};
use crate::providers::PROVIDERS;

/// Reads the usage object of a provider. The provider is given by its name in the book or in telemetry.
///
/// The object of an unknown provider is read as OpenAI's form, which most providers use.
///
/// ```
/// use spanledger_event::Bucket;
/// use spanledger_price::usage;
///
/// let json = r#"{"input_tokens": 3, "cache_read_input_tokens": 9511, "output_tokens": 44}"#;
/// let parsed = usage::parse("anthropic", json)?;
/// assert_eq!(parsed.usage.tokens(Bucket::CachedInput), 9511);
/// assert_eq!(parsed.usage.prompt_tokens(), 9514);
/// # Ok::<(), usage::UsageReadError>(())
/// ```
pub fn parse(provider: &str, json: &str) -> Result<ParsedUsage> {
    parse_for(provider, Endpoint::Other, json)
}

/// [`parse`] for a call whose endpoint is known.
///
/// The endpoint determines the modality of tokens if the object does not state it: the output tokens of the
/// images endpoint are image tokens, and those of the speech endpoint are audio tokens.
pub fn parse_for(provider: &str, endpoint: Endpoint, json: &str) -> Result<ParsedUsage> {
    if json.len() > USAGE_READ_BYTES_MAX {
        return Err(UsageReadError::TooLarge(json.len()));
    }
    // `serde_json` limits the depth of nesting (`USAGE_DEPTH_MAX`), so that recursive readers need no limit.
    let value = serde_json::from_str(json).map_err(|error| UsageReadError::NotJson(error.to_string()))?;
    match &value {
        Value::Object(usage) => read(family_of(provider), Counter::new(usage), endpoint),
        _ => Err(UsageReadError::NotAUsage("the usage is not a JSON object")),
    }
}

/// Reads an object. Its keys take precedence over the provider's name: several clouds send the usage of
/// Anthropic's models in Anthropic's form, and gateways send the usage of any provider in OpenAI's form.
fn read(family: &UsageFamily, counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let forms = PROVIDERS.iter().filter_map(|provider| provider.usage.own_form.as_ref());
    let mut proven = forms.filter(|form| (form.matches)(&counter.root, false));
    let own = || family.own_form.as_ref().filter(|form| (form.matches)(&counter.root, true));
    let (mut parsed, unstated) = match proven.next().or_else(own) {
        Some(form) => ((form.read)(counter)?, form.unstated_if_absent),
        None => ((family.read_openai_form)(counter, endpoint)?, unstated_if_absent(endpoint)),
    };
    parsed.usage = parsed.usage.with_unstated(parsed.nested.unstated.and(unstated));
    parsed.nested.unstated = parsed.usage.unstated();
    Ok(parsed)
}

/// The usage family of a provider, by the beginning of its name without punctuation: `x_ai`, `x.ai` and
/// `xai.chat` are all xAI.
pub(crate) fn family_of(provider: &str) -> &'static UsageFamily {
    /// This is longer than every prefix in the table.
    const CHARS_MAX: usize = 16;
    let name: String = provider.chars().filter(char::is_ascii_alphanumeric).take(CHARS_MAX).collect();
    let name = name.to_ascii_lowercase();
    PROVIDERS
        .iter()
        .find(|known| known.usage_names.iter().any(|prefix| name.starts_with(prefix)))
        .map_or(&openai::FAMILY, |known| known.usage)
}

//! From a usage object to buckets.

use serde_json::Value;
use spanledger_event::Endpoint;

use super::{
    counter::Counter,
    error::{Result, UsageReadError},
    family::UsageFamily,
    openai,
    parsed::ParsedUsage,
};
use crate::providers::PROVIDERS;

/// Reads the usage object of a provider, by the name that the provider has in the book or in
/// telemetry.
///
/// A provider that is not known is read as OpenAI, whose form most others use.
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
/// The endpoint matters where the object does not say what the output is: the output tokens of the
/// images endpoint are image tokens, those of speech are audio tokens.
pub fn parse_for(provider: &str, endpoint: Endpoint, json: &str) -> Result<ParsedUsage> {
    // `serde_json` limits the nesting, so that the readers need not.
    let value = serde_json::from_str(json).map_err(|error| UsageReadError::NotJson(error.to_string()))?;
    match &value {
        Value::Object(usage) => read(family_of(provider), Counter::new(usage), endpoint),
        _ => Err(UsageReadError::NotAUsage("the usage is not a JSON object")),
    }
}

/// The keys of the object go before the provider's name: Anthropic's models answer in Anthropic's form
/// from three clouds, and gateways answer in OpenAI's form for everybody.
fn read(family: &UsageFamily, counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let forms = PROVIDERS.iter().filter_map(|provider| provider.usage.own_form.as_ref());
    let mut proven = forms.filter(|form| (form.matches)(&counter.root, false));
    let own = || family.own_form.as_ref().filter(|form| (form.matches)(&counter.root, true));
    match proven.next().or_else(own) {
        Some(form) => (form.read)(counter),
        None => (family.read_openai_form)(counter, endpoint),
    }
}

/// The family by the beginning of a provider's name, in letters and digits: `x_ai`, `x.ai` and
/// `xai.chat` are xAI.
pub(crate) fn family_of(provider: &str) -> &'static UsageFamily {
    /// Longer than every beginning.
    const CHARS_MAX: usize = 16;
    let name: String = provider.chars().filter(char::is_ascii_alphanumeric).take(CHARS_MAX).collect();
    let name = name.to_ascii_lowercase();
    PROVIDERS
        .iter()
        .find(|known| known.usage_names.iter().any(|beginning| name.starts_with(beginning)))
        .map_or(&openai::FAMILY, |known| known.usage)
}

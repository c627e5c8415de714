//! `DeepSeek`'s usage object: OpenAI's form, with additional counts of the prompt tokens that hit and missed
//! the cache. Reasoning is part of the completion.

use spanledger_event::Endpoint;

use super::{
    counter::Counter,
    error::{Result, UsageReadError},
    family::UsageFamily,
    openai,
    parsed::ParsedUsage,
};

/// OpenAI's form with `DeepSeek`'s fields.
pub(crate) static FAMILY: UsageFamily = UsageFamily { own_form: None, read_openai_form: read };

fn read(mut counter: Counter<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let root = counter.root;
    let mut tokens = openai::tokens(&mut counter, endpoint)?;
    let missed = counter.count(&root, "prompt_cache_miss_tokens")?;
    if let (Some(tokens), Some(missed)) = (&mut tokens, missed) {
        let (sum, whole) = (tokens.nested.cached.saturating_add(missed), tokens.nested.input);
        if sum != whole {
            return Err(UsageReadError::Disagreement {
                a: "prompt_cache_hit_tokens + prompt_cache_miss_tokens".to_owned(),
                a_value: sum.into(),
                b: "prompt_tokens".to_owned(),
                b_value: whole.into(),
            });
        }
        // The tokens that missed the cache are all but the cached ones.
        (tokens.nested.unstated.cached, tokens.nested.unstated.cache_write) = (false, false);
    }
    openai::finish(counter, tokens)
}

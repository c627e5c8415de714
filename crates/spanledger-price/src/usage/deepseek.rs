//! `DeepSeek`'s usage object: OpenAI's form, and the prompt once more as what hit the cache and what
//! missed it. Reasoning is part of the completion.

use spanledger_event::Endpoint;

use super::{
    ParsedUsage, UsageJsonError, openai,
    reader::{Reader, Result},
};

pub(super) fn read(mut reader: Reader<'_>, endpoint: Endpoint) -> Result<ParsedUsage> {
    let root = reader.root;
    let tokens = openai::tokens(&mut reader, endpoint)?;
    let missed = reader.count(&root, "prompt_cache_miss_tokens")?;
    if let (Some(tokens), Some(missed)) = (&tokens, missed) {
        let (sum, whole) = (tokens.nested.cached.saturating_add(missed), tokens.nested.input);
        if sum != whole {
            return Err(UsageJsonError::Disagreement {
                a: "prompt_cache_hit_tokens + prompt_cache_miss_tokens".to_owned(),
                a_value: sum.into(),
                b: "prompt_tokens".to_owned(),
                b_value: whole.into(),
            });
        }
    }
    openai::finish(reader, tokens)
}

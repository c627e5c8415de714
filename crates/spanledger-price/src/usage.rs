//! Reads the usage of a call from a provider's response, in exclusive buckets.
//!
//! [`resolve`] determines the usage of a call from all parts of the response. [`parse`] reads only the
//! object that the provider calls `usage`. The same field names mean different things at different
//! providers:
//!
//! | provider | input | cache | hidden output |
//! |---|---|---|---|
//! | OpenAI, Mistral, Groq, `DeepSeek` | includes cached and written tokens | part of input | part of output |
//! | Anthropic, Bedrock | excludes cached and written tokens | not part of input | part of output |
//! | Google | includes cached tokens, but not the prompt that tools made | part of input | not part of the candidates |
//! | xAI | includes cached tokens, also in `text_tokens` | part of input | part of the completion or not; the total decides |
//! | Cohere | billed tokens, not processed ones | not billed separately | part of output |
//!
//! A gateway may send any provider's usage in OpenAI's form or in the provider's own form. The keys of the
//! object decide which form it is.
//!
//! A part that a usage lacks is *unstated* and not zero, unless the form leaves it out where nothing was used:
//! the row of the form says so, and [`unstated_if_absent`] for OpenAI's form.
//!
//! No count is clamped or guessed. If the parts do not add up to the stated total, or a count is not a
//! number, the result is a [`UsageReadError`]. A billable count without a bucket becomes a
//! [unit](spanledger_event::Usage::units) (`video_tokens`, `search_units`, …). If the book has no rate for
//! the unit, the call is unpriced, so that an incomplete cost is never shown as the total. A token is in one
//! bucket or one unit, never in both.
//!
//! Each file of the folder `usage/` for a provider declares a `UsageFamily`; the provider's row in
//! `providers.rs` names it.

pub(crate) mod anthropic;
pub(crate) mod bedrock;
pub(crate) mod cohere;
mod counter;
pub(crate) mod deepseek;
mod error;
mod family;
pub(crate) mod google;
pub(crate) mod groq;
mod json;
pub(crate) mod mistral;
pub(crate) mod openai;
mod parse;
mod parsed;
mod resolve;
mod tier_region;
mod tokens;
mod tools;
mod unstated;
pub(crate) mod xai;

pub use error::UsageReadError;
pub(crate) use family::UsageFamily;
#[cfg(test)]
pub(crate) use parse::family_of;
pub use parse::{parse, parse_for};
pub use parsed::ParsedUsage;
pub use resolve::{Answer, ResolvedUsage, resolve};
pub use tools::{ContainerMemory, ToolCalls};
pub use unstated::unstated_if_absent;

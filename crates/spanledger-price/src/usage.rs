//! From a provider's own usage object to exclusive buckets.
//!
//! [`resolve`] decides what a call used, from everything that its answer says about it. [`parse`] is
//! the part of it that reads the object that a provider calls `usage`, unchanged, and says which tokens
//! are of which kind. The providers do not mean the same by the same words:
//!
//! | provider | input | cache | hidden output |
//! |---|---|---|---|
//! | OpenAI, Mistral, Groq, `DeepSeek` | contains the cached and written | part of input | part of output |
//! | Anthropic, Bedrock | what was neither read from nor written to a cache | beside input | part of output |
//! | Google | the prompt; the tools' prompt is beside it | part of the prompt | beside the candidates |
//! | xAI | contains the cached, also in `text_tokens` | part of input | beside the completion or part of it; the total decides |
//! | Cohere | what is billed, not what was processed | not billed separately | part of output |
//!
//! A gateway may answer for any of them in OpenAI's form or in the provider's own; the keys of the
//! object decide.
//!
//! Nothing is clamped and nothing is guessed. Where the parts do not add up to the stated total, or where
//! a count is not a number, the result is a [`UsageReadError`] instead of a usage. A billable count
//! without a bucket becomes a [unit](spanledger_event::Usage::units) (`video_tokens`, `search_units`, …)
//! that the engine refuses to price, so that the rest is not taken for the whole price. A token is in one
//! bucket or one unit, never in both.
//!
//! Each provider's usage is read by a file of this folder, which declares a `UsageFamily`; the provider's
//! row in `providers.rs` names it.

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
pub(crate) mod xai;

pub use error::UsageReadError;
pub(crate) use family::UsageFamily;
#[cfg(test)]
pub(crate) use parse::family_of;
pub use parse::{parse, parse_for};
pub use parsed::ParsedUsage;
pub use resolve::{Answer, ResolvedUsage, resolve};
pub use tools::{ContainerMemory, ToolCalls};

//! What other engines got wrong, one bug a test.
//!
//! The numbers are those of a survey of public trackers (groups: A cached tokens and cache writes,
//! B reasoning and modalities, C tiers, E names, G rounding and tools). Not here, because they are
//! not a price engine's: bugs of readers of usage objects are beside the readers
//! (`tests/it/usage*.rs`); 32, 34 and 40 are about streams and about fetching a batch again, which
//! are the recorder's and the fold's; 68 and 69 are about the provider's cost API.

mod cache;
mod general;
mod modality;
mod names;
mod rounding;
mod tiers;

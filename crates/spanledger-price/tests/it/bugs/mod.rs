//! Mistakes of other price engines, one per test. Each test names the engine and links to the public issue,
//! if one is known. Mistakes in reading usage objects are in `tests/it/usage_bugs.rs`.

mod cache;
mod general;
mod modality;
mod names;
mod rounding;
mod tiers;

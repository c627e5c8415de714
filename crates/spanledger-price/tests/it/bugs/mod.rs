//! Mistakes of other price engines, one in each test. A test names the engine and, if there is one, links to
//! the public issue about the mistake. Mistakes in reading usage objects are in
//! `tests/it/usage*.rs`.

mod cache;
mod general;
mod modality;
mod names;
mod rounding;
mod tiers;

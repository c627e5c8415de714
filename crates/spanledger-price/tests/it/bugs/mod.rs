//! What other price engines got wrong, one mistake a test. Each test names the engine and, where one is
//! known, links to the public issue that showed the mistake. Mistakes in reading usage objects are in
//! `tests/it/usage*.rs`.

mod cache;
mod general;
mod modality;
mod names;
mod rounding;
mod tiers;

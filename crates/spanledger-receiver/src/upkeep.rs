//! Work on a stored ledger in many small parts, between the appends of others: pruning, folding again, giving
//! space back. The commands of `spanledger ledger` and the admin API use it.

mod compact;
mod pace;
mod prune;
mod refold;
mod retention;
#[cfg(test)]
mod tests;

pub(crate) use self::retention::RetentionStatus;
pub use self::{
    compact::{Compaction, compact},
    pace::Pace,
    prune::{Pruning, prune},
    refold::{Refolding, refold},
    retention::Retention,
};

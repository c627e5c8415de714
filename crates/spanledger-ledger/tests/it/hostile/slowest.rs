//! The slowest appends of a campaign, and where their time went. They are printed and not asserted, because a
//! time depends on the machine.

use std::{collections::BTreeMap, fmt, time::Duration};

use spanledger_ledger::Appended;

/// So many of the slowest appends are printed.
const SHOWN: usize = 12;
/// Appends that took longer are counted.
const BOUND: Duration = Duration::from_millis(100);

/// The time of an append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Took {
    /// From the call to the answer.
    pub(super) whole: Duration,
    /// What was done in the caller's task before the writer had it.
    pub(super) preparation: Duration,
    /// The transactions that ended between the call and the answer, and their time with the sync. The rest of
    /// the whole is time in the queue.
    pub(super) commits: u64,
    pub(super) committing: Duration,
}

#[derive(Debug, Default)]
pub(super) struct Slowest {
    /// The slowest hostile append of each kind, and the slowest append of somebody else beside one of that kind.
    of_kind: BTreeMap<&'static str, [Took; 2]>,
    /// The slowest hostile appends with what they were.
    all: Vec<(Took, String)>,
    /// The times of all appends of others.
    beside: Vec<Duration>,
    over_bound: usize,
}

impl Slowest {
    pub(super) fn add(
        &mut self,
        kind: &'static str,
        what: &str,
        appended: &Appended,
        took: Took,
        beside: Took,
    ) {
        let [of_kind, of_other] = self.of_kind.entry(kind).or_default();
        *of_kind = took.max(*of_kind);
        *of_other = beside.max(*of_other);
        self.over_bound += usize::from(took.whole > BOUND) + usize::from(beside.whole > BOUND);
        self.beside.push(beside.whole);
        let Appended { new, duplicates, refused, .. } = appended;
        let refused = refused.len();
        self.all.push((took, format!("{what}: {new} new, {duplicates} known, {refused} refused")));
        self.all.sort_by_key(|one| std::cmp::Reverse(one.0));
        self.all.truncate(SHOWN);
    }
}

impl fmt::Display for Slowest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut beside = self.beside.clone();
        beside.sort();
        let at = |percent: usize| beside.get(beside.len() * percent / 100).copied().unwrap_or_default();
        writeln!(
            f,
            "appends of others beside them: {:.1?} in the median, {:.1?} at the 99th percentile",
            at(50),
            at(99)
        )?;
        writeln!(f, "{} appends took longer than {BOUND:?}", self.over_bound)?;
        writeln!(f, "the slowest append of each kind, and the slowest append of others beside such a one:")?;
        for (kind, [of_kind, beside]) in &self.of_kind {
            writeln!(f, "{:>9.1?} {:>9.1?}  {kind}", of_kind.whole, beside.whole)?;
        }
        writeln!(f, "the slowest appends: whole, preparation, transactions and their time:")?;
        for (took, what) in &self.all {
            let Took { whole, preparation, commits, committing } = took;
            writeln!(f, "{whole:>9.1?} {preparation:>9.1?} {commits:>3} {committing:>9.1?}  {what}")?;
        }
        Ok(())
    }
}

//! The measures: the sums that reports show. The roll-ups' columns and sums, the reports' SQL,
//! [`Totals`], and the columns of the reports' JSON and CSV derive from one table.
//!
//! To add a measure, add a row to the table below. Its `since` is the next schema version of the
//! ledger (see `migrate.rs`), so that the roll-ups of existing ledgers are rebuilt with it.

use std::fmt;

use serde::{Serialize, Serializer};
use spanledger_event::{Cell, Column, ColumnKind, CostEvent, Flag, Usd};

use crate::storage;

#[cfg(test)]
mod tests;

/// Whether a measure is a number or an amount of dollars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MeasureKind {
    /// A number of requests, attempts or tokens.
    Count,
    /// Dollars, exact.
    Dollars,
}

/// The sum of one measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Amount {
    /// A number of requests, attempts or tokens.
    Count(i64),
    /// Dollars, exact.
    Dollars(Usd),
}

/// The exact decimal form: `1234`, `0.0125`.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => count.fmt(f),
            Self::Dollars(usd) => usd.fmt(f),
        }
    }
}

/// A number literal.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => count.serialize(serializer),
            Self::Dollars(usd) => usd.serialize(serializer),
        }
    }
}

/// One row of the table of measures.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// The field of [`Totals`], and the name of the column (of dollars: of the two columns) in the
    /// roll-ups.
    pub name: &'static str,
    /// The name in the reports' JSON and CSV.
    pub title: &'static str,
    /// Whether it is a number or an amount of dollars.
    pub kind: MeasureKind,
    /// What the measure means.
    pub doc: &'static str,
    /// Reads the measure's sum.
    pub get: fn(&Totals) -> Amount,
    /// The schema version of the ledger that introduced it.
    pub(crate) since: i64,
    contribution: Contribution,
}

/// How much one event adds to a measure. Void events add nothing.
#[derive(Clone, Copy, Debug)]
enum Contribution {
    /// 1.
    One,
    /// The value of the column, or 0 if it is null.
    Sum(&'static Column),
    /// The value of the column where another one is not null, else 0.
    SumIfPresent { sum: &'static Column, present: &'static Column },
    /// The value of `whole`; if it is null, the sum of the parts that are not null.
    SumOrParts { whole: &'static Column, parts: [&'static Column; 2] },
    /// 1 where the column is not null.
    IfPresent(&'static Column),
    /// 1 where the column is null.
    IfAbsent(&'static Column),
    /// 1 where the column is greater than the number.
    IfAbove(&'static Column, i64),
    /// 1 where the event has the flag.
    IfFlag(Flag),
}

use Contribution::{IfAbove, IfAbsent, IfFlag, IfPresent, One, Sum, SumIfPresent, SumOrParts};

/// The column with this name. A name without a column does not compile.
const fn column(name: &str) -> &'static Column {
    match Column::named(name) {
        Some(column) => column,
        None => panic!("a measure reads a column that the event does not have"),
    }
}

/// A type that a measure can have. Sums are stored as integers: a count is one integer, an amount of
/// dollars is two ([`Usd::to_parts`]).
trait Sums: Copy + Into<Amount> {
    const KIND: MeasureKind;
    fn read<E>(next: impl FnMut() -> Result<i64, E>) -> Result<Self, E>;
    fn plus(self, other: Self) -> Self;
}

impl Sums for i64 {
    const KIND: MeasureKind = MeasureKind::Count;
    fn read<E>(mut next: impl FnMut() -> Result<i64, E>) -> Result<Self, E> {
        next()
    }
    fn plus(self, other: Self) -> Self {
        self.saturating_add(other)
    }
}

impl Sums for Usd {
    const KIND: MeasureKind = MeasureKind::Dollars;
    fn read<E>(mut next: impl FnMut() -> Result<i64, E>) -> Result<Self, E> {
        Ok(Self::from_parts(next()?, next()?))
    }
    fn plus(self, other: Self) -> Self {
        self + other
    }
}

impl From<i64> for Amount {
    fn from(count: i64) -> Self {
        Self::Count(count)
    }
}

impl From<Usd> for Amount {
    fn from(usd: Usd) -> Self {
        Self::Dollars(usd)
    }
}

macro_rules! measures {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty, $title:literal, $since:literal, $contribution:expr;)+) => {
        /// Sums over events, one for each of the [`MEASURES`].
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        /// The measures in their order.
        pub const MEASURES: &[Measure] = &[
            $(Measure {
                name: stringify!($name),
                title: $title,
                kind: <$type as Sums>::KIND,
                doc: concat!($($doc),+),
                get: |totals| totals.$name.into(),
                since: $since,
                contribution: $contribution,
            },)+
        ];

        impl Totals {
            /// The sum of both.
            #[must_use]
            pub fn plus(&self, other: &Self) -> Self {
                Self { $($name: self.$name.plus(other.$name),)+ }
            }

            /// Reads the sums in the order of [`sql_columns`].
            pub(crate) fn read<E>(mut next: impl FnMut() -> Result<i64, E>) -> Result<Self, E> {
                Ok(Self { $($name: <$type as Sums>::read(&mut next)?,)+ })
            }
        }
    };
}

// The fields of a row are: name: type, title, since, contribution of an event.
measures! {
    /** Logical requests.*/
    requests: i64, "requests", 1, One;
    /** HTTP attempts.*/
    attempts: i64, "attempts", 1, Sum(column("attempts"));
    /** Requests without a successful attempt.*/
    failed: i64, "failed", 1, IfPresent(column("error_code"));
    /** Requests with more than one attempt.*/
    retried: i64, "retried", 1, IfAbove(column("attempts"), 1);
    /** Requests whose cost is unknown or only partly known. `billed` is then a lower bound.*/
    unpriced: i64, "unpriced", 1, IfAbsent(column("billed_usd"));
    /** Requests whose cost may be lower, because their cached tokens were not stated. `billed` is then an upper bound.*/
    cost_upper_bound: i64, "cost_upper_bound", 3, IfFlag(Flag::CostUpperBound);
    /** Requests whose cost may be higher, because their cache writes were not stated, or also lower. `billed` is then no bound.*/
    cost_uncertain: i64, "cost_uncertain", 3, IfFlag(Flag::CostUncertain);
    /** All input tokens.*/
    prompt_tokens: i64, "prompt_tokens", 1, Sum(column("prompt_tokens"));
    /** The input tokens of the requests that state their cached tokens. `cached_tokens` is a part of these.*/
    cache_known_prompt_tokens: i64, "cache_known_prompt_tokens", 3,
        SumIfPresent { sum: column("prompt_tokens"), present: column("cached_tokens") };
    /** The part of the input tokens that came from a cache, as far as it was stated.*/
    cached_tokens: i64, "cached_tokens", 1, Sum(column("cached_tokens"));
    /** Visible output tokens, with the hidden ones of the requests that do not state these.*/
    completion_tokens: i64, "completion_tokens", 1, Sum(column("completion_tokens"));
    /** Hidden output tokens, as far as they were stated.*/
    reasoning_tokens: i64, "reasoning_tokens", 1, Sum(column("reasoning_tokens"));
    /** The amount that the provider bills: the sum of all known costs.*/
    billed: Usd, "billed_usd", 1,
        SumOrParts { whole: column("billed_usd"), parts: [column("cost_usd"), column("retry_cost_usd")] };
    /** The part of `billed` for further billed responses to the same requests.*/
    retry: Usd, "retry_cost_usd", 1, Sum(column("retry_cost_usd"));
}

/// The number of integers in which the sums of all measures are stored.
pub(crate) const INTEGERS: usize = {
    let (mut index, mut sum) = (0, 0);
    while index < MEASURES.len() {
        sum += MEASURES[index].width();
        index += 1;
    }
    sum
};

/// The sums of all measures, in the order of [`sql_columns`].
pub(crate) type Integers = [i64; INTEGERS];

/// The roll-ups' columns of all measures.
pub(crate) fn sql_columns() -> impl Iterator<Item = String> {
    MEASURES.iter().flat_map(Measure::sql_columns)
}

/// How much an event adds to each sum. A void event adds nothing.
pub(crate) fn contributions(event: &CostEvent) -> Integers {
    let mut sums = [0; INTEGERS];
    if event.counts() {
        let mut rest = sums.as_mut_slice();
        for measure in MEASURES {
            let (own, others) = rest.split_at_mut(measure.width());
            own.copy_from_slice(&measure.contribution.of(event)[..own.len()]);
            rest = others;
        }
    }
    sums
}

/// The contributions of an event as SQL expressions over the table `event`: `1 AS requests`, ….
pub(crate) fn sql_contributions() -> impl Iterator<Item = String> {
    let of = |measure: &Measure| {
        let names = measure.sql_columns();
        names
            .into_iter()
            .zip(["_micros", "_picos"])
            .map(|(name, part)| format!("{} AS {name}", measure.contribution.sql(part)))
            .collect::<Vec<_>>()
    };
    MEASURES.iter().flat_map(of)
}

impl Measure {
    const fn width(&self) -> usize {
        match self.kind {
            MeasureKind::Count => 1,
            MeasureKind::Dollars => 2,
        }
    }

    fn sql_columns(&self) -> Vec<String> {
        let name = self.name;
        match self.kind {
            MeasureKind::Count => vec![name.to_owned()],
            MeasureKind::Dollars => vec![format!("{name}_micros"), format!("{name}_picos")],
        }
    }
}

impl Contribution {
    /// The contribution in Rust. The second integer is used by dollars only: it is their picodollars.
    fn of(&self, event: &CostEvent) -> [i64; 2] {
        let count = |is: bool| [i64::from(is), 0];
        match self {
            One => [1, 0],
            Sum(column) => value(column, event).unwrap_or_default(),
            SumIfPresent { sum, present } => {
                value(present, event).and_then(|_| value(sum, event)).unwrap_or_default()
            }
            SumOrParts { whole, parts } => value(whole, event).unwrap_or_else(|| {
                let [a, b] = parts.map(|part| value(part, event).unwrap_or_default());
                [a[0].saturating_add(b[0]), a[1].saturating_add(b[1])]
            }),
            IfPresent(column) => count(value(column, event).is_some()),
            IfAbsent(column) => count(value(column, event).is_none()),
            IfAbove(column, number) => count(value(column, event).is_some_and(|[value, _]| value > *number)),
            IfFlag(flag) => count(event.flags.contains(flag)),
        }
    }

    /// The contribution in SQL. `part` is the suffix of a column of dollars: `_micros` or `_picos`.
    fn sql(&self, part: &str) -> String {
        let name = |column: &Column| match column.kind {
            ColumnKind::Usd => format!("{}{part}", column.name),
            _ => column.name.to_owned(),
        };
        match self {
            One => "1".to_owned(),
            Sum(column) => format!("coalesce({}, 0)", name(column)),
            SumIfPresent { sum, present } => {
                format!("iif({} IS NULL, 0, coalesce({}, 0))", name(present), name(sum))
            }
            SumOrParts { whole, parts: [a, b] } => {
                format!("coalesce({}, coalesce({}, 0) + coalesce({}, 0))", name(whole), name(a), name(b))
            }
            IfPresent(column) => format!("{} IS NOT NULL", name(column)),
            IfAbsent(column) => format!("{} IS NULL", name(column)),
            IfAbove(column, number) => format!("coalesce({} > {number}, 0)", name(column)),
            // The text is a JSON list of texts; it is null where there is no flag.
            IfFlag(flag) => {
                let flags = storage::word_sql(column("flags").name);
                format!("coalesce(instr({flags}, '\"{flag}\"') > 0, 0)")
            }
        }
    }
}

/// A column's value as integers; `None` if it is null. The value of a column that is not a number is
/// zero, so that a measure can only test whether it is null.
fn value(column: &Column, event: &CostEvent) -> Option<[i64; 2]> {
    match (column.get)(event) {
        Cell::Null => None,
        Cell::Integer(number) => Some([number, 0]),
        // An amount that is out of range gives `None`. The ledger refuses such an event anyway.
        Cell::Usd(usd) => usd.to_parts().map(|(micros, picos)| [micros, picos]),
        _ => Some([0, 0]),
    }
}

//! Roll-ups: small sums kept beside the events, in the same transaction.

use std::{collections::BTreeMap, fmt::Write as _};

use rusqlite::{Transaction, params_from_iter, types::Value};
use spanledger_event::{CostEvent, Usd};

use crate::LedgerError;

/// Nanoseconds in an hour.
pub(crate) const HOUR_NANOS: i64 = 3_600_000_000_000;
/// Nanoseconds in a day.
pub(crate) const DAY_NANOS: i64 = 24 * HOUR_NANOS;

/// The sums of every roll-up and every report, in their order.
pub(crate) const MEASURES: [&str; 13] = [
    "requests",
    "attempts",
    "failed",
    "retried",
    "unpriced",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "reasoning_tokens",
    "billed_micros",
    "billed_picos",
    "retry_micros",
    "retry_picos",
];

/// One roll-up table.
pub(crate) struct Rollup {
    pub(crate) name: &'static str,
    bucket_nanos: i64,
    /// The dimensions; absent values are the empty text, which attribution never allows as a value.
    pub(crate) dimensions: [&'static str; 4],
}

/// Hour × feature × route × model, per environment.
pub(crate) const HOUR: Rollup = Rollup {
    name: "rollup_hour",
    bucket_nanos: HOUR_NANOS,
    dimensions: ["environment", "feature", "route", "model"],
};
/// Day × customer × feature, per environment.
pub(crate) const DAY: Rollup = Rollup {
    name: "rollup_day",
    bucket_nanos: DAY_NANOS,
    dimensions: ["environment", "customer_id", "feature", "provider"],
};

impl Rollup {
    pub(crate) fn ddl(&self) -> String {
        let mut sql = format!("CREATE TABLE {} (\n    bucket INTEGER NOT NULL,\n", self.name);
        for dimension in self.dimensions {
            writeln!(sql, "    {dimension} TEXT NOT NULL,").unwrap_or_default();
        }
        for measure in MEASURES {
            writeln!(sql, "    {measure} INTEGER NOT NULL,").unwrap_or_default();
        }
        write!(sql, "    PRIMARY KEY (bucket, {})\n) STRICT, WITHOUT ROWID;", self.dimensions.join(", "))
            .unwrap_or_default();
        sql
    }

    fn key(&self, event: &CostEvent) -> Key {
        let of = |name: &str| {
            match name {
                "environment" => event.environment.as_deref(),
                "feature" => event.feature.as_deref(),
                "route" => event.route.as_deref(),
                "customer_id" => event.customer_id.as_deref(),
                "provider" => Some(event.provider.as_str()),
                _ => model(event),
            }
            .unwrap_or_default()
            .to_owned()
        };
        let bucket = event.timestamp.nanos().div_euclid(self.bucket_nanos) * self.bucket_nanos;
        (bucket, self.dimensions.map(of))
    }

    fn upsert(&self) -> String {
        let mut sql = format!(
            "INSERT INTO {} (bucket, {}, {}) VALUES (?{}) ON CONFLICT DO UPDATE SET ",
            self.name,
            self.dimensions.join(", "),
            MEASURES.join(", "),
            ", ?".repeat(self.dimensions.len() + MEASURES.len()),
        );
        let sums: Vec<String> = MEASURES.iter().map(|m| format!("{m} = {m} + excluded.{m}")).collect();
        sql.push_str(&sums.join(", "));
        sql
    }
}

/// The model that a report names: the one that answered, else the one asked for.
fn model(event: &CostEvent) -> Option<&str> {
    event.model.as_deref().or(event.response_model.as_deref())
}

type Key = (i64, [String; 4]);
type Sums = [i64; 13];

/// What an event adds to the sums; void events add nothing.
pub(crate) fn measure(event: &CostEvent) -> Sums {
    if !event.counts() {
        return [0; 13];
    }
    // What is known is counted, and `unpriced` says that it is not everything.
    let known = || event.cost_usd.unwrap_or_default() + event.retry_cost_usd.unwrap_or_default();
    let billed = event.billed_usd.unwrap_or_else(known);
    let unpriced = event.billed_usd.is_none();
    let (billed_micros, billed_picos) = billed.to_parts().unwrap_or_default();
    let (retry_micros, retry_picos) = event.retry_cost_usd.and_then(Usd::to_parts).unwrap_or_default();
    [
        1,
        event.attempts,
        i64::from(event.error_code.is_some()),
        i64::from(event.attempts > 1),
        i64::from(unpriced),
        event.prompt_tokens.unwrap_or_default(),
        event.cached_tokens.unwrap_or_default(),
        event.completion_tokens.unwrap_or_default(),
        event.reasoning_tokens.unwrap_or_default(),
        billed_micros,
        billed_picos,
        retry_micros,
        retry_picos,
    ]
}

/// Changes of the roll-ups by one append, added up before they are written.
#[derive(Default)]
pub(crate) struct Deltas {
    hour: BTreeMap<Key, Sums>,
    day: BTreeMap<Key, Sums>,
}

impl Deltas {
    pub(crate) fn add(&mut self, event: &CostEvent) {
        self.change(event, i64::saturating_add);
    }

    pub(crate) fn remove(&mut self, event: &CostEvent) {
        self.change(event, i64::saturating_sub);
    }

    fn change(&mut self, event: &CostEvent, with: impl Fn(i64, i64) -> i64) {
        if !event.counts() {
            return;
        }
        let sums = measure(event);
        for (rollup, deltas) in [(HOUR, &mut self.hour), (DAY, &mut self.day)] {
            let delta = deltas.entry(rollup.key(event)).or_insert([0; 13]);
            for (delta, sum) in delta.iter_mut().zip(sums) {
                *delta = with(*delta, sum);
            }
        }
    }

    pub(crate) fn write(self, transaction: &Transaction<'_>) -> Result<(), LedgerError> {
        for (rollup, deltas) in [(HOUR, self.hour), (DAY, self.day)] {
            let mut upsert = transaction.prepare_cached(&rollup.upsert())?;
            for ((bucket, dimensions), sums) in deltas.into_iter().filter(|(_, sums)| *sums != [0; 13]) {
                let values = std::iter::once(Value::from(bucket))
                    .chain(dimensions.into_iter().map(Value::from))
                    .chain(sums.into_iter().map(Value::from));
                upsert.execute(params_from_iter(values))?;
            }
        }
        Ok(())
    }
}

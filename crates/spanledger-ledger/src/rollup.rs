//! Roll-ups: sums over events by hour or day. They are written [behind](behind) the events.

use std::{collections::HashMap, fmt::Write as _, sync::LazyLock};

use foldhash::fast::RandomState as FastHasher;
use rusqlite::{Connection, Statement};
use spanledger_event::CostEvent;

use crate::{
    datum::Datum,
    measure::{self, INTEGERS, Integers},
    words::{self, Lookup},
};

pub(crate) mod behind;

/// Nanoseconds in an hour.
const HOUR_NANOS: i64 = 3_600_000_000_000;
/// Nanoseconds in a day.
const DAY_NANOS: i64 = 24 * HOUR_NANOS;

/// A dimension of a roll-up: a column of the events, or the first of two columns that is not null. An
/// unknown value is stored as the empty text, which attribution never allows as a value. Another value is
/// the number of a word or a text, so that one value may have two rows; reports add them up.
pub(crate) struct Dimension {
    pub(crate) name: &'static str,
    /// The dimension as an SQL expression over the table `event`.
    sql: &'static str,
    get: fn(&CostEvent) -> Option<&str>,
}

macro_rules! dimension {
    ($name:ident = $first:ident $(, else $other:ident)?) => {
        Dimension {
            name: stringify!($name),
            sql: concat!("coalesce(", stringify!($first), $(", ", stringify!($other),)? ", '')"),
            get: |event| {
                let value: Option<&str> = event.$first.as_deref();
                $(let value = value.or(event.$other.as_deref());)?
                value
            },
        }
    };
}

pub(crate) const ENVIRONMENT: Dimension = dimension!(environment = environment);
pub(crate) const FEATURE: Dimension = dimension!(feature = feature);
pub(crate) const ROUTE: Dimension = dimension!(route = route);
pub(crate) const CUSTOMER: Dimension = dimension!(customer_id = customer_id);
/// The requested model, or the model that answered if the emitter did not state the requested one.
pub(crate) const MODEL: Dimension = dimension!(model = model, else response_model);
pub(crate) const PROVIDER: Dimension =
    Dimension { name: "provider", sql: "provider", get: |event| Some(&event.provider) };

/// One roll-up table: sums by a period of time and four dimensions.
pub(crate) struct Rollup {
    pub(crate) name: &'static str,
    pub(crate) bucket_nanos: i64,
    dimensions: [Dimension; 4],
}

/// Hour × feature × route × model, per environment.
pub(crate) const HOUR: Rollup = Rollup {
    name: "rollup_hour",
    bucket_nanos: HOUR_NANOS,
    dimensions: [ENVIRONMENT, FEATURE, ROUTE, MODEL],
};
/// Day × customer × feature × provider, per environment.
pub(crate) const DAY: Rollup = Rollup {
    name: "rollup_day",
    bucket_nanos: DAY_NANOS,
    dimensions: [ENVIRONMENT, CUSTOMER, FEATURE, PROVIDER],
};

/// Rebuilds the roll-ups from the events.
pub(crate) fn rebuild(transaction: &Connection) -> rusqlite::Result<()> {
    for rollup in [HOUR, DAY] {
        let name = rollup.name;
        let dimensions = rollup.dimension_names().join(", ");
        let columns: Vec<String> = measure::sql_columns().collect();
        let sums: Vec<String> = columns.iter().map(|column| format!("sum({column})")).collect();
        let bucket = rollup.sql_bucket();
        transaction.execute_batch(&format!(
            "DROP TABLE {name};
             {ddl}
             INSERT INTO {name} (bucket, {dimensions}, {columns})
             SELECT {bucket}, {dimensions}, {sums} FROM ({events}) GROUP BY {bucket}, {dimensions};",
            ddl = rollup.ddl(),
            columns = columns.join(", "),
            sums = sums.join(", "),
            events = sql_over_events(),
        ))?;
    }
    transaction.execute("UPDATE ledger SET rolled_up = last_number", [])?;
    Ok(())
}

/// A query that returns each event as a row with the columns of a roll-up and all dimensions of reports.
pub(crate) fn sql_over_events() -> String {
    let dimensions = [ENVIRONMENT, FEATURE, ROUTE, CUSTOMER, MODEL, PROVIDER];
    let dimensions = dimensions.iter().map(Dimension::sql_column);
    let columns: Vec<String> = dimensions.chain(measure::sql_contributions()).collect();
    format!("SELECT timestamp AS bucket, {} FROM event WHERE state <> {}", columns.join(", "), words::VOID)
}

impl Dimension {
    fn sql_column(&self) -> String {
        format!("{} AS {}", self.sql, self.name)
    }
}

impl Rollup {
    pub(crate) fn ddl(&self) -> String {
        let mut sql = format!("CREATE TABLE {} (\n    bucket INTEGER NOT NULL,\n", self.name);
        for dimension in self.dimension_names() {
            writeln!(sql, "    {dimension} ANY NOT NULL,").unwrap_or_default();
        }
        for column in measure::sql_columns() {
            writeln!(sql, "    {column} INTEGER NOT NULL,").unwrap_or_default();
        }
        write!(
            sql,
            "    PRIMARY KEY (bucket, {})\n) STRICT, WITHOUT ROWID;",
            self.dimension_names().join(", ")
        )
        .unwrap_or_default();
        sql
    }

    /// The start of the bucket of the time `bucket`, in SQL.
    fn sql_bucket(&self) -> String {
        // SQL's `%` has the sign of its left side. The bucket of a time before 1970 must start before
        // that time too, so the remainder is made positive.
        let nanos = self.bucket_nanos;
        format!("bucket - (bucket % {nanos} + {nanos}) % {nanos}")
    }

    fn dimension_names(&self) -> [&'static str; 4] {
        [0, 1, 2, 3].map(|index| self.dimensions[index].name)
    }

    fn key(&self, event: &CostEvent, words: &mut Lookup<'_>) -> Key {
        let bucket = event.timestamp.nanos().div_euclid(self.bucket_nanos) * self.bucket_nanos;
        let mut value = |index: usize| {
            let text = (self.dimensions[index].get)(event).unwrap_or_default();
            Datum::word(text, words)
        };
        (bucket, [value(0), value(1), value(2), value(3)])
    }

    /// Adds to the sums of a row, if there is one. The first parameters are its key.
    fn update(&self) -> String {
        let names: Vec<String> = measure::sql_columns().collect();
        let first = 2 + self.dimensions.len();
        let sums =
            names.iter().enumerate().map(|(index, name)| format!("{name} = {name} + ?{}", first + index));
        let keys = self.dimension_names().into_iter().enumerate();
        let keys = keys.map(|(index, name)| format!("{name} = ?{}", index + 2));
        format!(
            "UPDATE {} SET {} WHERE bucket = ?1 AND {}",
            self.name,
            sums.collect::<Vec<_>>().join(", "),
            keys.collect::<Vec<_>>().join(" AND "),
        )
    }

    fn insert(&self) -> String {
        let columns: Vec<String> = measure::sql_columns().collect();
        format!(
            "INSERT INTO {} (bucket, {}, {}) VALUES (?{})",
            self.name,
            self.dimension_names().join(", "),
            columns.join(", "),
            ", ?".repeat(self.dimensions.len() + columns.len()),
        )
    }
}

/// The start of the bucket, and the values of the dimensions.
type Key = (i64, [Datum; 4]);

/// The changes of the roll-ups by one append.
#[derive(Debug, Default)]
pub(crate) struct RollupDeltas {
    /// Those of events that are not in the roll-ups yet.
    fresh: Sums,
    /// Those of events that the roll-ups have.
    settled: Sums,
}

impl RollupDeltas {
    pub(crate) fn add(&mut self, event: &CostEvent, is_settled: bool, words: &mut Lookup<'_>) {
        self.of(is_settled).change(event, words, i64::saturating_add);
    }

    pub(crate) fn remove(&mut self, event: &CostEvent, is_settled: bool, words: &mut Lookup<'_>) {
        self.of(is_settled).change(event, words, i64::saturating_sub);
    }

    fn of(&mut self, is_settled: bool) -> &mut Sums {
        if is_settled { &mut self.settled } else { &mut self.fresh }
    }

    /// Adds the changes of another append.
    pub(crate) fn merge(&mut self, other: Self) {
        self.fresh.merge(other.fresh);
        self.settled.merge(other.settled);
    }
}

/// Sums of events by the rows of the roll-ups. They are added up before they are written.
#[derive(Debug, Default)]
struct Sums {
    hour: HashMap<Key, Integers, FastHasher>,
    day: HashMap<Key, Integers, FastHasher>,
}

impl Sums {
    fn change(&mut self, event: &CostEvent, words: &mut Lookup<'_>, with: impl Fn(i64, i64) -> i64) {
        if !event.counts() {
            return;
        }
        let sums = measure::contributions(event);
        for (rollup, deltas) in [(HOUR, &mut self.hour), (DAY, &mut self.day)] {
            let delta = deltas.entry(rollup.key(event, words)).or_insert([0; INTEGERS]);
            for (delta, sum) in delta.iter_mut().zip(sums) {
                *delta = with(*delta, sum);
            }
        }
    }

    /// The number of rows of one roll-up.
    fn len(&self) -> usize {
        self.hour.len().max(self.day.len())
    }

    fn remove_zeros(&mut self) {
        for sums in [&mut self.hour, &mut self.day] {
            sums.retain(|_, sums| *sums != [0; INTEGERS]);
        }
    }

    fn merge(&mut self, other: Self) {
        for (mine, theirs) in [(&mut self.hour, other.hour), (&mut self.day, other.day)] {
            if mine.is_empty() {
                *mine = theirs;
                continue;
            }
            for (key, sums) in theirs {
                let delta = mine.entry(key).or_insert([0; INTEGERS]);
                for (delta, sum) in delta.iter_mut().zip(sums) {
                    *delta = delta.saturating_add(sum);
                }
            }
        }
    }

    fn write(self, connection: &Connection) -> rusqlite::Result<()> {
        static SQL: LazyLock<[[String; 2]; 2]> =
            LazyLock::new(|| [HOUR, DAY].map(|rollup| [rollup.update(), rollup.insert()]));
        for ([update, insert], deltas) in SQL.iter().zip([self.hour, self.day]) {
            let mut update = connection.prepare_cached(update)?;
            let mut insert = connection.prepare_cached(insert)?;
            // Neighbours in the table are written one after another.
            let mut deltas: Vec<_> = deltas.iter().filter(|(_, sums)| **sums != [0; INTEGERS]).collect();
            deltas.sort_unstable_by_key(|(key, _)| *key);
            for (key, sums) in deltas {
                // Most rows exist, and to add to one takes SQLite less time than an upsert.
                if execute(&mut update, key, sums)? == 0 {
                    execute(&mut insert, key, sums)?;
                }
            }
        }
        Ok(())
    }
}

fn execute(statement: &mut Statement<'_>, key: &Key, sums: &Integers) -> rusqlite::Result<usize> {
    let (bucket, dimensions) = key;
    statement.raw_bind_parameter(1, bucket)?;
    for (index, dimension) in dimensions.iter().enumerate() {
        statement.raw_bind_parameter(2 + index, dimension)?;
    }
    for (index, sum) in sums.iter().enumerate() {
        statement.raw_bind_parameter(2 + dimensions.len() + index, sum)?;
    }
    statement.raw_execute()
}

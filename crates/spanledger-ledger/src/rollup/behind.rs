//! The roll-ups are written behind the events.
//!
//! The events of a transaction touch almost as many rows of the roll-ups as there are events, those of many
//! transactions not many more. So the changes of the roll-ups are collected in memory and written after every
//! [`WRITTEN_EVERY`] observations, with the first append after [`WRITTEN_AFTER`], before work on what is
//! stored, and when the ledger is closed. They are also written when they have as many rows, which bounds the
//! memory.
//!
//! The table `ledger` holds the number up to which the roll-ups have the events (`rolled_up`). Reports add the
//! events after it, so that they always have all events. So does the first transaction after a crash, or
//! after a transaction that failed.
//!
//! A row of an event keeps its number. Changes of an event up to `rolled_up` are therefore written at once;
//! those of a later one are collected, because a crash leaves its row and not the sums that it was part of.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{DAY, HOUR, RollupDeltas, Sums, sql_over_events};
use crate::{measure, state::State};

#[cfg(test)]
mod tests;

/// After so many observations the roll-ups are written.
const WRITTEN_EVERY: i64 = 16_384;
/// After this time they are written even if there are fewer, for those who read them with SQL.
const WRITTEN_AFTER: Duration = Duration::from_mins(1);

/// The changes of the roll-ups by the events after `rolled_up`; `None` if they are not known, as after a
/// transaction that failed.
#[derive(Debug)]
pub(crate) struct Behind {
    sums: Option<Sums>,
    since: Instant,
    /// Whether a transaction has begun and not ended.
    is_open: bool,
    /// [`WRITTEN_EVERY`], except in tests.
    pub(crate) written_every: i64,
}

impl Default for Behind {
    fn default() -> Self {
        Self { sums: None, since: Instant::now(), is_open: false, written_every: WRITTEN_EVERY }
    }
}

impl Behind {
    /// The transaction failed: what is collected may belong to it.
    pub(crate) fn failed(&mut self) {
        if std::mem::take(&mut self.is_open) {
            self.sums = None;
        }
    }

    /// The transaction was committed.
    pub(crate) fn committed(&mut self) {
        self.is_open = false;
    }
}

/// The condition that an event is not in the roll-ups yet.
const IS_BEHIND: [&str; 2] =
    ["seq > (SELECT rolled_up FROM ledger)", "seq < -(SELECT rolled_up FROM ledger)"];

/// Like [`sql_over_events`], for the events that are not in the roll-ups yet.
pub(crate) fn sql_over_events_behind() -> String {
    // Two ranges of row numbers. With `OR` between them SQLite might look at every event.
    IS_BEHIND.map(|is_behind| format!("{} AND {is_behind}", sql_over_events())).join(" UNION ALL ")
}

/// Begins a transaction: adds what is not known from the events, or everything if there is work to do on
/// what is stored.
pub(crate) fn begin(connection: &Connection, state: &mut State, has_work: bool) -> rusqlite::Result<()> {
    state.behind.is_open = true;
    match state.behind.sums.take() {
        None => {
            if state.rolled_up < state.last_number {
                add_events_behind(connection)?;
            }
            state.rolled_up = state.last_number;
        }
        Some(sums) if has_work => {
            sums.write(connection)?;
            state.rolled_up = state.last_number;
        }
        Some(sums) => {
            state.behind.sums = Some(sums);
            return Ok(());
        }
    }
    (state.behind.sums, state.behind.since) = (Some(Sums::default()), Instant::now());
    // A later statement of the transaction may ask for it.
    connection.prepare_cached("UPDATE ledger SET rolled_up = ?")?.execute([state.rolled_up])?;
    Ok(())
}

/// Ends a transaction with the changes that it made.
pub(crate) fn end(
    connection: &Connection,
    state: &mut State,
    mut deltas: RollupDeltas,
) -> rusqlite::Result<()> {
    deltas.settled.write(connection)?;
    let Behind { sums, since, written_every, .. } = &mut state.behind;
    let sums = sums.get_or_insert_default();
    // Observations that turn out to be known are counted and taken out again. They would fill the memory.
    deltas.fresh.remove_zeros();
    sums.merge(deltas.fresh);
    let is_enough = |count: i64| count >= *written_every;
    if is_enough(state.last_number - state.rolled_up)
        || is_enough(sums.len().try_into().unwrap_or(i64::MAX))
        || since.elapsed() >= WRITTEN_AFTER
    {
        std::mem::take(sums).write(connection)?;
        (state.rolled_up, *since) = (state.last_number, Instant::now());
    }
    Ok(())
}

/// Adds the events that are not in the roll-ups to them, by SQL.
fn add_events_behind(connection: &Connection) -> rusqlite::Result<()> {
    let columns: Vec<String> = measure::sql_columns().collect();
    let sums: Vec<String> = columns.iter().map(|column| format!("sum({column})")).collect();
    let additions: Vec<String> =
        columns.iter().map(|column| format!("{column} = {column} + excluded.{column}")).collect();
    for rollup in [HOUR, DAY] {
        let (name, bucket) = (rollup.name, rollup.sql_bucket());
        let dimensions = rollup.dimension_names().join(", ");
        connection.execute_batch(&format!(
            "INSERT INTO {name} (bucket, {dimensions}, {columns})
             SELECT {bucket}, {dimensions}, {sums} FROM ({events}) WHERE true GROUP BY {bucket}, {dimensions}
             ON CONFLICT DO UPDATE SET {additions};",
            columns = columns.join(", "),
            sums = sums.join(", "),
            events = sql_over_events_behind(),
            additions = additions.join(", "),
        ))?;
    }
    Ok(())
}

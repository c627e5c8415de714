//! The migration of a ledger of an earlier version.
//!
//! A file stores the version of its tables (`PRAGMA user_version`). This program's version is the
//! greatest `since` of the event's columns, the measures and the [`STEPS`]. When the writer opens an
//! older file, it makes all newer changes in one transaction, so that after a crash the file has either
//! its old version or the new one. Readers never change a file; they refuse a file of another version.
//!
//! * **A new column of the event** is a row in `columns!` (`spanledger-event/src/event.rs`) that ends
//!   with `, since N`, where N is the next version, or the present version if it is not released yet.
//!   In events that are already stored the column is null, or has its default if it cannot be null,
//!   until they change.
//! * **A new measure** is a row in `measures!` (`measure.rs`) with the same `since`. The roll-ups are
//!   rebuilt from the events.
//! * **Any other change** (an index, a table) goes into `schema.rs` for new files and into [`STEPS`]
//!   for existing ones.
//!
//! `tests/golden/ledger.v1.sql` is a ledger of version 1. The tests migrate it and compare its tables
//! with those of a new file, so that they fail if a `since` or a step is forgotten.

use rusqlite::{Connection, Transaction};
use spanledger_event::{COLUMNS, Column};

use crate::{error::StorageError, measure::MEASURES, reasons, rollup, schema};

#[cfg(test)]
mod tests;

/// A change of the tables that follows neither from a column of the event nor from a measure.
pub(crate) struct Step {
    /// The version that it introduced.
    since: i64,
    sql: &'static str,
}

/// The changes since version 1, in their order.
const STEPS: &[Step] = &[Step { since: 2, sql: reasons::INDEX }];

/// The columns, steps and measures that define the tables of a version.
pub(crate) struct Target {
    columns: &'static [Column],
    steps: &'static [Step],
    /// The version that introduced the newest measure.
    newest_measure: i64,
}

/// The tables of this program.
pub(crate) const TARGET: Target = Target {
    columns: COLUMNS,
    steps: STEPS,
    newest_measure: {
        let (mut index, mut newest) = (0, 1);
        while index < MEASURES.len() {
            if MEASURES[index].since > newest {
                newest = MEASURES[index].since;
            }
            index += 1;
        }
        newest
    },
};

impl Target {
    /// The version of the tables.
    pub(crate) fn version(&self) -> i64 {
        let columns = self.columns.iter().map(|column| i64::from(column.since));
        let steps = self.steps.iter().map(|step| step.since);
        columns.chain(steps).fold(self.newest_measure, i64::max)
    }

    /// Brings a file of the version `from` up to date.
    pub(crate) fn migrate(&self, connection: &mut Connection, from: i64) -> Result<(), StorageError> {
        let transaction = connection.transaction()?;
        self.apply(&transaction, from)?;
        Ok(transaction.commit()?)
    }

    fn apply(&self, transaction: &Transaction<'_>, from: i64) -> Result<(), StorageError> {
        let version = self.version();
        transaction.execute_batch("DROP VIEW openai_events")?;
        for next in from + 1..=version {
            for column in self.columns.iter().filter(|column| i64::from(column.since) == next) {
                transaction.execute_batch(&schema::add_column(column))?;
            }
            for step in self.steps.iter().filter(|step| step.since == next) {
                transaction.execute_batch(step.sql)?;
            }
        }
        if self.newest_measure > from {
            rollup::rebuild(transaction)?;
        }
        transaction.execute_batch(&schema::view(self.columns))?;
        Ok(transaction.pragma_update(None, "user_version", version)?)
    }
}

//! Bringing a ledger of an earlier version up to date.
//!
//! A file carries the version of its tables (`PRAGMA user_version`). This program's version is the
//! greatest `since` of the event's columns, the measures and the [`STEPS`]. When the writer opens an
//! older file, everything that is newer than the file is added in one transaction: after a crash the
//! file has either its old version or the new one. Readers never change a file. They read every version
//! from `Target::readable_since` on: the first one that has all columns, measures and tables of today.
//! A step that only adds an index leaves it as it is, so no reader's statement may name an index
//! (`INDEXED BY`).
//!
//! * **A new column of the event** is a row in `columns!` (`spanledger-event/src/event.rs`) that ends
//!   with `, since N`, where N is the next version, or the present one while no release has it. The
//!   column is null in the events that are already stored (or has its default, where it cannot be
//!   null) until they change.
//! * **A new measure** is a row in `measures!` (`measure.rs`) with the same `since`. The roll-ups are
//!   built again from the events.
//! * **Any other change** (an index, a table) goes into `schema.rs` for new files and into [`STEPS`]
//!   for existing ones.
//!
//! Version 3 stores everything in another form; `migrate/store.rs` copies the rows of versions 1 and 2.
//!
//! `tests/golden/ledger.v1.sql` is a ledger of version 1. The tests bring it up to date and compare
//! its tables with those of a new file, so that a forgotten `since` or step fails there.

use rusqlite::{Connection, Transaction};
use spanledger_event::{COLUMNS, Column};

use crate::{LedgerError, error::StorageError, measure::MEASURES, outbox, rollup, schema};

mod store;
#[cfg(test)]
mod tests;

/// The version that brought the present form of the rows.
const STORE: i64 = 3;

/// A change of the tables that neither a column of the event nor a measure brings about.
pub(crate) struct Step {
    /// The version that it introduced.
    since: i64,
    sql: &'static str,
    /// Whether readers need it: a table does matter to them, an index does not.
    readers_need_it: bool,
}

/// The changes since version 3, in their order.
const STEPS: &[Step] = &[
    Step {
        since: 4,
        sql: "ALTER TABLE ledger ADD COLUMN rolled_up INTEGER NOT NULL DEFAULT 0;
              UPDATE ledger SET rolled_up = last_number;",
        readers_need_it: true,
    },
    // What was pruned is not known exactly: no follower that is behind it existed.
    Step {
        since: 5,
        sql: "ALTER TABLE ledger ADD COLUMN pruned_to INTEGER NOT NULL DEFAULT 0;
              UPDATE ledger SET pruned_to = coalesce((SELECT min(cursor) FROM follower), last_number)
                  WHERE observations > (SELECT count(*) FROM observation);
              ALTER TABLE batch ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
              UPDATE batch SET known = cursor;",
        readers_need_it: true,
    },
    Step { since: 5, sql: outbox::DEAD_LETTERS, readers_need_it: true },
];

/// What the tables of a version are made of.
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
        self.steps.iter().map(|step| step.since).fold(self.readable_since(), i64::max)
    }

    /// The first version that has everything that readers need.
    pub(crate) fn readable_since(&self) -> i64 {
        let columns = self.columns.iter().map(|column| i64::from(column.since));
        let steps = self.steps.iter().filter(|step| step.readers_need_it).map(|step| step.since);
        columns.chain(steps).fold(self.newest_measure.max(STORE), i64::max)
    }

    /// Brings a file of the version `from` up to date.
    pub(crate) fn migrate(&self, connection: &mut Connection, from: i64) -> Result<(), StorageError> {
        let transaction = connection.transaction()?;
        self.apply(&transaction, from).map_err(StorageError::from_ledger)?;
        Ok(transaction.commit()?)
    }

    fn apply(&self, transaction: &Transaction<'_>, from: i64) -> Result<(), LedgerError> {
        let version = self.version();
        transaction.execute_batch(schema::DROP_VIEWS)?;
        let from = if from < STORE {
            store::copy(transaction, from)?;
            TARGET.version()
        } else {
            from
        };
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
        transaction.execute_batch(&schema::views(self.columns))?;
        Ok(transaction.pragma_update(None, "user_version", version)?)
    }
}

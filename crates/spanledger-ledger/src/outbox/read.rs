//! Reading the changes of a batch from the file.

use std::sync::Arc;

use rusqlite::OptionalExtension as _;
use spanledger_event::SharedEvent;

use super::{BatchRange, Change, Unreadable, latest};
use crate::{
    LedgerError, LedgerReader,
    reader::{CHANGED, UNCHANGED},
};

/// The changes of one batch.
#[derive(Debug, Default)]
pub struct BatchChanges {
    /// The events, in the order of their changes.
    pub changes: Vec<Change>,
    /// Rows that cannot be read, because they are damaged.
    pub unreadable: Vec<Unreadable>,
}

/// The revisions of a batch in flight that later ones have replaced.
const SUPERSEDED: &str = "FROM superseded e LEFT JOIN observation o ON o.seq = coalesce(e.evidence, e.seq)
    WHERE e.change_seq > ?1 AND e.change_seq <= ?2 ORDER BY e.change_seq LIMIT ?3";

impl LedgerReader {
    /// The events of a batch that was handed out, as they were then. The same batch gives the same events
    /// until it is acknowledged.
    ///
    /// A void event is left out if all of it is newer than the follower's cursor, so that the follower was never
    /// given the event. A follower that was behind while an older event changed several times may be given it
    /// as void for the first time.
    pub fn batch(&self, range: &BatchRange) -> Result<BatchChanges, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let words = self.words()?;
        let known: Option<i64> = self
            .connection
            .prepare_cached("SELECT known FROM batch WHERE follower = ? AND cursor = ? AND last = ?")?
            .query_row((&range.follower, range.cursor, range.last), |row| row.get(0))
            .optional()?;
        let known = known.unwrap_or(range.cursor);
        let mut changes: Vec<(i64, i64, Result<Arc<SharedEvent>, LedgerError>)> = Vec::new();
        let mut present = 0;
        for source in [UNCHANGED, CHANGED, SUPERSEDED] {
            present = changes.len();
            self.read_changes(source, (range.cursor, range.last), usize::MAX, &words, |head, event| {
                changes.push((head.seq, head.change_seq, event.map(|event| Arc::new(event.into()))));
                Ok(())
            })?;
        }
        transaction.commit()?;
        if changes.len() > present {
            // The batch of another follower may keep an earlier revision of an event of which this batch has a
            // later one.
            latest(&mut changes);
        }
        changes.sort_by_key(|(_, change, _)| *change);
        let mut read = BatchChanges::default();
        for (row, seq, event) in changes {
            match event {
                // The row's number is that of the event's first observation.
                Ok(event) if event.counts() || row.abs() <= known => {
                    let was_given = row.abs() <= known;
                    read.changes.push(Change { seq, event, was_given });
                }
                Ok(_) => {}
                Err(error) => read.unreadable.push(Unreadable { seq, error }),
            }
        }
        Ok(read)
    }
}

//! What works on the tables alone.

use rusqlite::Connection;

use super::{
    error::KeyError,
    page::{Page, short},
    run::Manifest,
};

/// The numbers stored under a key, newest first, at most `limit`, for a reader that has no [`KeyIndex`](super::KeyIndex).
/// It reads some pages of every run. The runs hold the keys up to [`last_seq_on_disk`]; call both in one read
/// transaction.
pub(crate) fn find_on_disk(connection: &Connection, key: u64, limit: usize) -> Result<Vec<u64>, KeyError> {
    let mut found = Vec::new();
    for run in Manifest::all(connection)?.iter().rev() {
        if found.len() >= limit {
            break;
        }
        let first_hash = |page| run.page(connection, page, |entries: Page<'_>| Ok(entries.first_hash()));
        run.find(connection, short(key), limit, &mut found, first_hash)?;
    }
    Ok(found)
}

/// The last observation whose keys are in the tables, 0 if there is none. Later ones are only in the journal.
pub(crate) fn last_seq_on_disk(connection: &Connection) -> Result<u64, KeyError> {
    Ok(Manifest::all(connection)?.last().map_or(0, |run| run.last_seq))
}

/// Empties the tables. Afterwards open the index again and insert the keys of all observations.
pub(crate) fn clear(transaction: &Connection) -> Result<(), KeyError> {
    transaction.execute_batch("DELETE FROM key_run; DELETE FROM key_page;")?;
    Ok(())
}

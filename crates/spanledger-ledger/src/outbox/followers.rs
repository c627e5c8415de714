//! The followers with their cursors and batches in flight, as the writer keeps them in memory.

use std::collections::BTreeMap;

use rusqlite::Connection;

/// A batch in flight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Batch {
    pub(crate) follower: String,
    /// It begins after this change.
    pub(crate) cursor: i64,
    /// Its last change.
    pub(crate) last: i64,
    /// The follower was given events of rows up to this number before. A void event of a later row is left out.
    /// It is the beginning of the batch, or that of the batch of which this one is a part.
    pub(crate) known: i64,
}

impl Batch {
    pub(crate) const fn range(&self) -> (i64, i64) {
        (self.cursor, self.last)
    }
}

/// What the tables `follower` and `batch` hold.
#[derive(Debug, Default)]
pub(crate) struct Followers {
    cursors: BTreeMap<String, i64>,
    batches: Vec<Batch>,
}

impl Followers {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare_cached("SELECT name, cursor FROM follower")?;
        let cursors = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let cursors = cursors.collect::<Result<_, _>>()?;
        let mut statement = connection
            .prepare_cached("SELECT follower, cursor, last, known FROM batch ORDER BY follower, cursor")?;
        let batches = statement.query_map([], |row| {
            Ok(Batch { follower: row.get(0)?, cursor: row.get(1)?, last: row.get(2)?, known: row.get(3)? })
        })?;
        let batches = batches.collect::<Result<_, _>>()?;
        Ok(Self { cursors, batches })
    }

    /// Whether anybody follows the ledger.
    pub(crate) fn is_any(&self) -> bool {
        !self.cursors.is_empty() || !self.batches.is_empty()
    }

    /// The change that every follower has passed; `None` without followers.
    pub(crate) fn passed(&self) -> Option<i64> {
        let cursors = self.cursors.values().copied();
        cursors.chain(self.batches.iter().map(|batch| batch.cursor)).min()
    }

    /// The cursor of a follower; 0 before its first acknowledgement.
    pub(crate) fn cursor(&self, follower: &str) -> i64 {
        self.cursors.get(follower).copied().unwrap_or_default()
    }

    /// Whether a batch in flight contains the change.
    pub(crate) fn hold(&self, change: i64) -> bool {
        self.batches.iter().any(|batch| batch.cursor < change && change <= batch.last)
    }

    /// The batches of a follower, in their order.
    pub(crate) fn batches<'a>(&'a self, follower: &'a str) -> impl Iterator<Item = &'a Batch> {
        // Batches are handed out in their order, and a part takes the place of its whole.
        self.batches.iter().filter(move |batch| batch.follower == follower)
    }

    /// Adds a batch behind the others of its follower.
    pub(crate) fn push(&mut self, batch: Batch) {
        self.batches.push(batch);
    }

    /// Replaces a batch by two.
    pub(crate) fn split(&mut self, follower: &str, cursor: i64, at: i64) {
        let place =
            self.batches.iter().position(|batch| batch.follower == follower && batch.cursor == cursor);
        if let Some(place) = place {
            let second = Batch { cursor: at, ..self.batches[place].clone() };
            self.batches[place].last = at;
            self.batches.insert(place + 1, second);
        }
    }

    /// Moves a cursor forward, and forgets what the follower has passed.
    pub(crate) fn acknowledge(&mut self, follower: &str, cursor: i64) {
        match self.cursors.get_mut(follower) {
            Some(known) => *known = cursor.max(*known),
            None => drop(self.cursors.insert(follower.to_owned(), cursor)),
        }
        self.batches.retain_mut(|batch| {
            let is_passed = batch.follower == follower && batch.last <= cursor;
            if batch.follower == follower && batch.cursor < cursor && !is_passed {
                batch.cursor = cursor;
            }
            !is_passed
        });
    }

    /// Moves a cursor back.
    pub(crate) fn rewind(&mut self, follower: &str, cursor: i64) {
        self.cursors.insert(follower.to_owned(), cursor);
        self.drop_batches(follower);
    }

    /// Forgets all batches of a follower.
    pub(crate) fn drop_batches(&mut self, follower: &str) {
        self.batches.retain(|batch| batch.follower != follower);
    }

    /// Forgets a follower.
    pub(crate) fn forget(&mut self, follower: &str) {
        self.cursors.remove(follower);
        self.drop_batches(follower);
    }
}

//! The batches in flight, as the writer keeps them in memory.

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

/// All batches in flight.
#[derive(Debug, Default)]
pub(crate) struct InFlight(Vec<Batch>);

impl InFlight {
    pub(crate) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection
            .prepare_cached("SELECT follower, cursor, last, known FROM batch ORDER BY follower, cursor")?;
        let rows = statement.query_map([], |row| {
            Ok(Batch { follower: row.get(0)?, cursor: row.get(1)?, last: row.get(2)?, known: row.get(3)? })
        })?;
        Ok(Self(rows.collect::<Result<_, _>>()?))
    }

    /// Whether a batch in flight contains the change.
    pub(crate) fn contains(&self, change: i64) -> bool {
        self.0.iter().any(|batch| batch.cursor < change && change <= batch.last)
    }

    /// The batches of a follower, in their order.
    pub(crate) fn of<'a>(&'a self, follower: &'a str) -> impl Iterator<Item = &'a Batch> {
        // Batches are handed out in their order, and a part takes the place of its whole.
        self.0.iter().filter(move |batch| batch.follower == follower)
    }

    /// Adds a batch behind the others of its follower.
    pub(crate) fn push(&mut self, batch: Batch) {
        self.0.push(batch);
    }

    /// Replaces a batch by two.
    pub(crate) fn split(&mut self, follower: &str, cursor: i64, at: i64) {
        let place = self.0.iter().position(|batch| batch.follower == follower && batch.cursor == cursor);
        if let Some(place) = place {
            let second = Batch { cursor: at, ..self.0[place].clone() };
            self.0[place].last = at;
            self.0.insert(place + 1, second);
        }
    }

    /// Forgets what a follower has acknowledged.
    pub(crate) fn acknowledge(&mut self, follower: &str, cursor: i64) {
        self.0.retain_mut(|batch| {
            let is_passed = batch.follower == follower && batch.last <= cursor;
            if batch.follower == follower && batch.cursor < cursor && !is_passed {
                batch.cursor = cursor;
            }
            !is_passed
        });
    }

    /// Forgets all batches of a follower.
    pub(crate) fn forget(&mut self, follower: &str) {
        self.0.retain(|batch| batch.follower != follower);
    }
}

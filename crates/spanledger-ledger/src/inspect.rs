//! What operators ask about a ledger: what it is, who follows it, whether its parts agree.

use std::{fs, ops::ControlFlow};

use rusqlite::OptionalExtension as _;
use spanledger_event::Timestamp;

use crate::{
    FileSizes, GroupBy, LedgerError, LedgerReader, Pages, Query, Summary, Unreadable,
    open::beside,
    row::{self, JOIN_EVIDENCE, READ_COLUMNS},
};

/// The nanoseconds of a day.
const DAY_NANOS: i64 = 86_400_000_000_000;

/// What a ledger is and what follows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerInfo {
    /// The ledger's id, which no other ledger has.
    pub id: String,
    /// The version of its tables.
    pub schema_version: i64,
    /// How often its events were repriced.
    pub repricings: i64,
    /// The sizes of its files.
    pub sizes: FileSizes,
    /// The pages of its file.
    pub pages: Pages,
    /// The size of the index of keys.
    pub keys: KeyIndexSize,
    /// How much it holds.
    pub summary: Summary,
    /// Its followers, such as sinks, by name.
    pub followers: Vec<FollowerInfo>,
}

/// How much the index of keys holds on disk. The keys of pruned events stay in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyIndexSize {
    /// Keys. Those of the latest observations are only in the writer's memory, and are not counted.
    pub keys: i64,
    /// The pages that hold them.
    pub pages: i64,
    /// The sorted runs of pages.
    pub runs: i64,
}

/// How far a follower is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FollowerInfo {
    /// Its name.
    pub name: String,
    /// The last change that it has acknowledged.
    pub cursor: i64,
    /// How many changes it has not acknowledged.
    pub behind: i64,
    /// The batches that it was given and has not acknowledged, each as the change before its first one and
    /// its last change.
    pub in_flight: Vec<(i64, i64)>,
    /// How many dead letters it has.
    pub dead_letters: i64,
}

/// What [`LedgerReader::read_events`] read.
#[derive(Debug, Default)]
pub struct ReadEvents {
    /// The row to go on after.
    pub last: i64,
    /// How many events were read.
    pub events: usize,
    /// Rows that cannot be read.
    pub unreadable: Vec<Unreadable>,
}

/// A period in which a report from the roll-ups differs from one from the events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SumsDiffer {
    /// The dimension by which both were grouped.
    pub group_by: GroupBy,
    /// The beginning of the period; `None` for all times before its end.
    pub since: Option<Timestamp>,
    /// The end of the period; `None` for all times after its beginning.
    pub until: Option<Timestamp>,
    /// How many requests the roll-ups have.
    pub requests_of_rollups: i64,
    /// How many requests the events have.
    pub requests_of_events: i64,
}

/// What [`LedgerReader::compare_sums`] compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ComparedSums {
    /// Days with events whose sums were compared.
    pub days: usize,
    /// Periods whose roll-ups have more requests than there are events, in a ledger of which events were
    /// pruned: the roll-ups keep the sums of pruned events.
    pub pruned: usize,
}

impl LedgerReader {
    /// What the ledger is, and what follows it.
    pub fn info(&self) -> Result<LedgerInfo, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let (id, repricings) = self
            .connection
            .query_row("SELECT id, epoch FROM ledger", [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let schema_version = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        let (summary, followers) = (self.summary()?, self.followers()?);
        let pages = self.pages()?;
        let keys = self.connection.query_row(
            "SELECT coalesce(sum(entries), 0), coalesce(sum(pages), 0), count(*) FROM key_run",
            [],
            |row| Ok(KeyIndexSize { keys: row.get(0)?, pages: row.get(1)?, runs: row.get(2)? }),
        )?;
        transaction.commit()?;
        let bytes = |suffix| fs::metadata(beside(self.path(), suffix)).map_or(0, |file| file.len());
        let sizes = FileSizes { database: bytes(""), log: bytes("-wal") };
        Ok(LedgerInfo { id, schema_version, repricings, sizes, pages, keys, summary, followers })
    }

    fn followers(&self) -> Result<Vec<FollowerInfo>, LedgerError> {
        let mut statement = self.connection.prepare(
            "SELECT name, cursor,
                (SELECT count(*) FROM event WHERE seq > cursor AND change_seq = seq)
                + (SELECT count(*) FROM change WHERE change_seq > cursor),
                (SELECT count(*) FROM dead_letter WHERE follower = name)
             FROM (SELECT name, cursor FROM follower
                   UNION ALL
                   SELECT DISTINCT follower, 0 FROM batch WHERE follower NOT IN (SELECT name FROM follower))
             ORDER BY name",
        )?;
        let rows = statement.query_map([], |row| {
            Ok(FollowerInfo {
                name: row.get(0)?,
                cursor: row.get(1)?,
                behind: row.get(2)?,
                in_flight: Vec::new(),
                dead_letters: row.get(3)?,
            })
        })?;
        let mut followers: Vec<FollowerInfo> = rows.collect::<Result<_, _>>()?;
        let mut statement =
            self.connection.prepare("SELECT cursor, last FROM batch WHERE follower = ? ORDER BY cursor")?;
        for follower in &mut followers {
            let rows = statement.query_map([&follower.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
            follower.in_flight = rows.collect::<Result<_, _>>()?;
        }
        Ok(followers)
    }

    /// Reads the events whose rows have greater numbers than `after`, at most `limit` of them, to see whether
    /// they can be read. Begin with `i64::MIN`. `None` if there are no more rows.
    pub fn read_events(&self, after: i64, limit: usize) -> Result<Option<ReadEvents>, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let words = self.words()?;
        let sql = format!(
            "SELECT {} FROM event e NOT INDEXED {JOIN_EVIDENCE} WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2",
            *READ_COLUMNS
        );
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query((after, i64::try_from(limit).unwrap_or(i64::MAX)))?;
        let mut read = ReadEvents { last: after, ..ReadEvents::default() };
        while let Some(row) = rows.next()? {
            let head = row::read_head(row)?;
            read.last = head.seq;
            match row::read(row, &words, &mut self.forms.borrow_mut()) {
                Ok(_) => read.events += 1,
                Err(error) => read.unreadable.push(Unreadable { seq: head.change_seq, error }),
            }
        }
        drop(rows);
        transaction.commit()?;
        Ok(Some(read).filter(|read| read.last > after))
    }

    /// Compares the sums of the roll-ups with those of the events, one day with events after the other, and
    /// hands every difference to `found` until it breaks.
    ///
    /// Each comparison is a transaction of its own, so that a writer can go on meanwhile.
    pub fn compare_sums(
        &self,
        mut found: impl FnMut(SumsDiffer) -> ControlFlow<()>,
    ) -> Result<ComparedSums, LedgerError> {
        let (mut since, mut compared) = (None, ComparedSums::default());
        // Counting all observations takes long, so it is done once and only if it matters.
        let mut was_pruned = None;
        loop {
            let next: Option<i64> = self
                .connection
                .prepare_cached(
                    "SELECT timestamp FROM event WHERE timestamp >= ? ORDER BY timestamp LIMIT 1",
                )?
                .query_row([since.map_or(i64::MIN, Timestamp::nanos)], |row| row.get(0))
                .optional()?;
            // The period reaches from the last day to the end of the next day with events, so that sums of days
            // without events are compared too.
            let until = next.and_then(|at| at.div_euclid(DAY_NANOS).checked_add(1)?.checked_mul(DAY_NANOS));
            let until = until.map(Timestamp::from_nanos);
            compared.days += usize::from(next.is_some());
            let mut is_pruned = false;
            for group_by in [GroupBy::Feature, GroupBy::Route, GroupBy::Model, GroupBy::Customer] {
                let query = Query { group_by, since, until, environment: None };
                let Some(differ) = self.compare(&query)? else { continue };
                let has_more = differ.requests_of_rollups > differ.requests_of_events;
                if has_more && was_pruned.is_none() {
                    was_pruned = Some(self.was_pruned()?);
                }
                if has_more && was_pruned == Some(true) {
                    is_pruned = true;
                } else if found(differ).is_break() {
                    return Ok(compared);
                }
            }
            compared.pruned += usize::from(is_pruned);
            match until {
                Some(until) => since = Some(until),
                None => return Ok(compared),
            }
        }
    }

    /// Whether observations were deleted that were once stored.
    fn was_pruned(&self) -> Result<bool, LedgerError> {
        let sql = "SELECT (SELECT observations FROM ledger) > (SELECT count(*) FROM observation)";
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// Compares the two ways of making a report, at one moment.
    fn compare(&self, query: &Query) -> Result<Option<SumsDiffer>, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let (rollups, events) = (self.report(query)?, self.report_from_events(query)?);
        transaction.commit()?;
        let Query { group_by, since, until, .. } = *query;
        let (requests_of_rollups, requests_of_events) = (rollups.total.requests, events.total.requests);
        let differ = SumsDiffer { group_by, since, until, requests_of_rollups, requests_of_events };
        Ok((rollups != events).then_some(differ))
    }
}

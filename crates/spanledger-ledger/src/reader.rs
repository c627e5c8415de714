//! Reading beside the writer, from the same process or another.

use std::{
    cell::{Ref, RefCell},
    path::{Path, PathBuf},
    sync::Arc,
};

use rusqlite::{Connection, OptionalExtension as _, Row};
use spanledger_event::{CostEvent, EventId, Relation, RelationKind};

use crate::{
    Change, LedgerError,
    facts::Packed,
    keys,
    migrate::TARGET,
    open::{self, Snapshot},
    outbox,
    row::{self, Forms, Head, JOIN_EVIDENCE, READ_COLUMNS},
    words::{self, Words},
};

/// A reader of a ledger file. It sees what was committed, and never blocks the writer.
#[derive(Debug)]
pub struct LedgerReader {
    pub(crate) connection: Connection,
    path: PathBuf,
    /// What the files looked like at the opening, where this reader cannot see changes.
    snapshot: Option<Snapshot>,
    words: RefCell<Words>,
    pub(crate) forms: RefCell<Forms>,
}

/// How much a ledger holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Observations, each counted once.
    pub observations: i64,
    /// Events that count, quarantined ones included.
    pub events: i64,
    /// Events that lack attribution.
    pub quarantined: i64,
    /// Events that turned out not to count.
    pub void: i64,
    /// The greatest `change_seq`.
    pub last_change: i64,
}

/// The events that changed after a cursor, those that never changed again and the others. Each is in the
/// order of its changes.
pub(crate) const UNCHANGED: &str =
    "FROM event e LEFT JOIN observation o ON o.seq = coalesce(e.evidence, e.seq)
    WHERE e.seq > ?1 AND e.seq <= ?2 AND e.change_seq = e.seq ORDER BY e.seq LIMIT ?3";
pub(crate) const CHANGED: &str = "FROM change c JOIN event e ON e.seq = c.seq
    LEFT JOIN observation o ON o.seq = coalesce(e.evidence, e.seq)
    WHERE c.change_seq > ?1 AND c.change_seq <= ?2 ORDER BY c.change_seq LIMIT ?3";
/// The number of the latest change.
const LAST_CHANGE: &str = "SELECT max(coalesce((SELECT max(seq) FROM event), 0),
    coalesce((SELECT max(change_seq) FROM change), 0))";

impl LedgerReader {
    /// Opens an existing ledger for reading.
    ///
    /// Where this user may not create files beside the ledger and no writer has it, as on a read-only file
    /// system, the reader shows the state of this moment: see [`is_snapshot`](Self::is_snapshot).
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref().to_owned();
        let open::ReadConnection { connection, snapshot } = open::reader(&path)?;
        Ok(Self { connection, path, snapshot, words: RefCell::default(), forms: RefCell::default() })
    }

    /// The dictionary, with the words of this moment. Call it within the transaction whose rows it is for.
    pub(crate) fn words(&self) -> Result<Ref<'_, Words>, LedgerError> {
        self.words.borrow_mut().load(&self.connection)?;
        Ok(self.words.borrow())
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether this reader shows the state of the moment when it was opened, and never a later one.
    pub fn is_snapshot(&self) -> bool {
        self.snapshot.is_some()
    }

    /// Whether a writer has changed the file since a [snapshot](Self::is_snapshot) was opened. What was read
    /// from the snapshot may then be wrong: open a new reader and read again.
    pub fn is_outdated(&self) -> bool {
        self.snapshot.as_ref().is_some_and(|snapshot| *snapshot != Snapshot::of(&self.path))
    }

    /// Events that changed after `cursor`, in the order of their last change, at most `limit`.
    ///
    /// An event that changed several times appears once, as it is now.
    pub fn changes_after(&self, cursor: i64, limit: usize) -> Result<Vec<Change>, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let words = self.words()?;
        let mut changes = Vec::new();
        for source in [UNCHANGED, CHANGED] {
            self.read_changes(source, (cursor, i64::MAX), limit, &words, |head, event| {
                changes.push(Change {
                    seq: head.change_seq,
                    event: Arc::new(event?.into()),
                    was_given: head.seq.abs() <= cursor,
                });
                Ok(())
            })?;
        }
        transaction.commit()?;
        changes.sort_by_key(|change| change.seq);
        changes.truncate(limit);
        Ok(changes)
    }

    pub(crate) fn read_changes(
        &self,
        source: &str,
        (after, last): (i64, i64),
        limit: usize,
        words: &Words,
        mut each: impl FnMut(Head, Result<CostEvent, LedgerError>) -> Result<(), LedgerError>,
    ) -> Result<(), LedgerError> {
        let mut statement = self.connection.prepare_cached(&format!("SELECT {} {source}", *READ_COLUMNS))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut forms = self.forms.borrow_mut();
        let mut rows = statement.query([after, last, limit])?;
        while let Some(row) = rows.next()? {
            each(row::read_head(row)?, row::read(row, words, &mut forms))?;
        }
        Ok(())
    }

    /// The cursor after which `changes_after` returns the latest `count` changed events.
    pub fn nth_change_from_end(&self, count: i64) -> Result<i64, LedgerError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT coalesce(min(n) - 1, (SELECT last_number FROM ledger)) FROM (
                SELECT n FROM (
                    SELECT * FROM (SELECT seq AS n FROM event WHERE change_seq = seq ORDER BY seq DESC LIMIT ?1)
                    UNION ALL
                    SELECT * FROM (SELECT change_seq FROM change ORDER BY change_seq DESC LIMIT ?1)
                ) ORDER BY n DESC LIMIT ?1)",
        )?;
        Ok(statement.query_row([count], |row| row.get(0))?)
    }

    /// The event of that id.
    pub fn event(&self, id: &EventId) -> Result<Option<CostEvent>, LedgerError> {
        let transaction = self.connection.unchecked_transaction()?;
        let words = self.words()?;
        let seed: i64 = self.connection.query_row("SELECT key_seed FROM ledger", [], |row| row.get(0))?;
        let relation = Relation { kind: RelationKind::Event, value: id.as_str() };
        let key = relation.hash(seed.cast_unsigned());
        let numbers = keys::find_on_disk(&self.connection, key, RelationKind::Event.limit() + 1)?;
        let rest = keys::last_seq_on_disk(&self.connection)?;
        let mut statement = self.connection.prepare_cached(&row::SELECT_EVENT)?;
        let mut found = None;
        let look = |row: &Row<'_>| -> Result<Option<CostEvent>, LedgerError> {
            Ok(Some(row::read(row, &words, &mut self.forms.borrow_mut())?)
                .filter(|event| event.event_id == *id))
        };
        for seq in numbers {
            let seq = seq.cast_signed();
            for seq in [seq, -seq] {
                let mut rows = statement.query([seq])?;
                if let Some(row) = rows.next()? {
                    found = found.or(look(row)?);
                }
            }
        }
        if found.is_none() {
            // The keys of the latest events are not in the index on disk yet.
            let sql = format!(
                "SELECT {} FROM event e {JOIN_EVIDENCE} WHERE (e.seq > ?1 OR e.seq < 0) AND e.event_id = ?2",
                *READ_COLUMNS
            );
            let mut statement = self.connection.prepare_cached(&sql)?;
            statement.raw_bind_parameter(1, rest.cast_signed())?;
            match Packed::of(id.as_str()) {
                Packed::Uuid(bytes) => statement.raw_bind_parameter(2, bytes)?,
                _ => statement.raw_bind_parameter(2, id.as_str())?,
            }
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next()? {
                found = found.or(look(row)?);
            }
        }
        transaction.commit()?;
        Ok(found)
    }

    /// The cursor of a follower; 0 before its first acknowledgement.
    pub fn cursor(&self, follower: &str) -> Result<i64, LedgerError> {
        Ok(outbox::cursor(&self.connection, follower)?)
    }

    /// The cursor of a follower; `None` if the ledger does not know it.
    pub fn follower_cursor(&self, follower: &str) -> Result<Option<i64>, LedgerError> {
        let mut statement = self.connection.prepare_cached("SELECT cursor FROM follower WHERE name = ?")?;
        Ok(statement.query_row([follower], |row| row.get(0)).optional()?)
    }

    /// The names of all followers.
    pub fn follower_names(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.connection.prepare_cached("SELECT name FROM follower ORDER BY name")?;
        let names = statement.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// The ledger's id. Another file has another id, so that a position in one ledger is never taken for a
    /// position in another.
    pub fn ledger_id(&self) -> Result<String, LedgerError> {
        Ok(self.connection.query_row("SELECT id FROM ledger", [], |row| row.get(0))?)
    }

    /// How much the ledger holds.
    pub fn summary(&self) -> Result<Summary, LedgerError> {
        let sql = format!(
            "SELECT (SELECT observations FROM ledger),
                    count(*) FILTER (WHERE state <> {void}),
                    count(*) FILTER (WHERE state = {quarantined}),
                    count(*) FILTER (WHERE state = {void}),
                    ({LAST_CHANGE})
             FROM event",
            void = words::VOID,
            quarantined = words::QUARANTINED
        );
        Ok(self.connection.query_row(&sql, [], |row| {
            Ok(Summary {
                observations: row.get(0)?,
                events: row.get(1)?,
                quarantined: row.get(2)?,
                void: row.get(3)?,
                last_change: row.get(4)?,
            })
        })?)
    }

    /// The number of the latest change; 0 if there is none. It costs nothing, unlike [`summary`](Self::summary).
    pub fn last_change(&self) -> Result<i64, LedgerError> {
        Ok(self.connection.query_row(LAST_CHANGE, [], |row| row.get(0))?)
    }

    /// The version of the file's tables, where it is older than this program's: the writer will bring
    /// such a file up to date.
    pub fn older_version(&self) -> Result<Option<i64>, LedgerError> {
        let version: i64 = self.connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        Ok(Some(version).filter(|version| *version < TARGET.version()))
    }

    /// Lets SQLite check the whole file (`PRAGMA integrity_check`). Returns what it found wrong, in
    /// SQLite's words; an empty list means that the file is sound.
    pub fn integrity(&self) -> Result<Vec<String>, LedgerError> {
        let mut statement = self.connection.prepare("PRAGMA integrity_check")?;
        let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
        let findings: Vec<String> = rows.collect::<Result<_, _>>()?;
        Ok(findings.into_iter().filter(|finding| finding != "ok").collect())
    }
}

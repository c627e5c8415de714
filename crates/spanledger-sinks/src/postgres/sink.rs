//! Writes batches in transactions that also hold the position.

use std::{collections::BTreeSet, fmt, pin::pin, time::Duration};

use bytes::Bytes;
use futures_util::SinkExt as _;
use spanledger_event::Timestamp;

use super::{
    PostgresConfig,
    claim::{self, Claim},
    connect::{self, Connection},
    copy::CopyRows,
    fault::Translate as _,
    prepare::{self, Prepared},
};
use crate::{
    Batch, BatchShape, Fault, Opened, Opening, Purpose, Rejection, Sink, Written,
    table::{Partitions, Table},
};

/// The temporary table of a session, into which a batch is copied.
const STAGE: &str = "pg_temp.spanledger_stage";

/// The bytes that are sent at once.
const CHUNK_BYTES: usize = 256 << 10;

/// How a fault names the state of a unique violation.
const UNIQUE_VIOLATION: &str = "(SQLSTATE 23505)";

/// Writes events to Postgres.
pub struct PostgresSink {
    config: PostgresConfig,
    table: Table,
    session: Option<Session>,
    /// Whether a row that was new a moment ago was there when it was copied. The next transaction merges all rows,
    /// which tells a race with another sink from a constraint of the user's own.
    copy_lost: bool,
}

/// A connection that can write.
struct Session {
    connection: Connection,
    server: String,
    claim: Claim,
    /// Finds those of some events that the table has in an earlier revision.
    find: String,
    /// Copies rows into the table itself, if its columns have the types of the rows.
    copy: Option<String>,
    /// Copies rows into the temporary table.
    stage: String,
    /// Takes the rows from the temporary table.
    upsert: String,
    /// Whether a transaction is open.
    is_writing: bool,
    is_partitioned: bool,
    /// The months that have a partition.
    months: BTreeSet<(i16, i8)>,
}

impl fmt::Debug for PostgresSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresSink").field("table", &self.table.name).finish_non_exhaustive()
    }
}

impl PostgresSink {
    pub(super) fn new(config: PostgresConfig, table: Table) -> Self {
        Self { config, table, session: None, copy_lost: false }
    }

    async fn connect(&self, opening: &Opening) -> Result<(Option<Session>, Opened), Fault> {
        let config = self.config.clone();
        let target =
            tokio::task::spawn_blocking(move || connect::target(&config)).await.map_err(Fault::retry)??;
        let connection = target.connect().await?;
        let server = target.name;
        let prepared =
            prepare::prepare(&connection, &server, &self.config, &self.table, opening.purpose).await?;
        if opening.purpose == Purpose::Check {
            let cursor = if prepared.exists {
                claim::position(&connection, &server, &self.table, opening).await?
            } else {
                0
            };
            return Ok((None, Opened { cursor: Some(cursor), remarks: prepared.remarks }));
        }
        let (claim, cursor) =
            claim::claim(&connection, &server, &self.table, opening, prepared.is_new).await?;
        connection.client.batch_execute(&self.stage()).await.translate(&server, "make a temporary table")?;
        let session = Session {
            find: format!(
                "SELECT event_id::text FROM {} WHERE event_id = ANY ($1::text[])",
                self.table.quoted_name()
            ),
            copy: (prepared.has_own_types && !self.copy_lost)
                .then(|| self.copy_into(&self.table.quoted_name())),
            stage: self.copy_into(STAGE),
            upsert: self.upsert(&prepared),
            connection,
            server,
            claim,
            is_writing: false,
            is_partitioned: prepared.is_partitioned,
            months: BTreeSet::new(),
        };
        Ok((Some(session), Opened { cursor: Some(cursor), remarks: prepared.remarks }))
    }

    fn names(&self) -> String {
        let names: Vec<String> =
            self.table.columns.iter().map(|column| self.table.dialect.quote(column.name)).collect();
        names.join(", ")
    }

    fn copy_into(&self, table: &str) -> String {
        format!("COPY {table} ({}) FROM STDIN (FORMAT binary)", self.names())
    }

    /// The statement that makes the temporary table. It has the types of the rows that are sent; the insert casts them to
    /// those of the table, where they differ.
    fn stage(&self) -> String {
        let dialect = self.table.dialect;
        let columns: Vec<String> = self
            .table
            .columns
            .iter()
            .map(|column| format!("{} {}", dialect.quote(column.name), dialect.sql_type(column)))
            .collect();
        format!("CREATE TEMPORARY TABLE spanledger_stage ({}) ON COMMIT DELETE ROWS", columns.join(", "))
    }

    fn upsert(&self, prepared: &Prepared) -> String {
        let quote = |name: &str| self.table.dialect.quote(name);
        let key: Vec<String> = prepared.key.iter().map(|name| quote(name)).collect();
        let updates: Vec<String> = self
            .table
            .columns
            .iter()
            .filter(|column| !prepared.key.contains(&column.name))
            .map(|column| format!("{0} = excluded.{0}", quote(column.name)))
            .collect();
        let names = self.names();
        format!(
            "INSERT INTO {} AS present ({names}) SELECT {names} FROM {STAGE} ON CONFLICT ({}) DO UPDATE SET {} WHERE present.revision < excluded.revision",
            self.table.quoted_name(),
            key.join(", "),
            updates.join(", ")
        )
    }
}

impl Session {
    async fn write(&mut self, table: &Table, batch: &Batch) -> Result<Written, Fault> {
        let server = &self.server;
        if self.is_partitioned {
            let months: BTreeSet<_> = batch.events().filter_map(|event| month(event.timestamp)).collect();
            let by_month = Table { partitions: Partitions::ByMonth, ..table.clone() };
            for month in months {
                if self.months.insert(month) {
                    prepare::make_month(&self.connection, server, &by_month, month).await?;
                }
            }
        }
        let client = &self.connection.client;
        // The rows of an earlier batch of the same transaction are in the table already.
        let begin = if self.is_writing { format!("TRUNCATE {STAGE}") } else { "BEGIN".to_owned() };
        client.batch_execute(&begin).await.translate(server, "begin a transaction")?;
        self.is_writing = true;
        // It comes first, so that a process that was displaced sends nothing.
        self.claim.advance(&self.connection, server, batch.id.to).await?;

        // In the order of the key, so that two sinks that write the same events do not wait for each other.
        let mut order: Vec<usize> = (0..batch.events.len()).collect();
        order.sort_by_key(|&index| &batch.events[index].event.event_id);
        let mut rejected = Vec::new();
        // Most events are new. They are copied into the table itself, which costs half as much as an upsert.
        if let Some(copy) = &self.copy {
            let stored = self.stored(batch).await?;
            let is_stored = |index: &usize| stored.contains(batch.events[*index].event.event_id.as_str());
            let (changed, new): (Vec<usize>, Vec<usize>) = order.into_iter().partition(is_stored);
            self.send(copy, &new, table, batch, &mut rejected).await.map_err(another_sink_was_first)?;
            order = changed;
        }
        if !order.is_empty() {
            self.send(&self.stage, &order, table, batch, &mut rejected).await?;
            client.batch_execute(&self.upsert).await.translate(server, "write rows")?;
        }
        rejected.sort_by_key(|rejection| rejection.index);
        Ok(Written { rejected })
    }

    /// The events of the batch that the table has.
    async fn stored(&self, batch: &Batch) -> Result<BTreeSet<String>, Fault> {
        let ids: Vec<&str> = batch.events().map(|event| event.event_id.as_str()).collect();
        let rows = self.connection.client.query(&self.find, &[&ids]).await;
        Ok(rows.translate(&self.server, "look for the events")?.iter().map(|row| row.get(0)).collect())
    }

    /// Copies the events at these places of the batch.
    async fn send(
        &self,
        copy: &str,
        places: &[usize],
        table: &Table,
        batch: &Batch,
        rejected: &mut Vec<Rejection>,
    ) -> Result<(), Fault> {
        if places.is_empty() {
            return Ok(());
        }
        let server = &self.server;
        let mut rows = CopyRows::new(&table.columns, CHUNK_BYTES + CHUNK_BYTES / 4);
        let copy = self.connection.client.copy_in::<_, Bytes>(copy).await;
        let mut copy = pin!(copy.translate(server, "copy rows")?);
        for &index in places {
            if let Err(reason) = rows.push(&batch.events[index].event) {
                rejected.push(Rejection { index, reason });
            }
            if rows.len() > CHUNK_BYTES {
                copy.feed(rows.take().freeze()).await.translate(server, "copy rows")?;
            }
        }
        copy.feed(rows.finish().freeze()).await.translate(server, "copy rows")?;
        copy.finish().await.translate(server, "copy rows")?;
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        if self.is_writing {
            self.connection.client.batch_execute("COMMIT").await.translate(&self.server, "commit")?;
            self.is_writing = false;
        }
        Ok(())
    }
}

/// An event that was new a moment ago may have been written by a sink of another name since. The next attempt finds it.
fn another_sink_was_first(fault: Fault) -> Fault {
    match fault {
        Fault::Rejected { reason } if reason.contains(UNIQUE_VIOLATION) => Fault::retry(reason),
        fault => fault,
    }
}

fn is_unique_violation(fault: &Fault) -> bool {
    fault.reason().contains(UNIQUE_VIOLATION)
}

/// The year and month of a moment, UTC.
fn month(moment: Timestamp) -> Option<(i16, i8)> {
    let text = moment.to_string();
    let mut parts = text.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl Sink for PostgresSink {
    fn shape(&self) -> BatchShape {
        BatchShape::default().rows(10_000).bytes(16 << 20).linger(Duration::from_millis(200))
    }

    async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        // A transaction of the former session, and its claim, end before the new one begins.
        self.session = None;
        let (session, opened) = in_time(&self.config, self.connect(opening)).await?;
        self.session = session;
        Ok(opened)
    }

    async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        // If this future is dropped or fails, the session is dropped with it: its state is not known.
        let mut session = self.session.take().ok_or_else(not_open)?;
        let written = in_time(&self.config, session.write(&self.table, batch)).await;
        self.copy_lost |= session.copy.is_some() && written.as_ref().is_err_and(is_unique_violation);
        let written = written?;
        self.session = Some(session);
        Ok(written)
    }

    async fn commit(&mut self) -> Result<(), Fault> {
        let mut session = self.session.take().ok_or_else(not_open)?;
        in_time(&self.config, session.commit()).await?;
        // The next connection copies again.
        self.copy_lost = false;
        self.session = Some(session);
        Ok(())
    }

    async fn close(&mut self) {
        self.session = None;
    }
}

fn not_open() -> Fault {
    Fault::retry("the connection to Postgres is not open")
}

async fn in_time<T>(
    config: &PostgresConfig,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let timeout = config.timeout();
    tokio::time::timeout(timeout, work).await.unwrap_or_else(|_| {
        Err(Fault::retry(format!("Postgres did not answer within {} seconds", timeout.as_secs())))
    })
}

//! The embedded, durable store of Spanledger: observations go in, cost events come out, and all amounts
//! are exact.
//!
//! A ledger is one SQLite file in WAL mode with `synchronous=FULL`. It holds four things, which every
//! append changes together in one transaction:
//!
//! * the *journal*: every observation that was acknowledged. An observation that has the facts of a stored
//!   one changes nothing;
//! * the *events*, each with its `revision` and the number of its latest change;
//! * the *roll-ups*: the sums of the [measures](MEASURES) by hour and by day, which reports read;
//! * the *followers*, such as sinks: how far each has read the changes, the batches that it was given, and
//!   its dead letters.
//!
//! Beside them are a *dictionary* of texts that repeat, and an *index of keys* which finds the observations
//! that belong together. People query the view `openai_events` and not the tables
//! (`docs/ledger.md`).
//!
//! Two types use it:
//!
//! * [`Ledger`] is the writer; one process has it. [`append`](Ledger::append) returns when the
//!   observations, and everything that follows from them, are committed and synced to disk. Requests
//!   that wait together share one commit.
//! * [`LedgerReader`] reads the file while the writer is open, in the same process or another one. It
//!   sees whole transactions: events in the order of their changes, cursors,
//!   [reports](LedgerReader::report).
//!
//! Only the fold of `spanledger-event` makes events from observations. An append asks
//! [`related`](spanledger_event::related) for the stored observations that belong together with the new
//! ones, folds each component, and writes the events that differ from the stored ones. Most new
//! observations have no relatives: what they need is prepared outside the writer's thread.
//!
//! A follower is given batches ([`Ledger::next_batch`]), several at a time if it asks for them. A batch stays
//! the same until it is acknowledged ([`Ledger::acknowledge`]), also after a restart. What the follower's
//! destination refuses for good is stored as a dead letter with the acknowledgement.
//!
//! Amounts are two integers, whole microdollars and the picodollars below them
//! ([`Usd::to_parts`](spanledger_event::Usd::to_parts)), so that SQL sums them exactly and the sums do
//! not overflow in practice. The view `openai_events` shows both beside the amount as a number.
//!
//! The writer brings a file of an earlier version up to date when it opens it. `migrate.rs` does this,
//! and explains how to add a column, a measure or a table.
//!
//! ```
//! use spanledger_event::{EventId, Observation, ObservedAs, Timestamp};
//! use spanledger_ledger::{GroupBy, Ledger, Query};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("spanledger.db");
//! # runtime.block_on(async {
//! let ledger = Ledger::open(&path)?;
//! let start = Timestamp::parse("2026-11-21T10:00:00Z").unwrap();
//! let call = Observation::new(EventId::of_request("order-7", 1), "call-1", ObservedAs::Record, start);
//! let first = ledger.append(vec![call.clone()]).await?;
//! let again = ledger.append(vec![call]).await?;
//! assert_eq!((first.new, again.new, again.duplicates), (1, 0, 1));
//!
//! let report = ledger.reader()?.report(&Query::by(GroupBy::Feature))?;
//! assert_eq!(report.total.requests, 1);
//! # Ok::<(), spanledger_ledger::LedgerError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Non-goals
//!
//! The ledger does not compute prices: the receiver does, before it appends. It does not deliver events
//! either: followers read the changes and move their cursors.

mod apply;
mod backup;
mod checkpoint;
mod datum;
mod error;
mod evidence;
mod facts;
mod health;
mod inspect;
mod job;
mod journal;
mod keys;
mod ledger;
mod measure;
mod migrate;
mod open;
mod outbox;
mod packed;
mod prepare;
mod queue;
mod reader;
mod reasons;
mod report;
mod rollup;
mod row;
mod schema;
mod state;
mod storage;
mod template;
mod upkeep;
mod words;
mod writer;

pub use backup::{Backup, BackupError, RestoreError, Restored, restore};
pub use error::{ErrorKind, FactsError, LedgerError, OpenError, RowError, StorageError};
pub use health::{CommitLatency, FileSizes, KeyIndexLoad, LedgerHealth, WriterFault};
pub use inspect::{ComparedSums, FollowerInfo, KeyIndexSize, LedgerInfo, ReadEvents, SumsDiffer};
pub use ledger::{Appended, Ledger};
pub use measure::{Amount, MEASURES, Measure, MeasureKind, Totals};
pub use outbox::{BatchChanges, BatchRange, Change, DeadLetter, HandedOut, StoredDeadLetter, Unreadable};
pub use reader::{LedgerReader, Summary};
pub use reasons::{Reason, Reasons};
pub use report::{GroupBy, Query, Report, ReportRow};
pub use upkeep::{Compacted, Pages, PrunePosition, PrunePreview, Pruned, Refolded, Repriced};

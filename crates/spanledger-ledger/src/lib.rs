//! The embedded durable store: observations in, cost events out, every cent exact.
//!
//! One SQLite file in WAL mode with `synchronous=FULL`, one writer, grouped commits. The file is at
//! once the journal (every observation that was ever acknowledged), the dedupe index, the outbox
//! (each follower has a cursor over `change_seq`) and the roll-ups that reports read.
//!
//! * [`Ledger`] owns the writer: [`append`](Ledger::append) answers once the observations and all
//!   that follows from them (events, revisions, roll-ups) are committed and synced.
//! * [`LedgerReader`] reads beside it, from the same or from another process: events in the order of
//!   their changes, cursors, [reports](LedgerReader::report).
//!
//! What an event is, is decided by [`spanledger_event::fold()`] alone; the store gathers the
//! observations that belong together, applies the fold and raises `revision` where the answer
//! differs from the stored one.
//!
//! Amounts are two integers, whole microdollars and the picodollars below them
//! ([`Usd::to_parts`](spanledger_event::Usd::to_parts)), so that SQL adds them up exactly and the
//! sums cannot overflow. The view `openai_events` shows them as decimal text.
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
//! let seen = Observation::new(EventId::of_request("order-7", 1), "call-1", ObservedAs::Record, start);
//! let first = ledger.append(vec![seen.clone()]).await?;
//! let again = ledger.append(vec![seen]).await?;
//! assert_eq!((first.new, again.new, again.duplicates), (1, 0, 1));
//!
//! let report = ledger.reader()?.report(&Query::by(GroupBy::Feature))?;
//! assert_eq!(report.total.requests, 1);
//! # Ok::<(), spanledger_ledger::LedgerError>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod apply;
mod error;
mod ledger;
mod measure;
mod migrate;
mod open;
mod reader;
mod reasons;
mod report;
mod rollup;
mod row;
mod schema;

pub use error::{LedgerError, OpenError, RowError, StorageError};
pub use ledger::{Appended, Ledger};
pub use measure::{Amount, MEASURES, Measure, MeasureKind, Totals};
pub use reader::{Change, LedgerReader, Summary};
pub use reasons::{Reason, Reasons};
pub use report::{GroupBy, Query, Report, ReportRow};

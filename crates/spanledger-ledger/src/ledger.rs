//! The writer: one thread, which commits all waiting requests in one transaction.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
};

use rusqlite::Connection;
use spanledger_event::Observation;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    LedgerError, LedgerReader,
    apply::{self, Incoming},
    error::OpenError,
    open::{self, FileIdentity, WriteConnection, WriteLock},
};

/// How many requests may wait for the writer.
const QUEUE_MAX: usize = 1_024;
/// A transaction takes no further request once it has this many observations. This bounds the memory of
/// a commit group.
const GROUP_MAX: usize = 8_192;

/// How many observations an append added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Observations that were new to the ledger.
    pub new: usize,
    /// Observations that had been appended before.
    pub duplicates: usize,
}

/// A ledger that is open for writing. All clones share the same writer.
///
/// Dropping the last clone commits the requests that were accepted before, and closes the file.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    changes: watch::Receiver<i64>,
    writer: Option<JoinHandle<()>>,
    _lock: WriteLock,
}

#[derive(Debug)]
enum Job {
    Append(Vec<Incoming>, oneshot::Sender<Result<Appended, LedgerError>>),
    Advance { follower: String, cursor: i64, done: oneshot::Sender<Result<(), LedgerError>> },
}

impl Ledger {
    /// Opens the file and starts the writer. Creates the file if it does not exist, and brings a file of
    /// an earlier version of Spanledger up to date.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref().to_owned();
        let WriteConnection { connection, identity, lock } = open::writer(&path)?;
        let last_change = apply::last_change(&connection)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (publish, changes) = watch::channel(last_change);
        let writer = std::thread::Builder::new()
            .name("spanledger-writer".to_owned())
            .spawn(move || Writer { connection, identity, last_change, publish }.run(queue))
            .map_err(|source| LedgerError::Open { path: path.clone(), source: OpenError::from(source) })?;
        Ok(Self {
            shared: Arc::new(Shared { path, jobs: Some(jobs), changes, writer: Some(writer), _lock: lock }),
        })
    }

    /// Stores observations durably, together with the events and roll-ups that they change.
    ///
    /// Returns after the commit has been synced to disk. An observation that was appended before
    /// changes nothing and is counted as a duplicate. On an error none of the observations was
    /// recorded, and the call may be repeated, except for [`LedgerError::Unstorable`].
    pub async fn append(&self, observations: Vec<Observation>) -> Result<Appended, LedgerError> {
        let incoming = observations
            .into_iter()
            .map(Incoming::new)
            .collect::<Result<Vec<_>, _>>()
            .map_err(LedgerError::Unstorable)?;
        let (done, answer) = oneshot::channel();
        self.send(Job::Append(incoming, done)).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Moves a follower's cursor forward. Call it after the follower has durably stored all changes up to
    /// that cursor.
    pub async fn advance(&self, follower: &str, cursor: i64) -> Result<(), LedgerError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Advance { follower: follower.to_owned(), cursor, done }).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// A channel that holds the greatest `change_seq` and reports when it grows.
    pub fn changes(&self) -> watch::Receiver<i64> {
        self.shared.changes.clone()
    }

    /// A reader of the same file.
    pub fn reader(&self) -> Result<LedgerReader, LedgerError> {
        LedgerReader::open(&self.shared.path)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    async fn send(&self, job: Job) -> Result<(), LedgerError> {
        let jobs = self.shared.jobs.as_ref().ok_or(LedgerError::Closed)?;
        jobs.send(job).await.map_err(|_| LedgerError::Closed)
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the ledger's writer panicked");
        }
    }
}

struct Writer {
    connection: Connection,
    identity: FileIdentity,
    last_change: i64,
    publish: watch::Sender<i64>,
}

impl Writer {
    fn run(mut self, mut queue: mpsc::Receiver<Job>) {
        while let Some(first) = queue.blocking_recv() {
            let mut group = vec![first];
            let mut size = 0;
            while size < GROUP_MAX
                && let Ok(job) = queue.try_recv()
            {
                if let Job::Append(incoming, _) = &job {
                    size += incoming.len();
                }
                group.push(job);
            }
            self.commit(group);
        }
        // Copies the write-ahead log into the file. If this fails, nothing is lost, because the log stays.
        if let Err(error) = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            tracing::debug!(%error, "the ledger's write-ahead log was not copied into the file");
        }
    }

    /// Commits the whole group in one transaction. If that fails, each job gets its own transaction, so
    /// that only the faulty request fails.
    fn commit(&mut self, group: Vec<Job>) {
        let before = self.last_change;
        match self.transact(&group) {
            Ok(answers) => {
                // Publish before answering, so that a caller sees the change when its append returns.
                if self.last_change != before {
                    self.publish.send_replace(self.last_change);
                }
                for (job, answer) in group.into_iter().zip(answers) {
                    job.answer(Ok(answer));
                }
            }
            Err(error) if group.len() == 1 => {
                self.last_change = before;
                if let Some(job) = group.into_iter().next() {
                    job.answer(Err(error));
                }
            }
            Err(_) => {
                self.last_change = before;
                for job in group {
                    self.commit(vec![job]);
                }
            }
        }
    }

    fn transact(&mut self, group: &[Job]) -> Result<Vec<Appended>, LedgerError> {
        self.identity.check()?;
        let transaction = self.connection.transaction()?;
        let mut answers = Vec::with_capacity(group.len());
        for job in group {
            answers.push(match job {
                Job::Append(incoming, _) => apply::append(&transaction, &mut self.last_change, incoming)?,
                Job::Advance { follower, cursor, .. } => {
                    apply::advance(&transaction, follower, *cursor)?;
                    Appended::default()
                }
            });
        }
        transaction.commit()?;
        Ok(answers)
    }
}

impl Job {
    /// Answers the caller. If the caller no longer waits, the answer is dropped.
    fn answer(self, answer: Result<Appended, LedgerError>) {
        match self {
            Self::Append(_, done) => drop(done.send(answer)),
            Self::Advance { done, .. } => drop(done.send(answer.map(|_| ()))),
        }
    }
}

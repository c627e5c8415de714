//! The writer: one thread, one transaction for all that waits.

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
    schema::{self, WriteLock},
};

/// Requests that may wait for the writer.
const QUEUE_MAX: usize = 1_024;
/// Observations that one transaction takes at most; bounds the memory of a commit group.
const GROUP_MAX: usize = 8_192;

/// What an append did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Observations that were not known.
    pub new: usize,
    /// Observations that had been delivered before.
    pub duplicates: usize,
}

/// The ledger, open for writing. Cloning shares it.
///
/// Dropping the last clone waits for what was accepted and closes the file.
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
    /// Opens the file, creating it where there is none, and starts the writer.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref().to_owned();
        let lock = schema::lock(&path)?;
        let connection = schema::open_writer(&path)?;
        let last_change = apply::last_change(&connection)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (publish, changes) = watch::channel(last_change);
        let writer = std::thread::Builder::new()
            .name("spanledger-writer".to_owned())
            .spawn(move || Writer { connection, last_change, publish }.run(queue))
            .map_err(|source| LedgerError::Open { path: path.clone(), source: source.into() })?;
        Ok(Self {
            shared: Arc::new(Shared { path, jobs: Some(jobs), changes, writer: Some(writer), _lock: lock }),
        })
    }

    /// Makes observations durable, with all that follows from them.
    ///
    /// Answers after the commit has been synced to disk. What was delivered before changes nothing
    /// and is counted as a duplicate. On an error nothing of it was recorded, and the same call may
    /// be repeated.
    pub async fn append(&self, observations: Vec<Observation>) -> Result<Appended, LedgerError> {
        let incoming = observations
            .into_iter()
            .map(Incoming::new)
            .collect::<Result<Vec<_>, _>>()
            .map_err(LedgerError::row)?;
        let (done, answer) = oneshot::channel();
        self.send(Job::Append(incoming, done)).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Moves a follower's cursor, after the follower's own durable acknowledgement.
    pub async fn advance(&self, follower: &str, cursor: i64) -> Result<(), LedgerError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Advance { follower: follower.to_owned(), cursor, done }).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// The greatest `change_seq`, and a wake-up when there is a greater one.
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
        // Leaves one file behind; a failure here loses nothing, the journal stays.
        if let Err(error) = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            tracing::debug!(%error, "the ledger's journal was not folded into the file");
        }
    }

    /// One transaction for the whole group; when it fails, one for each job, so that a fault in one
    /// request is answered to that request alone.
    fn commit(&mut self, group: Vec<Job>) {
        let before = self.last_change;
        match self.transact(&group) {
            Ok(answers) => {
                // Before the answers: who was answered finds the change published.
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
    /// A caller that no longer waits has nothing to be told.
    fn answer(self, answer: Result<Appended, LedgerError>) {
        match self {
            Self::Append(_, done) => drop(done.send(answer)),
            Self::Advance { done, .. } => drop(done.send(answer.map(|_| ()))),
        }
    }
}

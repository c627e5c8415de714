//! The writer: one thread, which commits all waiting requests in one transaction.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    thread::JoinHandle,
    time::Instant,
};

use rusqlite::{Connection, TransactionBehavior};
use spanledger_event::{ErrorChain, Observation};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    ErrorKind, LedgerError, LedgerHealth, LedgerReader,
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
/// Dropping the last clone finishes the commit in hand and closes the file. Requests that nobody waits for any
/// more are not recorded. If another program has locked the file, this takes two seconds at most.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    jobs: Option<mpsc::Sender<Job>>,
    changes: watch::Receiver<i64>,
    health: Arc<LedgerHealth>,
    writer: Option<JoinHandle<()>>,
    _lock: WriteLock,
}

#[derive(Debug)]
enum Job {
    Append(Vec<Incoming>, oneshot::Sender<Result<Appended, LedgerError>>),
    Advance {
        follower: String,
        cursor: i64,
        done: oneshot::Sender<Result<(), LedgerError>>,
    },
    Probe(oneshot::Sender<Result<(), LedgerError>>),
    #[cfg(any(test, feature = "test-support"))]
    Panic,
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
        let health = Arc::new(LedgerHealth::new());
        let writer = Writer { connection, identity, last_change, publish, health: Arc::clone(&health) };
        let writer = std::thread::Builder::new()
            .name("spanledger-writer".to_owned())
            .spawn(move || {
                let health = Arc::clone(&writer.health);
                let _watch = health.watch_for_panics();
                writer.run(queue);
            })
            .map_err(|source| LedgerError::Open { path: path.clone(), source: OpenError::from(source) })?;
        let writer = Some(writer);
        Ok(Self { shared: Arc::new(Shared { path, jobs: Some(jobs), changes, health, writer, _lock: lock }) })
    }

    /// Stores observations durably, together with the events and roll-ups that they change.
    ///
    /// Returns after the commit has been synced to disk. An observation that was appended before
    /// changes nothing and is counted as a duplicate. On an error none of the observations was
    /// recorded, and the call may be repeated, except for [`LedgerError::Unstorable`]. If the future is
    /// dropped before it is ready, the observations may or may not be recorded.
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

    /// Lets the writer check itself: that it works at all, and that its files are still in their place. If
    /// the last commit failed, it tries another one, which ends the [fault](LedgerHealth::fault) if it
    /// succeeds. Nothing is appended.
    pub async fn probe(&self) -> Result<(), LedgerError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Probe(done)).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// What the writer tells about itself.
    pub fn health(&self) -> Arc<LedgerHealth> {
        Arc::clone(&self.shared.health)
    }

    /// How many requests wait for the writer.
    pub fn queue_length(&self) -> usize {
        self.shared.jobs.as_ref().map_or(0, |jobs| jobs.max_capacity() - jobs.capacity())
    }

    /// Makes the writer panic, as a bug would, for tests of what happens then.
    #[cfg(any(test, feature = "test-support"))]
    pub async fn panic_writer(&self) {
        drop(self.send(Job::Panic).await);
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
    health: Arc<LedgerHealth>,
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
            // A caller that has gone would never learn that its observations were recorded, and repeats them.
            group.retain(|job| !job.is_abandoned());
            if group.is_empty() {
                continue;
            }
            self.health.begin();
            self.commit(group);
            self.health.end();
        }
        // Copies the write-ahead log into the file. If this fails, nothing is lost, because the log stays.
        if let Err(error) = self.connection.pragma_update(None, "wal_checkpoint", "TRUNCATE") {
            tracing::debug!(%error, "the ledger's write-ahead log was not copied into the file");
        }
    }

    /// Commits the whole group in one transaction. If that fails because of one request, each gets its own
    /// transaction, so that only the faulty one fails. An error that concerns the file is the answer to all:
    /// to try them one by one would only take longer.
    fn commit(&mut self, group: Vec<Job>) {
        let before = self.last_change;
        let began = Instant::now();
        let error = match self.transact(&group) {
            Ok(answers) => {
                if answers.wrote {
                    self.health.committed(answers.sum(), began.elapsed());
                }
                // Publish before answering, so that a caller sees the change when its append returns.
                if self.last_change != before {
                    self.publish.send_replace(self.last_change);
                }
                for (job, answer) in group.into_iter().zip(answers.each) {
                    job.answer(Ok(answer));
                }
                return;
            }
            Err(error) if error.kind() == ErrorKind::Busy => LedgerError::Locked { waited: began.elapsed() },
            Err(error) => error,
        };
        self.last_change = before;
        if error.needs_a_new_connection() {
            self.open_again();
        }
        if group.len() > 1 && error.for_all_requests().is_none() {
            for job in group {
                self.commit(vec![job]);
            }
            return;
        }
        self.health.failed(&error);
        let mut error = Some(error);
        for job in group {
            let next = error.as_ref().and_then(LedgerError::for_all_requests);
            job.answer(Err(error.take().unwrap_or(LedgerError::Closed)));
            error = next;
        }
    }

    /// After an error of the disk, or in a damaged page, the next transaction begins without anything that
    /// the old connection has in memory.
    fn open_again(&mut self) {
        match open::again(&self.identity) {
            Ok(connection) => self.connection = connection,
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "ledger.writer.reopen.failed");
            }
        }
    }

    fn transact(&mut self, group: &[Job]) -> Result<Answers, LedgerError> {
        self.health.saw(self.identity.check()?);
        let mut answers = Answers { each: Vec::with_capacity(group.len()), wrote: false };
        let is_probe = group.iter().all(|job| matches!(job, Job::Probe(_)));
        if is_probe && self.health.fault().is_none() {
            answers.each.resize(group.len(), Appended::default());
            return Ok(answers);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for job in group {
            answers.each.push(match job {
                Job::Append(incoming, _) => apply::append(&transaction, &mut self.last_change, incoming)?,
                Job::Advance { follower, cursor, .. } => {
                    apply::advance(&transaction, follower, *cursor)?;
                    Appended::default()
                }
                Job::Probe(_) => {
                    open::write_nothing(&transaction)?;
                    Appended::default()
                }
                #[cfg(any(test, feature = "test-support"))]
                Job::Panic => panic!("a test asked the ledger's writer to panic"),
            });
        }
        transaction.commit()?;
        answers.wrote = true;
        Ok(answers)
    }
}

/// What a transaction did.
struct Answers {
    /// For each job.
    each: Vec<Appended>,
    /// Whether there was a transaction.
    wrote: bool,
}

impl Answers {
    fn sum(&self) -> Appended {
        self.each.iter().fold(Appended::default(), |sum, one| Appended {
            new: sum.new + one.new,
            duplicates: sum.duplicates + one.duplicates,
        })
    }
}

impl Job {
    /// Answers the caller. If the caller no longer waits, the answer is dropped.
    fn answer(self, answer: Result<Appended, LedgerError>) {
        match self {
            Self::Append(_, done) => drop(done.send(answer)),
            Self::Advance { done, .. } | Self::Probe(done) => drop(done.send(answer.map(|_| ()))),
            #[cfg(any(test, feature = "test-support"))]
            Self::Panic => {}
        }
    }

    /// Whether the caller no longer waits for the answer. What a follower has acknowledged is kept anyway.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Append(_, done) => done.is_closed(),
            Self::Probe(done) => done.is_closed(),
            _ => false,
        }
    }
}

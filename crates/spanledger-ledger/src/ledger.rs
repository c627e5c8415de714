//! The handle of a ledger that is open for writing.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
};

use spanledger_event::{Observation, RefusedReason};
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    LedgerError, LedgerHealth, LedgerReader,
    checkpoint::Checkpointer,
    error::OpenError,
    job::{Job, Work},
    open::{self, FileIdentity, WriteConnection, WriteLock},
    outbox::{Reply, Request},
    prepare,
    words::Words,
    writer::Writer,
};

/// How many requests may wait for the writer.
const QUEUE_MAX: usize = 1_024;

/// So many observations of a request are one job of the writer.
const JOB_MAX: usize = 4_096;

/// What became of the observations of an append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// Observations that were new to the ledger.
    pub new: usize,
    /// Observations that had been appended before.
    pub duplicates: usize,
    /// Sightings of events that were pruned. The event had been counted, and the sighting is not stored. An
    /// aggregate in a trace of which something was pruned is one, because the calls under it may have been counted.
    pub late: usize,
    /// Why observations were not stored: they exceed a limit. To repeat the request does not help; an
    /// observation that its own request tied to too many others may be taken alone.
    pub refused: Vec<RefusedReason>,
}

impl Appended {
    fn add(&mut self, other: Self) {
        self.new += other.new;
        self.duplicates += other.duplicates;
        self.late += other.late;
        self.refused.extend(other.refused);
    }
}

/// A ledger that is open for writing. All clones share the same writer.
///
/// Dropping the last clone finishes the commit in hand and closes the file. Requests that nobody waits for any
/// more are not recorded. If another program has locked the file, this takes three seconds at most.
#[derive(Clone, Debug)]
pub struct Ledger {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    path: PathBuf,
    identity: FileIdentity,
    id: String,
    seed: u64,
    words: Arc<RwLock<Words>>,
    /// Whether appends keep their events for followers.
    keeps_events: Arc<AtomicBool>,
    jobs: Option<mpsc::Sender<Job>>,
    changes: watch::Receiver<i64>,
    health: Arc<LedgerHealth>,
    writer: Option<JoinHandle<()>>,
    _lock: WriteLock,
}

impl Ledger {
    /// Opens the file and starts the writer. Creates the file if it does not exist, and brings a file of
    /// an earlier version of Spanledger up to date.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, LedgerError> {
        let path = path.as_ref().to_owned();
        let WriteConnection { connection, identity, lock } = open::writer(&path)?;
        let health = Arc::new(LedgerHealth::new());
        let checkpointer = Checkpointer::start(&identity, &health)?;
        let words = Arc::default();
        let (writer, changes) =
            Writer::new(connection, identity.clone(), checkpointer, Arc::clone(&words), Arc::clone(&health))?;
        let (id, seed, keeps_events) = (writer.id().to_owned(), writer.seed(), writer.keeps_events());
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let watched = Arc::clone(&health);
        let writer = std::thread::Builder::new()
            .name("spanledger-writer".to_owned())
            .spawn(move || {
                let _watch = watched.watch_for_panics();
                writer.run(queue);
            })
            .map_err(|source| LedgerError::Open { path: path.clone(), source: OpenError::from(source) })?;
        let (jobs, writer) = (Some(jobs), Some(writer));
        let shared = Shared {
            path,
            identity,
            id,
            seed,
            words,
            keeps_events,
            jobs,
            changes,
            health,
            writer,
            _lock: lock,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Stores observations durably, together with the events and roll-ups that they change.
    ///
    /// Returns after the commit has been synced to disk. An observation that was appended before
    /// changes nothing and is counted as a duplicate. After an error the call may be repeated, except for
    /// [`LedgerError::Unstorable`]: what was recorded in spite of the error is then a duplicate.
    pub async fn append(&self, observations: Vec<Observation>) -> Result<Appended, LedgerError> {
        let mut answers = Vec::with_capacity(1);
        let mut rest = observations;
        while !rest.is_empty() {
            // A large request is several jobs, so that others need not wait for all of it.
            let next = rest.split_off(rest.len().min(JOB_MAX));
            let prepared = {
                let words = self.shared.words.read().unwrap_or_else(PoisonError::into_inner);
                let keeps_events = self.shared.keeps_events.load(Ordering::Relaxed);
                prepare::prepare(rest, &words, self.shared.seed, keeps_events)
                    .map_err(LedgerError::Unstorable)?
            };
            let (done, answer) = oneshot::channel();
            self.send(Job::Append { prepared: Box::new(prepared), done }).await?;
            answers.push(answer);
            rest = next;
        }
        let mut appended = Appended::default();
        for answer in answers {
            let (answer, _prepared) = answer.await.map_err(|_| LedgerError::Closed)?;
            appended.add(answer?);
        }
        Ok(appended)
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

    /// Writes the roll-ups after so many observations, for tests that append only a few.
    #[cfg(any(test, feature = "test-support"))]
    pub async fn roll_up_every(&self, observations: i64) -> Result<(), LedgerError> {
        let set = move |append: &mut crate::apply::Append<'_>| {
            append.state.behind.written_every = observations;
            Ok(())
        };
        self.run(Box::new(set)).await
    }

    /// A channel that holds the greatest number of all changes and observations, and reports when it grows.
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

    /// The ledger's id, which no other ledger has.
    pub fn id(&self) -> &str {
        &self.shared.id
    }

    pub(crate) fn identity(&self) -> &FileIdentity {
        &self.shared.identity
    }

    /// Lets the writer do work on what is stored.
    pub(crate) async fn run(&self, work: Work) -> Result<(), LedgerError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Work { work, done }).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
    }

    /// Sends the request of a follower.
    pub(crate) async fn ask(&self, request: Request) -> Result<Reply, LedgerError> {
        let (done, answer) = oneshot::channel();
        self.send(Job::Outbox { request, done }).await?;
        answer.await.map_err(|_| LedgerError::Closed)?
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

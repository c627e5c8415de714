//! The writer: one thread, which commits all waiting requests in one transaction.

use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;
use spanledger_event::ErrorChain;
use tokio::sync::{mpsc, watch};

use crate::{
    Appended, ErrorKind, LedgerError, LedgerHealth,
    apply::{Append, Changes},
    checkpoint::Checkpointer,
    job::{Answer, Job},
    open::{self, FileIdentity},
    outbox::Followers,
    prepare::Prepared,
    queue::Queue,
    rollup::{RollupDeltas, behind},
    state::State,
    words::{Admission, Unknown, Words},
};

/// In one transaction a request spends this time on observations that have stored relatives. What is left
/// of it then waits for the next transaction, so that a request that ties much together does not hold up
/// the others.
const RELATED_TIME: Duration = Duration::from_millis(20);
/// All requests of a transaction together spend this time on such observations.
const GROUP_RELATED_TIME: Duration = Duration::from_millis(60);

#[derive(Debug)]
pub(crate) struct Writer {
    connection: Connection,
    identity: FileIdentity,
    checkpointer: Checkpointer,
    id: String,
    state: State,
    words: Arc<RwLock<Words>>,
    admission: Admission,
    /// Whether appends keep their events for followers.
    keeps_events: Arc<AtomicBool>,
    publish: watch::Sender<i64>,
    health: Arc<LedgerHealth>,
}

impl Writer {
    pub(crate) fn new(
        mut connection: Connection,
        identity: FileIdentity,
        checkpointer: Checkpointer,
        words: Arc<RwLock<Words>>,
        health: Arc<LedgerHealth>,
    ) -> Result<(Self, watch::Receiver<i64>), LedgerError> {
        checkpointer.watch(&mut connection)?;
        let id = connection.query_row("SELECT id FROM ledger", [], |row| row.get(0))?;
        let state = {
            let mut words = words.write().unwrap_or_else(PoisonError::into_inner);
            words.load(&connection)?;
            State::load(&connection, &words)?
        };
        let (publish, changes) = watch::channel(state.last_number);
        health.saw_keys(&state.index.stats());
        let writer = Self {
            connection,
            identity,
            checkpointer,
            id,
            words,
            admission: Admission::default(),
            keeps_events: Arc::new(state.tail.is_on().into()),
            state,
            publish,
            health,
        };
        Ok((writer, changes))
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn seed(&self) -> u64 {
        self.state.seed
    }

    pub(crate) fn keeps_events(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.keeps_events)
    }

    pub(crate) fn run(mut self, jobs: mpsc::Receiver<Job>) {
        let mut queue = Queue::new(jobs);
        let mut unfinished: Vec<Job> = Vec::new();
        while let Some(mut group) = queue.next_group(std::mem::take(&mut unfinished)) {
            // A caller that has gone would never learn that its observations were recorded, and repeats them.
            group.retain(|job| !job.is_abandoned());
            if group.is_empty() {
                continue;
            }
            self.health.begin();
            unfinished = self.commit(group);
            self.health.end();
            // Requests that have not had their turn yet come before those that had a part of it.
            unfinished.sort_by_key(Job::is_begun);
        }
        let keys = self.state.index.stats();
        tracing::debug!(
            in_memory = keys.keys_in_memory,
            in_runs = keys.keys_in_runs,
            runs = keys.runs,
            pages = keys.pages,
            unneeded_pages = keys.unneeded_pages,
            merges = keys.merges,
            filter_bytes = keys.filter_bytes,
            memory_bytes = keys.memory_bytes,
            pages_written = keys.pages_written,
            bytes_written = keys.bytes_written,
            pages_deleted = keys.pages_deleted,
            "ledger.keys"
        );
        self.checkpointer.stop();
        // If this fails, the next writer does it.
        if let Err(error) = self.finish_rollups() {
            tracing::debug!(%error, "the ledger's roll-ups are behind its events");
        }
        // Copies the write-ahead log into the file. If this fails, nothing is lost, because the log stays.
        let copied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = copied {
            tracing::debug!(%error, "the ledger's write-ahead log was not copied into the file");
        }
    }

    fn finish_rollups(&mut self) -> Result<(), LedgerError> {
        if self.state.rolled_up == self.state.last_number {
            return Ok(());
        }
        self.identity.check()?;
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        behind::begin(&self.connection, &mut self.state, true)?;
        Ok(self.connection.execute_batch("COMMIT")?)
    }

    /// Commits the whole group in one transaction. A job that fails alone is undone alone; an error of the
    /// transaction is that of every job. Returns the jobs of which a part is left.
    fn commit(&mut self, mut group: Vec<Job>) -> Vec<Job> {
        let mut unfinished = Vec::new();
        let before = self.state.last_number;
        let (mark, numbers) = (self.state.index.mark(), self.state.numbers());
        let began = Instant::now();
        let error = match self.transact(&mut group) {
            Ok(answers) => {
                if answers.wrote {
                    self.health.saw_keys(&self.state.index.stats());
                    self.health.committed(&answers.sum(), began.elapsed());
                }
                // Publish before answering, so that a caller sees the change when its append returns.
                if self.state.last_number != before {
                    self.publish.send_replace(self.state.last_number);
                }
                // Their memory is freed by the first that appended, and not here.
                let mut freed = self.state.tail.take_freed();
                for (mut job, answer) in group.into_iter().zip(answers.each) {
                    if let Job::Append { prepared, .. } = &mut job {
                        prepared.freed = std::mem::take(&mut freed);
                    }
                    match answer {
                        Ok(Answer::Unfinished) => unfinished.push(job),
                        Err(error) => {
                            self.health.failed(&error);
                            job.answer(Err(error));
                        }
                        answer => job.answer(answer),
                    }
                }
                self.checkpointer.after_commit(&self.connection);
                return unfinished;
            }
            Err(error) if error.kind() == ErrorKind::Busy => LedgerError::Locked { waited: began.elapsed() },
            Err(error) => error,
        };
        // The transaction may have been rolled back already.
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            tracing::warn!(%error, "ledger.rollback.failed");
        }
        if error.needs_a_new_connection() {
            self.open_again();
        }
        self.state.index.undo(&mark);
        self.state.set_numbers(numbers);
        self.state.behind.failed();
        self.admission.undo();
        match Followers::load(&self.connection) {
            Ok(followers) => self.state.followers = followers,
            // Too many batches in flight keep too many revisions, which does no harm.
            Err(error) => tracing::warn!(%error, "ledger.batches.unknown"),
        }
        self.state.tail.clear(self.state.last_number);
        self.health.failed(&error);
        let mut error = Some(error);
        for job in group {
            let next = error.as_ref().and_then(LedgerError::for_all_requests);
            job.answer(Err(error.take().unwrap_or(LedgerError::Closed)));
            error = next;
        }
        unfinished
    }

    /// After an error of the disk, or in a damaged page, the next transaction begins without anything that
    /// the old connection has in memory.
    fn open_again(&mut self) {
        let opened = open::again(&self.identity).and_then(|mut connection| {
            self.checkpointer.watch(&mut connection)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => self.connection = connection,
            Err(error) => {
                tracing::error!(error = %ErrorChain(&error), "ledger.writer.reopen.failed");
            }
        }
    }

    fn transact(&mut self, group: &mut [Job]) -> Result<Answers, LedgerError> {
        self.health.saw(self.identity.check()?);
        let is_probe = group.iter().all(|job| matches!(job, Job::Probe(_)));
        if is_probe && self.health.fault().is_none() {
            let each = group.iter().map(|_| Ok(Answer::Done)).collect();
            return Ok(Answers { each, wrote: false });
        }
        if let Some(each) = self.at_hand(group) {
            return Ok(Answers { each, wrote: false });
        }
        let shared = Arc::clone(&self.words);
        self.connection.execute_batch("BEGIN IMMEDIATE")?;
        if self.health.fault().is_some() {
            // A commit ends the fault, so it must need the disk. One of repetitions alone would write nothing.
            open::write_nothing(&self.connection)?;
        }
        let has_work = group.iter().any(|job| matches!(job, Job::Work { .. }));
        behind::begin(&self.connection, &mut self.state, has_work)?;
        let mut unknown = Unknown::default();
        let mut deltas = RollupDeltas::default();
        let mut answers = Vec::with_capacity(group.len());
        let observations = self.state.observations;
        {
            let words = shared.read().unwrap_or_else(PoisonError::into_inner);
            let mut spent = Duration::ZERO;
            for job in group {
                let changes =
                    Changes { words: &words, unknown: &mut unknown, deltas: &mut deltas, spent: &mut spent };
                answers.push(self.savepoint(job, changes)?);
            }
            behind::end(&self.connection, &mut self.state, deltas)?;
            self.admission.admit(&self.connection, &words, unknown)?;
        }
        let added = usize::try_from(self.state.observations - observations).unwrap_or_default();
        self.state.index.maintain(&self.connection, added)?;
        self.state.save(&self.connection)?;
        self.connection.execute_batch("COMMIT")?;
        self.state.behind.committed();
        self.state.tail.trim();
        self.keeps_events.store(self.state.tail.is_on(), Ordering::Relaxed);
        if self.admission.has_pending() {
            let mut words = shared.write().unwrap_or_else(PoisonError::into_inner);
            self.admission.publish(&mut words);
        }
        Ok(Answers { each: answers, wrote: true })
    }

    /// The answers, if all requests are those of followers for which nothing has to be stored.
    fn at_hand(&self, group: &[Job]) -> Option<Vec<Result<Answer, LedgerError>>> {
        let answer = |job: &Job| match job {
            Job::Outbox { request, .. } => Some(Ok(Answer::Outbox(request.at_hand(&self.state)?))),
            _ => None,
        };
        group.iter().map(answer).collect()
    }

    /// Runs a job so that it can be undone alone.
    fn savepoint(
        &mut self,
        job: &mut Job,
        changes: Changes<'_>,
    ) -> Result<Result<Answer, LedgerError>, LedgerError> {
        let Changes { words, unknown, deltas, spent } = changes;
        let mut own = RollupDeltas::default();
        let before = job.progress();
        let mut answer = self.undoable("job", |writer| {
            writer
                .run_job(job, Changes { words, unknown: &mut *unknown, deltas: &mut own, spent: &mut *spent })
        })?;
        if let Err(LedgerError::Damaged(_)) = &answer
            && let Job::Append { prepared, .. } = job
        {
            // A stored row cannot be read. What is not related to it is appended all the same.
            own = RollupDeltas::default();
            prepared.done = before;
            prepared.is_uncounted = true;
            let changes = Changes { words, unknown, deltas: &mut own, spent };
            answer = self.append_readable(prepared, changes)?;
            deltas.merge(own);
        } else if answer.is_ok() {
            deltas.merge(own);
        }
        Ok(answer)
    }

    /// Does work within a savepoint, and undoes it if it fails. An error of the whole transaction is
    /// returned as such.
    fn undoable<T>(
        &mut self,
        savepoint: &str,
        work: impl FnOnce(&mut Self) -> Result<T, LedgerError>,
    ) -> Result<Result<T, LedgerError>, LedgerError> {
        self.connection.prepare_cached(&format!("SAVEPOINT {savepoint}"))?.execute([])?;
        let mark = self.state.index.mark();
        let numbers = self.state.numbers();
        let answer = work(self);
        match answer {
            Err(error) if error.kind().concerns_all_requests() || self.connection.is_autocommit() => {
                return Err(error);
            }
            Err(_) => {
                self.connection.execute_batch(&format!("ROLLBACK TO {savepoint}"))?;
                self.state.index.undo(&mark);
                self.state.set_numbers(numbers);
                self.state.followers = Followers::load(&self.connection)?;
                self.state.tail.clear(self.state.last_number);
            }
            Ok(_) => {}
        }
        self.connection.prepare_cached(&format!("RELEASE {savepoint}"))?.execute([])?;
        Ok(answer)
    }

    /// Appends the components one by one. Those whose stored relatives cannot be read are left out; the
    /// answer is then the first of their errors.
    fn append_readable(
        &mut self,
        prepared: &mut Prepared,
        changes: Changes<'_>,
    ) -> Result<Result<Answer, LedgerError>, LedgerError> {
        let Changes { words, unknown, deltas, spent } = changes;
        let mut damaged = None;
        let mut appended = std::mem::take(&mut prepared.appended);
        let content = &prepared.content;
        let parts = content.components.iter().skip(prepared.done).map(Some).chain([None]);
        for part in parts {
            let mut own = RollupDeltas::default();
            let answer = self.undoable("part", |writer| {
                let changes = Changes { words, unknown: &mut *unknown, deltas: &mut own, spent: &mut *spent };
                let mut append = Append::new(&writer.connection, &mut writer.state, &mut appended, changes);
                match part {
                    Some(component) => {
                        let alone = std::slice::from_ref(component);
                        append.next_components(content, alone, false, RELATED_TIME).map(drop)
                    }
                    None => append.related(&content.rows, &content.crowded),
                }
            })?;
            match answer {
                Ok(()) => deltas.merge(own),
                Err(error) => damaged = damaged.or(Some(error)),
            }
        }
        Ok(damaged.map_or(Ok(Answer::Appended(appended)), Err))
    }

    fn run_job(&mut self, job: &mut Job, changes: Changes<'_>) -> Result<Answer, LedgerError> {
        match job {
            Job::Append { prepared, .. } => {
                let Changes { words, unknown, deltas, spent } = changes;
                deltas.merge(std::mem::take(&mut prepared.deltas));
                unknown.merge(std::mem::take(&mut prepared.unknown));
                let Prepared { content, appended, done, is_uncounted, .. } = &mut **prepared;
                let changes = Changes { words, unknown, deltas, spent };
                let mut append = Append::new(&self.connection, &mut self.state, appended, changes);
                let begin = *append.spent;
                while let Some(left) = content.components.get(*done..).filter(|left| !left.is_empty()) {
                    if append.spent.saturating_sub(begin) > RELATED_TIME || *append.spent > GROUP_RELATED_TIME
                    {
                        if !*is_uncounted {
                            for left in left {
                                append.count(content.observations(left), false);
                            }
                            *is_uncounted = true;
                        }
                        return Ok(Answer::Unfinished);
                    }
                    *done += append.next_components(content, left, !*is_uncounted, RELATED_TIME)?;
                }
                if !content.crowded.is_empty() {
                    append.related(&content.rows, &content.crowded)?;
                }
                Ok(Answer::Appended(std::mem::take(append.appended)))
            }
            Job::Outbox { request, .. } => {
                Ok(Answer::Outbox(request.run(&self.connection, &mut self.state)?))
            }
            Job::Work { work, .. } => {
                let appended = &mut Appended::default();
                work(&mut Append::new(&self.connection, &mut self.state, appended, changes))?;
                Ok(Answer::Done)
            }
            Job::Probe(_) => {
                open::write_nothing(&self.connection)?;
                Ok(Answer::Done)
            }
            #[cfg(any(test, feature = "test-support"))]
            Job::Panic => panic!("a test asked the ledger's writer to panic"),
        }
    }
}

/// What a transaction did.
struct Answers {
    /// For each job.
    each: Vec<Result<Answer, LedgerError>>,
    /// Whether there was a transaction.
    wrote: bool,
}

impl Answers {
    fn sum(&self) -> Appended {
        let mut sum = Appended::default();
        for answer in &self.each {
            if let Ok(Answer::Appended(appended)) = answer {
                sum.new += appended.new;
                sum.duplicates += appended.duplicates;
            }
        }
        sum
    }
}

//! Runs one sink.

use std::{collections::HashSet, time::Duration};

use spanledger_event::ErrorChain;
use spanledger_ledger::{Change, Ledger, LedgerError};
use spanledger_sinks::{BoxSink, ConfiguredSink, EventFilter, Fault, Opening, Purpose, Start};
use tokio::sync::watch;

use super::{
    DeliveryOptions, SinkStatus,
    fault::Backoff,
    queue::Queue,
    source::{Source, SourceOptions, Span, again, stopped},
};

/// How often a sink with a passing fault tries again after a stop was asked for.
const ATTEMPTS_AFTER_STOP: usize = 2;

/// The longest wait between these attempts.
const WAIT_AFTER_STOP: Duration = Duration::from_secs(1);

/// So many events are looked at together.
const LOOKED_AT: usize = 2_000;

/// Runs one sink.
pub(super) struct Runner {
    ledger: Ledger,
    config: ConfiguredSink,
    sink: BoxSink,
    opening: Opening,
    options: SourceOptions,
    source: Source,
    queue: Queue,
    /// The position up to which the ledger knows that the sink has everything.
    cursor: i64,
    /// How many events in a row the destination refused before the queue.
    refused: usize,
    /// So many batches are written alone, because one of them cannot be committed.
    alone: usize,
    backoff: Backoff,
    attempts_after_stop: usize,
    /// Whether the destination stores its position. Batches without events are then written, too, so that its
    /// position does not stay behind the ledger's.
    keeps_position: bool,
}

/// Why the delivery to an open destination ended.
enum Halt {
    /// The destination has to be opened again at once: the batches were divided.
    Again,
    /// The destination has a fault.
    Fault(Fault),
    /// The ledger has one.
    Ledger(LedgerError),
}

impl From<Fault> for Halt {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<LedgerError> for Halt {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error)
    }
}

impl Runner {
    pub(super) async fn start(
        ledger: Ledger,
        config: ConfiguredSink,
        status: SinkStatus,
        delivery: DeliveryOptions,
        span: Span,
        stopping: watch::Receiver<bool>,
    ) -> Result<Option<Self>, LedgerError> {
        let sink = match config.make() {
            Ok(sink) => sink,
            // The configuration was checked when it was read, so this is a fault of the sink.
            Err(error) => {
                let fault = Fault::blocked(error, "correct the configuration and restart `serve`");
                status.failed(&fault);
                tracing::error!(sink = config.name, %fault, "sink.blocked");
                return Ok(None);
            }
        };
        let name = config.name.clone();
        let cursor = register(&ledger, &config, span).await?;
        status.moved(cursor);
        let options = SourceOptions {
            ledger: ledger.clone(),
            sink: name.clone(),
            shape: config.batch.over(sink.shape()),
            filter: config.filter.clone(),
            span,
            status,
            stopping,
        };
        Ok(Some(Self {
            opening: Opening { ledger: ledger.id().to_owned(), sink: name, purpose: Purpose::Deliver },
            ledger,
            config,
            sink,
            source: Source::start(options.clone(), cursor),
            options,
            queue: Queue::default(),
            cursor,
            refused: 0,
            alone: 0,
            backoff: Backoff::new(delivery),
            attempts_after_stop: 0,
            keeps_position: false,
        }))
    }

    /// Delivers until the source ends, or a fault after a stop ends it.
    pub(super) async fn run(&mut self) -> Result<(), LedgerError> {
        loop {
            match self.attempt().await {
                Ok(()) => {
                    self.sink.close().await;
                    // The source has given everything; the last numbers of the ledger may belong to no change.
                    if let Some(until) = self.options.span.until {
                        self.options.status.moved(until.max(self.cursor));
                    }
                    return Ok(());
                }
                Err(Halt::Ledger(error)) => {
                    self.options.status.failed(&Fault::retry(ErrorChain(&error)));
                    return Err(error);
                }
                Err(Halt::Again) => {}
                Err(Halt::Fault(fault)) => {
                    if !self.wait_after(&fault).await {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Opens the destination, and delivers until the source ends.
    async fn attempt(&mut self) -> Result<(), Halt> {
        let opened = self.sink.open(&self.opening).await?;
        for remark in &opened.remarks {
            tracing::warn!(sink = self.name(), remark, "sink.opened.remark");
        }
        self.keeps_position |= opened.cursor.is_some();
        if let Some(theirs) = opened.cursor {
            self.reconcile(theirs).await?;
        }
        self.options.status.opened(opened.remarks);
        while self.deliver().await? {}
        Ok(())
    }

    /// Compares the position of the destination with that of the ledger. The destination's is the truth.
    async fn reconcile(&mut self, theirs: i64) -> Result<(), Halt> {
        if theirs == self.cursor || theirs == 0 && self.config.start == Start::Now {
            return Ok(());
        }
        let last = *self.ledger.changes().borrow();
        if theirs > last {
            return Err(Halt::Fault(Fault::blocked(
                format!(
                    "the destination has the changes up to {theirs} of this ledger, which has only {last}: an older \
                     copy of the ledger's file was put in its place"
                ),
                "put copies back with `spanledger ledger restore`, which gives them an id of their own",
            )));
        }
        let between = (theirs, self.cursor);
        let (ledger, filter) = (self.ledger.clone(), self.options.filter.clone());
        if theirs < self.cursor && !has_events(ledger, self.config.name.clone(), filter, between).await? {
            // What lies between was not for this sink, or was refused: the destination has everything else.
            return Ok(());
        }
        // Nothing asks for batches after the old cursor any more.
        self.source.end().await;
        self.queue.clear();
        self.alone = 0;
        let moved = move_cursor(&self.ledger, &self.config.name, (self.cursor, theirs)).await;
        if moved.is_ok() {
            self.cursor = theirs;
            self.options.status.moved(theirs);
        }
        self.source = Source::start(self.options.clone(), self.cursor);
        moved
    }

    /// Writes and commits a group of batches. Returns `false` if there are no more.
    async fn deliver(&mut self) -> Result<bool, Halt> {
        let window = if self.alone > 0 { 1 } else { self.options.shape.in_flight.get() };
        let mut written = 0;
        while written < window {
            let Some(uncommitted) = self.queue.get(written) else {
                let made = if written == 0 { self.source.next().await? } else { self.source.ready() };
                match made {
                    Some(made) => self.queue.push(made),
                    None => break,
                }
                continue;
            };
            if self.keeps_position || !uncommitted.batch.events.is_empty() {
                match self.sink.write(&uncommitted.batch).await {
                    Ok(answer) => self.queue.note(written, answer),
                    Err(fault) => return Err(self.narrow(written, fault).await),
                }
            }
            written += 1;
            let (_, most) = self.queue.refused_in_a_row(written, self.refused);
            if self.are_too_many(most) {
                return Err(self.refuses_everything(written));
            }
        }
        if written > 0 {
            self.commit(written).await?;
        }
        Ok(written > 0)
    }

    /// Commits the first batches of the queue, and moves the cursor.
    async fn commit(&mut self, written: usize) -> Result<(), Halt> {
        let (ledger, name) = (self.ledger.clone(), self.config.name.clone());
        let letters = self.queue.dead_letters(written);
        if !letters.is_empty() {
            // They are stored before the commit: a destination that keeps the position is not sent the batch
            // again after a crash.
            let unmoved = self.cursor;
            again!(&name, ledger.acknowledge(&name, unmoved, letters.clone()))?;
        }
        let batches = || (0..written).filter_map(|index| self.queue.get(index));
        let Some(cursor) = batches().next_back().map(|last| last.range.last) else { return Ok(()) };
        if (self.keeps_position || batches().any(|one| !one.batch.events.is_empty()))
            && let Err(fault) = self.sink.commit().await
        {
            if written > 1 && matches!(fault, Fault::Rejected { .. } | Fault::TooLarge { .. }) {
                // The next attempts tell which of the batches it is.
                self.alone = written;
                return Err(Halt::Again);
            }
            return Err(self.narrow(0, fault).await);
        }
        again!(&name, ledger.acknowledge(&name, cursor, Vec::new()))?;
        for letter in &letters {
            let (event_id, revision) = (letter.event_id.as_str(), letter.revision);
            tracing::error!(sink = name, event_id, revision, reason = letter.reason, "sink.event.rejected");
        }
        self.cursor = cursor;
        (self.refused, _) = self.queue.refused_in_a_row(written, self.refused);
        self.options.status.rejected(letters.len());
        self.options.status.committed(written, self.queue.taken(written), cursor);
        self.queue.pass(written);
        self.alone = self.alone.saturating_sub(written);
        self.backoff.reset();
        Ok(())
    }

    /// Divides a batch that contains what the destination refuses, or takes the event out of it if there is only
    /// one. Other faults are passed on.
    async fn narrow(&mut self, index: usize, fault: Fault) -> Halt {
        let (Fault::Rejected { .. } | Fault::TooLarge { .. }, Some(uncommitted)) =
            (&fault, self.queue.get(index))
        else {
            return Halt::Fault(fault);
        };
        if uncommitted.batch.events.is_empty() {
            // Nothing in it can be refused.
            return Halt::Fault(Fault::retry(fault.reason()));
        }
        let range = uncommitted.range.clone();
        if let Some(middle) = uncommitted.batch.middle() {
            let (ledger, name) = (&self.ledger, &self.config.name);
            match again!(name, ledger.split(&range, middle)) {
                Ok((first, second)) => {
                    self.queue.divide(index, first, second);
                    self.alone += usize::from(self.alone > 0);
                    Halt::Again
                }
                Err(error) => Halt::Ledger(error),
            }
        } else {
            let (now, _) = self.queue.refused_in_a_row(index, self.refused);
            if self.are_too_many(now + 1) {
                return Halt::Fault(blocked_by_refusals(now + 1, fault.reason()));
            }
            self.queue.bury(index, fault.reason());
            Halt::Again
        }
    }

    fn are_too_many(&self, refused: usize) -> bool {
        self.config.rejections_max > 0 && refused > self.config.rejections_max
    }

    fn refuses_everything(&self, written: usize) -> Halt {
        let letters = self.queue.dead_letters(written);
        let reason = letters.last().map_or("", |letter| letter.reason.as_str());
        Halt::Fault(blocked_by_refusals(self.config.rejections_max + 1, reason))
    }

    /// Waits for the next attempt. Returns `false` if the delivery is stopping and has tried often enough.
    async fn wait_after(&mut self, fault: &Fault) -> bool {
        self.options.status.failed(fault);
        let sink = self.name();
        let wait = match fault {
            Fault::Blocked { .. } => {
                tracing::error!(sink, %fault, "sink.blocked");
                Some(self.backoff.blocked())
            }
            Fault::Fenced { .. } => {
                tracing::error!(sink, %fault, "sink.fenced");
                None
            }
            Fault::Retry { after, .. } => {
                tracing::warn!(sink, %fault, "sink.retry");
                Some(self.backoff.after(*after))
            }
            Fault::TooLarge { .. } | Fault::Rejected { .. } => {
                // The sink says this without a batch.
                tracing::warn!(sink, %fault, "sink.retry");
                Some(self.backoff.after(None))
            }
        };
        if self.options.span.until.is_some() && matches!(fault, Fault::Blocked { .. } | Fault::Fenced { .. })
        {
            // Somebody waits for the end of a replay, and can start it again.
            return false;
        }
        let stopping = self.options.stopping.clone();
        let is_stopping = *stopping.borrow();
        let mut wait = wait;
        if is_stopping {
            self.attempts_after_stop += 1;
            let is_passing = !matches!(fault, Fault::Blocked { .. } | Fault::Fenced { .. });
            if !is_passing || self.attempts_after_stop >= ATTEMPTS_AFTER_STOP {
                tracing::warn!(sink = self.name(), "sink.shutdown.incomplete");
                return false;
            }
            wait = wait.map(|wait| wait.min(WAIT_AFTER_STOP));
        }
        let status = self.options.status.clone();
        tokio::select! {
            () = sleep(wait) => true,
            () = status.wait_for_retry(), if wait.is_some() => true,
            // The stop ends the wait; an error means that nobody can stop the delivery any more.
            is_asked = stopped(stopping), if !is_stopping => is_asked && wait.is_some(),
        }
    }

    fn name(&self) -> &str {
        &self.config.name
    }
}

/// Moves the cursor of a sink to that of its destination.
async fn move_cursor(ledger: &Ledger, name: &str, (ours, theirs): (i64, i64)) -> Result<(), Halt> {
    if theirs > ours {
        // The last acknowledgement was lost on the way to the ledger.
        tracing::info!(sink = name, from = ours, to = theirs, "sink.cursor.forward");
        return Ok(again!(name, ledger.acknowledge(name, theirs, Vec::new()))?);
    }
    // The destination was put back to an earlier state, or it is a new one under the old name.
    tracing::warn!(sink = name, from = ours, to = theirs, "sink.cursor.back");
    match again!(name, ledger.rewind(name, theirs)) {
        Err(error @ (LedgerError::Pruned { .. } | LedgerError::NotAPosition { .. })) => {
            Err(Halt::Fault(Fault::blocked(
                format!(
                    "the destination has only the changes up to {theirs}, and no longer those up to {ours}, which it \
                     had: {}",
                    ErrorChain(&error)
                ),
                "restore the destination from a newer backup, or give the sink a new name, so that it receives \
                 everything that the ledger still has",
            )))
        }
        answer => Ok(answer?),
    }
}

/// Whether a sink gets an event that changed after one position and up to the other, apart from its dead letters.
async fn has_events(
    ledger: Ledger,
    name: String,
    filter: EventFilter,
    (theirs, ours): (i64, i64),
) -> Result<bool, LedgerError> {
    let look = move || {
        let reader = ledger.reader()?;
        let dead: HashSet<i64> =
            reader.dead_letter_positions(&name)?.into_iter().map(|(_, position)| position).collect();
        let mut after = theirs;
        loop {
            let changes = reader.changes_after(after, LOOKED_AT)?;
            let Some(last) = changes.last().map(|change| change.seq) else { return Ok(false) };
            let is_taken = |change: &Change| {
                change.seq <= ours && !dead.contains(&change.seq) && filter.takes(&change.event, true)
            };
            if changes.iter().any(is_taken) {
                return Ok(true);
            }
            if last >= ours {
                return Ok(false);
            }
            after = last;
        }
    };
    tokio::task::spawn_blocking(look).await.map_err(|_| LedgerError::Closed)?
}

fn blocked_by_refusals(count: usize, reason: &str) -> Fault {
    Fault::blocked(
        format!("the destination refuses {count} events in a row, the last one because: {reason}"),
        "mend the destination; if the events are what is wrong, raise `rejections_max` of the sink, and they go to \
         its dead letters",
    )
}

/// Waits, without a duration for ever.
async fn sleep(wait: Option<Duration>) {
    match wait {
        Some(wait) => tokio::time::sleep(wait).await,
        None => std::future::pending().await,
    }
}

/// The cursor of a sink. The ledger knows the sink from now on, so that no event is pruned before the sink has it.
pub(super) async fn register(ledger: &Ledger, sink: &ConfiguredSink, span: Span) -> Result<i64, LedgerError> {
    let (name, is_live) = (sink.name.clone(), span == Span::ALL);
    let cursor = again!(&name, follower_cursor(ledger, &name))?;
    if let Some(cursor) = cursor {
        return Ok(cursor);
    }
    let cursor = if is_live && sink.start == Start::Now { *ledger.changes().borrow() } else { 0 };
    again!(&name, ledger.acknowledge(&name, cursor, Vec::new()))?;
    Ok(cursor)
}

async fn follower_cursor(ledger: &Ledger, name: &str) -> Result<Option<i64>, LedgerError> {
    let (reader, name) = (ledger.reader()?, name.to_owned());
    tokio::task::spawn_blocking(move || reader.follower_cursor(&name))
        .await
        .map_err(|_| LedgerError::Closed)?
}

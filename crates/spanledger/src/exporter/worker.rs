//! The exporter's thread: takes records from the queue, encodes them and sends them.

use std::{
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use bytes::Bytes;
use spanledger_otlp::record::RequestEncoder;
use tokio::time::{Instant, sleep_until};

use super::{
    ExporterConfig, Shared,
    backoff::Backoff,
    flush::{Commands, FlushCommand},
    journal::Journal,
    losses::Losses,
    outbox::{Outbox, Pending, Settled, Source},
    queue::{Intent, Purpose, QueueReceiver, Queued},
    transport::{Answer, Transport},
};

mod notes;
#[cfg(test)]
mod tests;

use notes::Notes;

/// The longest time that a flush waits for calls that are about to end, such as a stream that was just dropped.
const IN_FLIGHT_WAIT_MAX: Duration = Duration::from_secs(1);
/// It waits no longer if no call ends for this time: then the others are calls that go on.
const IN_FLIGHT_QUIET: Duration = Duration::from_millis(250);
/// How often a flush looks whether such calls have ended.
const IN_FLIGHT_POLL: Duration = Duration::from_millis(1);
/// The greatest number of bytes in one request, before it is compressed.
const REQUEST_BYTES_MAX: usize = 2 * 1_024 * 1_024;
/// How many records are read from disk at once.
const LOADED_MAX: usize = 2_048;
/// How many records are encoded before the worker looks at something else.
const TAKEN_MAX: usize = 4_096;

/// See the module's documentation.
pub(super) struct Worker<T> {
    transport: Arc<T>,
    encoder: RequestEncoder,
    queue: QueueReceiver,
    /// False when no sender is left.
    is_open: bool,
    commands: Commands,
    journal: Journal,
    outbox: Outbox,
    losses: Losses,
    /// The number of the first record of this process.
    first_number: u64,
    /// The number of records so far.
    numbered: u64,
    flushes: Vec<Flush>,
    shared: Arc<Shared>,
    notes: Notes,
    linger: Duration,
    /// Until when the worker lets records gather.
    linger_until: Option<Instant>,
}

/// What a worker is given.
pub(super) struct Parts {
    pub(super) queue: QueueReceiver,
    pub(super) commands: Commands,
    pub(super) journal: Journal,
}

/// A flush that waits.
struct Flush {
    deadline: Instant,
    progress: FlushProgress,
    reply: Box<dyn FnOnce(u64) + Send>,
}

enum FlushProgress {
    /// It waits for calls that are about to end.
    Calls { until: Instant, quiet_until: Instant, in_flight: usize },
    /// It waits until the records with smaller numbers are settled.
    Records { before: u64, unsettled: usize },
}

impl<T: Transport> Worker<T> {
    pub(super) fn new(
        config: &ExporterConfig,
        transport: T,
        Parts { queue, commands, journal }: Parts,
        shared: Arc<Shared>,
    ) -> Self {
        let backoff = Backoff::new(config.backoff, config.backoff_max);
        Self {
            transport: Arc::new(transport),
            encoder: RequestEncoder::new(&config.resource, env!("CARGO_PKG_VERSION")),
            queue,
            is_open: true,
            commands,
            first_number: journal.first_number(),
            numbered: journal.first_number(),
            journal,
            outbox: Outbox::new(config.batch_max, REQUEST_BYTES_MAX, backoff),
            losses: Losses::default(),
            flushes: Vec::new(),
            shared,
            notes: Notes::default(),
            linger: config.linger,
            linger_until: None,
        }
    }

    /// Works until no sender is left and every record is settled.
    pub(super) async fn run(mut self) {
        loop {
            self.take_queued();
            self.note_losses();
            self.keep_on_disk(false);
            self.serve_flushes();
            if !self.is_open && self.outbox.is_empty() && self.journal.on_disk() == 0 {
                self.keep_on_disk(true);
                self.end_flushes();
                return;
            }
            if self.may_send() {
                self.linger_until = None;
                let records = self.outbox.next(Instant::now());
                if let Some(request) = records.map(|records| Bytes::from(self.encoder.request(records))) {
                    let answer = self.post(request).await;
                    self.settle(answer);
                    continue;
                }
            }
            self.wait().await;
        }
    }

    /// Waits until there is something to do.
    async fn wait(&mut self) {
        self.keep_on_disk(true);
        let due = if self.may_send() { self.outbox.due(Instant::now()) } else { None };
        let wakes = [self.linger_until, due, self.flush_due(), self.journal.retry_at()];
        let wake = wakes.into_iter().flatten().min();
        // While records gather, the queue is not asked, so that a sender has nothing to wake. With a spool, records
        // gather while the disk writes those before.
        let takes_record = self.is_open && (self.linger_until.is_none() || self.journal.is_configured());
        self.queue.room.set_asleep(takes_record);
        tokio::select! {
            Some(command) = self.commands.recv() => self.begin_flush(command),
            queued = self.queue.channel.recv(), if takes_record => match queued {
                Some(queued) => {
                    self.encode(queued);
                    self.linger_until.get_or_insert(Instant::now() + self.linger);
                }
                None => self.is_open = false,
            },
            () = sleep_until_some(wake) => {}
        }
        self.queue.room.set_asleep(false);
        if self.linger_until.is_some_and(|until| until <= Instant::now()) {
            self.linger_until = None;
        }
    }

    /// Sends a request and serves flushes meanwhile.
    async fn post(&mut self, request: Bytes) -> Answer {
        let transport = Arc::clone(&self.transport);
        let mut answer = pin!(transport.post(request));
        loop {
            let wake = self.flush_due();
            tokio::select! {
                answer = &mut answer => return answer,
                Some(command) = self.commands.recv() => self.begin_flush(command),
                () = sleep_until_some(wake) => {}
            }
            self.serve_flushes();
        }
    }

    /// Whether records need not gather any longer.
    fn may_send(&self) -> bool {
        self.linger_until.is_none_or(|until| until <= Instant::now())
            || self.outbox.has_full_batch()
            || !self.flushes.is_empty()
            || !self.is_open
    }

    /// Encodes what is in the queue, without waiting.
    fn take_queued(&mut self) {
        let was_empty = self.outbox.is_empty();
        for taken in 0..TAKEN_MAX {
            let Ok(queued) = self.queue.channel.try_recv() else { return };
            if taken == 0 && was_empty && self.linger_until.is_none() {
                self.linger_until = Some(Instant::now() + self.linger);
            }
            self.encode(queued);
        }
    }

    fn encode(&mut self, Queued { value, purpose }: Queued) {
        // A defect in one record must not end the export of all others.
        let record = catch_unwind(AssertUnwindSafe(|| value.into_record()));
        if record.is_err() {
            tracing::error!("spanledger.export.record.panicked");
        }
        match (purpose, record) {
            (Purpose::Send { bytes, ends }, Ok(record)) => {
                let encoded = self.encoder.record(&record);
                self.queue.room.resize(bytes, encoded.len());
                self.keep(encoded, ends, Source::Call);
            }
            (Purpose::Send { bytes, ends }, Err(_)) => {
                self.queue.room.give_back(bytes);
                self.end_intent(ends);
                self.losses.add_unseen(1);
                Shared::add(&self.shared.refused, 1);
            }
            (Purpose::KeepIntent { intent: Intent(number), noted }, Ok(record)) => {
                self.journal.add_intent(number, self.encoder.record(&record), noted);
            }
            (Purpose::KeepIntent { .. }, Err(_)) => {}
            (Purpose::CountLoss { ends }, record) => {
                self.queue.room.give_back_overflow();
                self.end_intent(ends);
                match record {
                    Ok(record) => self.losses.add(&record),
                    Err(_) => self.losses.add_unseen(1),
                }
            }
            (Purpose::EndIntent(intent), _) => self.end_intent(Some(intent)),
        }
    }

    /// Ends the intent of a call that is lost. The gap event tells of the call, and its intent would tell of it again.
    fn end_intent(&mut self, intent: Option<Intent>) {
        if let Some(Intent(number)) = intent {
            self.journal.end_intent(number);
        }
    }

    /// Keeps an encoded record, which has its room, until it is settled.
    fn keep(&mut self, bytes: Vec<u8>, ends: Option<Intent>, source: Source) {
        let record = Pending { bytes, number: self.numbered, source };
        self.numbered += 1;
        let ends = ends.map(|Intent(number)| number);
        // The order is kept: while older records are only on disk, newer ones are, too.
        if self.journal.has_room() && (self.journal.on_disk() > 0 || self.queue.room.is_half_full()) {
            self.queue.room.give_back(record.bytes.len());
            self.journal.add_only_here(record, ends);
        } else {
            self.journal.add(&record, ends);
            self.outbox.push(record);
        }
    }

    /// Writes to disk what is new, and reads what is only there as soon as there is room for it.
    fn keep_on_disk(&mut self, is_idle: bool) {
        let now = Instant::now();
        let lost = self.journal.retry(now, self.outbox.records());
        self.lost_on_disk(&lost);
        if self.journal.is_due(is_idle) {
            for record in self.journal.commit(now) {
                self.queue.room.take_anyway(record.bytes.len());
                self.outbox.push(record);
            }
        }
        // An empty outbox takes one record even if there is no room, so that the export goes on.
        let is_empty = self.outbox.is_empty();
        if self.journal.on_disk() > 0 && (is_empty || !self.queue.room.is_half_full()) {
            let (records, bytes) = self.queue.room.left_of_half();
            let loaded = self.journal.load(now, records.clamp(1, LOADED_MAX), bytes);
            self.lost_on_disk(&loaded.lost);
            for mut record in loaded.records {
                if record.number < self.first_number {
                    record.source = Source::EarlierProcess;
                }
                self.queue.room.take_anyway(record.bytes.len());
                self.outbox.push(record);
            }
        }
    }

    /// Counts records that were only on disk and are not there any more.
    fn lost_on_disk(&mut self, ranges: &[(u64, u64)]) {
        if ranges.is_empty() {
            return;
        }
        for &(first, last) in ranges {
            let records = last - first + 1;
            let reason =
                "records that were only on disk are gone: was a file of the spool removed or damaged?";
            tracing::error!(records, reason, "spanledger.spool.lost");
            self.shared.set_error(Some(reason.to_owned()));
            self.losses.add_unseen(records);
            let of_calls = (last + 1).saturating_sub(first.max(self.first_number));
            self.shared.refused.fetch_add(of_calls, Ordering::AcqRel);
            for flush in &mut self.flushes {
                if let FlushProgress::Records { before, unsettled } = &mut flush.progress {
                    let settled = (last + 1).min(*before).saturating_sub(first);
                    *unsettled = unsettled.saturating_sub(usize::try_from(settled).unwrap_or(usize::MAX));
                }
            }
        }
        self.note_losses();
    }

    /// Makes a gap event of what was lost, when there is room for it and the receiver takes records.
    fn note_losses(&mut self) {
        self.losses.add_unseen(self.shared.dropped_unseen.swap(0, Ordering::AcqRel));
        if self.losses.is_empty() || self.notes.fails() {
            return;
        }
        if let Some(record) = self.losses.take() {
            let encoded = self.encoder.record(&record);
            self.queue.room.take_anyway(encoded.len());
            self.keep(encoded, None, Source::Gap);
        }
    }

    /// Takes in the answer to the request in flight.
    fn settle(&mut self, answer: Answer) {
        let settled = self.outbox.answered(Instant::now(), answer.verdict, answer.after);
        self.notes.answered(&answer, &self.outbox, &self.shared);
        match settled {
            Settled::None => {}
            Settled::Acknowledged(records) => {
                let rejected =
                    usize::try_from(answer.partial.rejected).unwrap_or(usize::MAX).min(records.len());
                let of_calls = records.iter().filter(|record| record.source == Source::Call).count();
                Shared::add(&self.shared.refused, rejected);
                Shared::add(&self.shared.acknowledged, of_calls.saturating_sub(rejected));
                self.losses.add_unseen(answer.partial.rejected.min(records.len() as u64));
                for record in &records {
                    self.settled(record);
                }
            }
            Settled::Lost(record) => {
                tracing::error!(
                    reason = answer.reason,
                    bytes = record.bytes.len(),
                    "spanledger.export.refused"
                );
                self.shared.set_error(Some(answer.reason));
                Shared::add(&self.shared.refused, 1);
                // A gap event that is refused must not lead to the next one.
                self.losses.add_unseen(u64::from(record.source != Source::Gap));
                self.settled(&record);
            }
        }
    }

    fn settled(&mut self, record: &Pending) {
        self.queue.room.give_back(record.bytes.len());
        self.journal.settle(record);
        for flush in &mut self.flushes {
            if let FlushProgress::Records { before, unsettled } = &mut flush.progress
                && record.number < *before
            {
                *unsettled = unsettled.saturating_sub(1);
            }
        }
    }

    fn begin_flush(&mut self, FlushCommand { deadline, reply }: FlushCommand) {
        let now = Instant::now();
        let deadline = Instant::from_std(deadline);
        // Half of the time at least is for the records.
        let grace = deadline.saturating_duration_since(now) / 2;
        let progress = FlushProgress::Calls {
            until: now + grace.min(IN_FLIGHT_WAIT_MAX),
            quiet_until: now + grace.min(IN_FLIGHT_QUIET),
            in_flight: self.calls_in_flight(),
        };
        self.flushes.push(Flush { deadline, progress, reply });
    }

    fn calls_in_flight(&self) -> usize {
        self.shared.calls_in_flight.load(Ordering::Acquire)
    }

    /// Continues the flushes that wait, and replies to those that are done.
    fn serve_flushes(&mut self) {
        if self.flushes.is_empty() {
            return;
        }
        let now = Instant::now();
        let calls = self.calls_in_flight();
        let mut waiting = Vec::new();
        for mut flush in std::mem::take(&mut self.flushes) {
            if let FlushProgress::Calls { until, quiet_until, in_flight } = &mut flush.progress {
                if calls < *in_flight {
                    *quiet_until = now + IN_FLIGHT_QUIET;
                }
                *in_flight = calls;
                if calls == 0 || now >= *until || now >= *quiet_until {
                    // The records of all calls that have ended are in the queue.
                    while !self.queue.channel.is_empty() {
                        self.take_queued();
                    }
                    self.note_losses();
                    self.outbox.attempt_now(now);
                    let before = self.numbered;
                    let unsettled = self.outbox.unsettled_before(before) + self.journal.on_disk();
                    flush.progress = FlushProgress::Records { before, unsettled };
                }
            }
            match flush.progress {
                FlushProgress::Records { unsettled: 0, .. } => (flush.reply)(0),
                FlushProgress::Records { unsettled, .. } if now >= flush.deadline => {
                    let of_calls = unsettled.saturating_sub(self.outbox.gaps());
                    (flush.reply)(u64::try_from(of_calls).unwrap_or(u64::MAX));
                }
                _ => waiting.push(flush),
            }
        }
        self.flushes = waiting;
    }

    /// When a flush needs attention.
    fn flush_due(&self) -> Option<Instant> {
        let due = |flush: &Flush| match flush.progress {
            FlushProgress::Calls { until, .. } => until.min(Instant::now() + IN_FLIGHT_POLL),
            FlushProgress::Records { .. } => flush.deadline,
        };
        self.flushes.iter().map(due).min()
    }

    fn end_flushes(&mut self) {
        // A flush that was asked for at the last moment.
        while let Ok(command) = self.commands.try_recv() {
            self.begin_flush(command);
        }
        for flush in self.flushes.drain(..) {
            (flush.reply)(0);
        }
    }
}

async fn sleep_until_some(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

//! The queue between the threads that make calls and the thread that sends their records.
//!
//! A sender takes no shared lock. It makes no system call either, except when it wakes the exporter's thread:
//! the thread waits for the first record of a batch, and then sleeps for a while in which further records wake
//! nothing.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use spanledger_otlp::record::{self, LogRecord};
use tokio::sync::{mpsc, oneshot};

/// A value of which the exporter's thread makes a record. What takes time, such as reading the usage, pricing
/// and encoding, happens in [`into_record`](Self::into_record), on that thread.
pub(crate) trait ToRecord: Send {
    /// About how many bytes the value takes in memory. The sum over the queue is bounded.
    fn queue_bytes(&self) -> usize;

    /// Makes the record.
    fn into_record(self: Box<Self>) -> LogRecord;

    /// Ends without a record, because the export is off or the queue is full. Whoever wants to know of the call is
    /// told all the same.
    fn abandon(self: Box<Self>) {}
}

impl ToRecord for LogRecord {
    fn queue_bytes(&self) -> usize {
        size_of::<Self>() + record::encoded_len(self)
    }

    fn into_record(self: Box<Self>) -> LogRecord {
        *self
    }
}

/// How many records for which there is no room are still given to the worker, which adds up what they cost.
const OVERFLOW_MAX: usize = 1_024;

/// The room of the queue: it is taken when a record is queued, and given back when the record is settled.
#[derive(Debug)]
pub(super) struct Room {
    records: AtomicUsize,
    bytes: AtomicUsize,
    records_max: usize,
    bytes_max: usize,
    /// Records in the queue for which there is no room.
    overflow: AtomicUsize,
    /// The worker sleeps until the next record.
    is_worker_asleep: AtomicBool,
}

impl Room {
    fn new(records_max: usize, bytes_max: usize) -> Self {
        Self {
            records: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            records_max,
            bytes_max,
            overflow: AtomicUsize::new(0),
            is_worker_asleep: AtomicBool::new(false),
        }
    }

    /// Notes whether the worker sleeps until the next record.
    pub(super) fn set_asleep(&self, is_asleep: bool) {
        self.is_worker_asleep.store(is_asleep, Ordering::Release);
    }

    /// Takes room for a record; false if there is none. A queue without records takes any record.
    fn take(&self, bytes: usize) -> bool {
        let records = self.records.fetch_add(1, Ordering::AcqRel);
        let before = self.bytes.fetch_add(bytes, Ordering::AcqRel);
        let has_room = records < self.records_max && before.saturating_add(bytes) <= self.bytes_max;
        if has_room || records == 0 {
            return true;
        }
        self.give_back(bytes);
        false
    }

    /// Takes room that is not limited: for what is read from disk, and what cannot be there.
    pub(super) fn take_anyway(&self, bytes: usize) {
        self.records.fetch_add(1, Ordering::AcqRel);
        self.bytes.fetch_add(bytes, Ordering::AcqRel);
    }

    /// How many records, and how many bytes, are left of the half of the room. The other half is for new records.
    pub(super) fn left_of_half(&self) -> (usize, usize) {
        let records = (self.records_max / 2).saturating_sub(self.records.load(Ordering::Acquire));
        let bytes = (self.bytes_max / 2).saturating_sub(self.bytes.load(Ordering::Acquire));
        (records, bytes)
    }

    /// Whether half of the room is taken.
    pub(super) fn is_half_full(&self) -> bool {
        let (records, bytes) = self.left_of_half();
        records == 0 || bytes == 0
    }

    fn take_overflow(&self) -> bool {
        let has_room = self.overflow.fetch_add(1, Ordering::AcqRel) < OVERFLOW_MAX;
        if !has_room {
            self.give_back_overflow();
        }
        has_room
    }

    /// Notes that the worker has taken a record for which there was no room.
    pub(super) fn give_back_overflow(&self) {
        self.overflow.fetch_sub(1, Ordering::AcqRel);
    }

    /// Gives back the room of a settled record.
    pub(super) fn give_back(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::AcqRel);
        self.records.fetch_sub(1, Ordering::AcqRel);
    }

    /// Changes the room that a record takes, because it was encoded.
    pub(super) fn resize(&self, from: usize, to: usize) {
        self.bytes.fetch_add(to, Ordering::AcqRel);
        self.bytes.fetch_sub(from, Ordering::AcqRel);
    }
}

/// A value in the queue.
pub(super) struct Queued {
    pub(super) value: Box<dyn ToRecord>,
    pub(super) purpose: Purpose,
}

/// What the worker does with a value.
pub(super) enum Purpose {
    /// It is sent. It takes this room, and ends this intent.
    Send { bytes: usize, ends: Option<Intent> },
    /// It is kept on disk until its call has ended. The sender is told when it is there.
    KeepIntent { intent: Intent, noted: oneshot::Sender<()> },
    /// It is lost, because there is no room for it. The worker adds up what it cost, and ends this intent.
    CountLoss { ends: Option<Intent> },
    /// Its call is counted as lost already. Only this intent ends.
    EndIntent(Intent),
}

/// The number of a call that was noted on disk before it was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Intent(pub(super) u64);

/// The sender's end of the queue.
#[derive(Clone, Debug)]
pub(super) struct QueueSender {
    channel: mpsc::UnboundedSender<Queued>,
    room: Arc<Room>,
}

/// The worker's end of the queue.
#[derive(Debug)]
pub(super) struct QueueReceiver {
    pub(super) channel: mpsc::UnboundedReceiver<Queued>,
    pub(super) room: Arc<Room>,
}

/// Creates a queue that holds at most this number of records and this number of bytes.
pub(super) fn queue(records_max: usize, bytes_max: usize) -> (QueueSender, QueueReceiver) {
    let room = Arc::new(Room::new(records_max, bytes_max));
    let (sender, receiver) = mpsc::unbounded_channel();
    let sender = QueueSender { channel: sender, room: Arc::clone(&room) };
    (sender, QueueReceiver { channel: receiver, room })
}

impl QueueSender {
    /// Whether the next record wakes the worker, which is true for one record of a batch.
    pub(super) fn wakes_worker(&self) -> bool {
        let is_asleep = &self.room.is_worker_asleep;
        is_asleep.load(Ordering::Relaxed) && is_asleep.swap(false, Ordering::AcqRel)
    }

    #[cfg(test)]
    pub(super) fn mark_asleep(&self) {
        self.room.set_asleep(true);
    }

    /// Queues a value, or returns it if the queue is full or the worker has ended.
    pub(super) fn push(
        &self,
        value: Box<dyn ToRecord>,
        ends: Option<Intent>,
    ) -> Result<(), Box<dyn ToRecord>> {
        let bytes = value.queue_bytes();
        if !self.room.take(bytes) {
            return Err(value);
        }
        self.send(value, Purpose::Send { bytes, ends })
    }

    /// Queues the intent of a call. The receiver is told when the disk has it. It is small and waits for nothing but the disk, so that it needs no room.
    pub(super) fn push_intent(&self, value: Box<dyn ToRecord>, intent: Intent) -> oneshot::Receiver<()> {
        let (noted, receiver) = oneshot::channel();
        // If the worker has ended, the sender is dropped, and the caller goes on.
        drop(self.send(value, Purpose::KeepIntent { intent, noted }));
        receiver
    }

    /// Gives a value for which there is no room to the worker, which counts it as lost with its cost. Returns it if
    /// the worker cannot keep up.
    pub(super) fn push_loss(
        &self,
        value: Box<dyn ToRecord>,
        ends: Option<Intent>,
    ) -> Result<(), Box<dyn ToRecord>> {
        if !self.room.take_overflow() {
            return Err(value);
        }
        self.send(value, Purpose::CountLoss { ends })
    }

    /// Ends the intent of a call that is counted as lost.
    pub(super) fn end_intent(&self, intent: Intent) {
        // If the worker has ended, the next start tells of the call.
        drop(self.send(Box::new(LogRecord::default()), Purpose::EndIntent(intent)));
    }

    fn send(&self, value: Box<dyn ToRecord>, purpose: Purpose) -> Result<(), Box<dyn ToRecord>> {
        let sent = self.channel.send(Queued { value, purpose });
        sent.map_err(|mpsc::error::SendError(queued)| queued.value)
    }
}

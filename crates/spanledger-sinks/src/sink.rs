//! The contract of sinks.

use std::{fmt, pin::Pin};

use crate::{Batch, BatchShape, Fault, Written};

/// A destination of events.
///
/// # Contract
///
/// **Identity.** Each [batch](Batch) has an [identity](crate::BatchId) that is stored before the batch is sent
/// for the first time. After a fault, a crash or a restart the same events are sent under the same identity,
/// until they are acknowledged.
///
/// **Order of calls.** [`open`](Self::open) comes first. Then batches are [written](Self::write) in the order of
/// their positions, as many as the [shape](Self::shape) allows, and [committed](Self::commit) together. After a
/// fault the destination is opened again, and all batches that were not committed are written again. No
/// two calls run at the same time.
///
/// **Durability.** After `commit` every event that was written and not rejected survives a crash of the
/// destination. Only then does the sink's cursor move in the ledger.
///
/// **Repeated events.** A destination that can merge rows keeps the greatest `revision` of each `event_id`. A
/// destination that can only append stores both columns, so that a reader can do the same. A destination that
/// can store the position of the last batch in the same transaction returns it from `open`: batches up to
/// that position are not sent again.
///
/// **Revisions.** A later revision replaces an earlier one, also if its state is `void`: the destination then
/// stops counting the event. An older revision never replaces a newer one, in whatever order they arrive.
///
/// **Partial failure.** If the destination names the events that it refuses, `write` returns them in
/// [`Written::rejected`], and delivers the others. If it only says that something is wrong with the batch,
/// `write` returns [`Fault::Rejected`], and none of its events counts as written.
///
/// **Faults.** [`Fault`] says what each of them means. A wrong password or a missing table is
/// [`Fault::Blocked`], never [`Fault::Rejected`]: otherwise the history would end in the dead letters.
///
/// **Cancellation.** Dropping a future means the same as [`Fault::Retry`].
///
/// **Time.** A call ends by itself if the destination does not answer; 30 seconds are usual. A destination that
/// is down never holds up the end of the program: `close` and all other calls are dropped at the deadline.
///
/// **Values.** Amounts, counts and times are stored exactly. A value that the destination cannot store exactly is a
/// rejection, never a rounding; if a type of the destination has fewer digits of a second, the README says so.
///
/// **Configuration.** The options are a struct that implements [`SinkConfig`](crate::SinkConfig), and the README
/// documents them.
///
/// **Telemetry.** Whoever runs the sink counts and logs its batches, rejections and faults. A sink logs nothing
/// itself.
///
/// The [conformance suite](crate::conformance) checks these rules.
pub trait Sink: Send + 'static {
    /// The batches that suit the destination.
    fn shape(&self) -> BatchShape {
        BatchShape::default()
    }

    /// Connects, and checks that the destination exists, has the right shape and can be written.
    ///
    /// For [`Purpose::Check`] nothing is changed at the destination.
    fn open(&mut self, opening: &Opening) -> impl Future<Output = Result<Opened, Fault>> + Send;

    /// Hands a batch to the destination. It need not be durable before `commit`.
    ///
    /// A batch has no events only if the destination keeps its position ([`Opened::cursor`]), which then moves.
    fn write(&mut self, batch: &Batch) -> impl Future<Output = Result<Written, Fault>> + Send;

    /// Makes all written batches durable.
    fn commit(&mut self) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Ends the connection in good order. Nothing that was not committed counts.
    fn close(&mut self) -> impl Future<Output = ()> + Send {
        std::future::ready(())
    }
}

/// Why a destination is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To find out whether it could be used. Nothing is changed.
    Check,
    /// To deliver events. What the configuration allows to create is created.
    Deliver,
}

/// Who opens a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The id of the ledger from which the batches come.
    pub ledger: String,
    /// The name of the sink, which is the name of its cursor. A replay has a name of its own.
    pub sink: String,
    /// Why the destination is opened.
    pub purpose: Purpose,
}

/// A destination that can be used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opened {
    /// The last position that this sink committed from this ledger, if the destination stores it together with
    /// the events; 0 if it stores positions and has none. `None` if it does not store them.
    pub cursor: Option<i64>,
    /// What an operator should know although the destination can be used, a sentence each.
    pub remarks: Vec<String>,
}

type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The contract with boxed futures, so that sinks of different types can be kept together.
trait ErasedSink: Send {
    fn shape(&self) -> BatchShape;
    fn open<'a>(&'a mut self, opening: &'a Opening) -> Answer<'a, Result<Opened, Fault>>;
    fn write<'a>(&'a mut self, batch: &'a Batch) -> Answer<'a, Result<Written, Fault>>;
    fn commit(&mut self) -> Answer<'_, Result<(), Fault>>;
    fn close(&mut self) -> Answer<'_, ()>;
}

impl<S: Sink> ErasedSink for S {
    fn shape(&self) -> BatchShape {
        Sink::shape(self)
    }

    fn open<'a>(&'a mut self, opening: &'a Opening) -> Answer<'a, Result<Opened, Fault>> {
        Box::pin(Sink::open(self, opening))
    }

    fn write<'a>(&'a mut self, batch: &'a Batch) -> Answer<'a, Result<Written, Fault>> {
        Box::pin(Sink::write(self, batch))
    }

    fn commit(&mut self) -> Answer<'_, Result<(), Fault>> {
        Box::pin(Sink::commit(self))
    }

    fn close(&mut self) -> Answer<'_, ()> {
        Box::pin(Sink::close(self))
    }
}

/// A sink of any type.
pub struct BoxSink(Box<dyn ErasedSink>);

impl BoxSink {
    /// Hides the type of a sink.
    pub fn new(sink: impl Sink) -> Self {
        Self(Box::new(sink))
    }

    /// See [`Sink::shape`].
    pub fn shape(&self) -> BatchShape {
        self.0.shape()
    }

    /// See [`Sink::open`].
    pub async fn open(&mut self, opening: &Opening) -> Result<Opened, Fault> {
        self.0.open(opening).await
    }

    /// See [`Sink::write`].
    pub async fn write(&mut self, batch: &Batch) -> Result<Written, Fault> {
        self.0.write(batch).await
    }

    /// See [`Sink::commit`].
    pub async fn commit(&mut self) -> Result<(), Fault> {
        self.0.commit().await
    }

    /// See [`Sink::close`].
    pub async fn close(&mut self) {
        self.0.close().await;
    }
}

impl fmt::Debug for BoxSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BoxSink").finish_non_exhaustive()
    }
}

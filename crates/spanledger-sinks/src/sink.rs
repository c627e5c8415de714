//! The contract of sinks.

use std::{fmt, pin::Pin, sync::Arc};

use spanledger_event::CostEvent;

/// Events in the order of their changes. They are shared, because a retry delivers the same events.
pub type Batch = Arc<[CostEvent]>;

/// The future of a delivery.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = DeliveryOutcome> + Send + 'a>>;

/// The outcome of the delivery of a batch.
///
/// The enum is exhaustive, because a caller must decide for each outcome whether the cursor moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Every event of the batch is durable at the destination.
    Delivered,
    /// The batch is not durable, or the sink does not know whether it is; the same batch may succeed later.
    Retry {
        /// What happened, for the operator.
        reason: String,
    },
    /// The destination refuses the batch because of an event in it; the same batch will never succeed.
    /// The caller splits the batch to find that event.
    Reject {
        /// The error of the destination.
        reason: String,
    },
}

/// A destination of events.
///
/// # Contract
///
/// * **One at a time.** `deliver` is never called while an earlier delivery runs.
/// * **Delivered means durable.** The caller then moves the cursor and does not send the batch again.
/// * **Repeated events can be recognized.** After `Retry`, or a crash, the same events are delivered again.
///   A sink that can merge keeps the greatest `revision` of each `event_id`. A sink that can only append
///   writes both columns, so that a reader can do the same.
/// * **Order.** Events are written in the order of the batch.
/// * **All or nothing.** After `Reject` no event of the batch counts as delivered.
/// * **Cancel-safe.** Dropping the future has the same meaning as `Retry`.
/// * **Events are not changed.** Columns, amounts and times are written as they are, unless the
///   configuration leaves columns out. An event whose state is `void` is delivered too: the destination
///   then stops counting an earlier revision, if it has one.
/// * **A stop has a deadline.** A blocked write may occupy a thread of the runtime's pool for blocking
///   work; after the deadline the program ends without waiting for it.
pub trait Sink: Send {
    /// The name of the sink's cursor. It is unique in a configuration and must not change over time.
    fn name(&self) -> &str;

    /// Makes a batch durable.
    fn deliver(&mut self, batch: Batch) -> Delivery<'_>;
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sink").field(&self.name()).finish()
    }
}

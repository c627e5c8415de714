//! The contract.

use std::{fmt, pin::Pin, sync::Arc};

use spanledger_event::CostEvent;

/// Events in the order of their changes. They are shared, because a retry delivers the same events.
pub type Batch = Arc<[CostEvent]>;

/// A delivery that is under way.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = DeliveryOutcome> + Send + 'a>>;

/// What became of a batch.
///
/// The set is closed: a caller must decide for each outcome whether the cursor moves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Every event of the batch is durable at the destination.
    Delivered,
    /// The batch is not durable, or the sink cannot know; the same batch may succeed later.
    Retry {
        /// What happened, for the operator.
        reason: String,
    },
    /// The destination refuses the batch because of an event in it; the same batch will never succeed.
    /// The caller splits the batch to find that event.
    Reject {
        /// What the destination said.
        reason: String,
    },
}

/// A destination of events.
///
/// # Contract
///
/// * **One at a time.** `deliver` is never called while an earlier delivery runs.
/// * **Delivered means durable.** The caller then moves the cursor and does not send the batch again.
/// * **A repetition is harmless or visible.** After `Retry`, or a crash, the same events come again. A
///   sink that can merge keeps, for each `event_id`, the greatest `revision`; one that can only
///   append writes both columns, so that its reader can.
/// * **In order.** Events are written in the order of the batch.
/// * **Whole or not.** After `Reject` nothing of the batch counts as delivered.
/// * **Cancel-safe.** Dropping the future is like `Retry`.
/// * **Nothing is changed.** Columns, amounts and times arrive as they are, unless the configuration
///   leaves columns out. An event whose state is `void` is delivered too: it tells the destination to
///   stop counting an earlier revision.
/// * **A stop does not wait for ever.** A write that is blocked may hold a thread of the runtime's pool
///   for blocking work; the program ends without it after a deadline.
pub trait Sink: Send {
    /// The name under which its cursor is kept: unique in one configuration, stable over time.
    fn name(&self) -> &str;

    /// Makes a batch durable.
    fn deliver(&mut self, batch: Batch) -> Delivery<'_>;
}

impl fmt::Debug for dyn Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Sink").field(&self.name()).finish()
    }
}

//! The contract.

use std::{pin::Pin, sync::Arc};

use spanledger_event::CostEvent;

/// Events in the order of their changes; shared, because a retry delivers the same ones.
pub type Batch = Arc<[CostEvent]>;

/// The answer to a delivery, in the making.
pub type Delivery<'a> = Pin<Box<dyn Future<Output = DeliveryOutcome> + Send + 'a>>;

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// Every event of it is durable at the destination.
    Delivered,
    /// It is not, or that is not known; the same batch may succeed later.
    Retry {
        /// What happened, for the operator.
        reason: String,
    },
    /// The destination refuses it for what it contains; the same batch will never succeed. The
    /// caller splits it to find the event that is refused.
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
/// * **Delivered means durable.** The caller moves the cursor on it, and does not send again.
/// * **Again is harmless, or visible.** After `Retry`, or a crash, the same events come again. A
///   sink that can merge keeps, for each `event_id`, the greatest `revision`; one that can only
///   append writes both columns, so that its reader can.
/// * **In order.** Events are written in the order of the batch.
/// * **Whole or not.** After `Reject` nothing of the batch counts as delivered.
/// * **Cancel-safe.** Dropping the future is like `Retry`.
/// * **Nothing is changed.** Columns, amounts and times arrive as they are; a state of `void` is
///   an event too, and tells the destination to stop counting an earlier revision.
pub trait Sink: Send {
    /// The name under which its cursor is kept: unique in one configuration, stable over time.
    fn name(&self) -> &str;

    /// Makes a batch durable.
    fn deliver(&mut self, batch: Batch) -> Delivery<'_>;
}

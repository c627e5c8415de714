//! Limits the memory that messages use.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::{Limits, Refusal};

#[cfg(test)]
mod tests;

/// The unit in which the budget is counted.
const UNIT_BYTES: usize = 4_096;
/// The smallest capacity to which a buffer grows, unless the limit is smaller.
const GROWTH_BYTES_MIN: usize = 64 * 1_024;

/// Limits the bytes of one message, and of all messages that are in memory at the same time.
///
/// Clones share one budget.
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    units: Arc<Semaphore>,
    message_bytes_max: usize,
}

impl Budget {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            units: Arc::new(Semaphore::new(limits.in_flight_bytes_max / UNIT_BYTES)),
            message_bytes_max: limits.body_bytes_max,
        }
    }

    /// The greatest size of one message in bytes.
    pub(crate) fn message_bytes_max(&self) -> usize {
        self.message_bytes_max
    }

    /// An empty buffer with room for `expected` bytes. The buffer may also hold `framing` bytes that are
    /// not part of the message, such as the prefix of gRPC.
    pub(crate) fn buffer(&self, expected: usize, framing: usize) -> Result<Buffer, Refusal> {
        let bytes_max = self.message_bytes_max.saturating_add(framing);
        if expected > bytes_max {
            return Err(self.too_large());
        }
        let permit = self.reserve(expected)?;
        Ok(Buffer { budget: self.clone(), bytes_max, bytes: Vec::with_capacity(expected), permit })
    }

    /// Reserves bytes. Never waits: a request that does not fit is refused immediately.
    fn reserve(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES)).unwrap_or(u32::MAX);
        Arc::clone(&self.units)
            .try_acquire_many_owned(units)
            .map_err(|_| Refusal::Busy("too many bytes are in flight"))
    }

    fn too_large(&self) -> Refusal {
        Refusal::TooLarge { limit: self.message_bytes_max }
    }

    /// The bytes that are not reserved, in whole units.
    #[cfg(test)]
    pub(crate) fn available(&self) -> usize {
        self.units.available_permits() * UNIT_BYTES
    }
}

/// A buffer that reserves more of the budget as it grows.
#[derive(Debug)]
pub(crate) struct Buffer {
    budget: Budget,
    bytes_max: usize,
    bytes: Vec<u8>,
    permit: OwnedSemaphorePermit,
}

impl Buffer {
    /// Appends bytes. Fails if they exceed the limit of a message or the budget.
    pub(crate) fn extend(&mut self, data: &[u8]) -> Result<(), Refusal> {
        let length = self.bytes.len() + data.len();
        if length > self.bytes_max {
            return Err(self.budget.too_large());
        }
        let capacity = self.bytes.capacity();
        if length > capacity {
            // Doubling keeps the number of copies small.
            let grown = length.max(capacity * 2).max(GROWTH_BYTES_MIN).min(self.bytes_max);
            self.permit.merge(self.budget.reserve(grown - capacity)?);
            self.bytes.reserve_exact(grown - self.bytes.len());
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Turns the buffer into shared bytes. Their part of the budget is released when the last clone or
    /// slice is dropped.
    pub(crate) fn freeze(self) -> Bytes {
        Bytes::from_owner(BudgetedBytes { bytes: self.bytes, _permit: self.permit })
    }
}

/// Bytes and the part of the budget that is reserved for them. Both are freed together.
#[derive(Debug)]
struct BudgetedBytes {
    bytes: Vec<u8>,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for BudgetedBytes {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

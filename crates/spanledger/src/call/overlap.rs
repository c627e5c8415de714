//! Tells equal calls that run at the same time from retries.
//!
//! A call that is made again under the same request id, after the first one has ended, is a retry: both are one
//! event. Equal calls that overlap in time are not retries, so each of them is an event of its own.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
};

use spanledger_event::fingerprint;

#[cfg(test)]
mod tests;

/// The number of tables. Calls with different request ids nearly never wait for each other.
const TABLES: usize = 16;

/// The calls with a request id that run now: for each, the numbers that are taken, as bits.
static RUNNING: LazyLock<[Mutex<HashMap<u128, u64>>; TABLES]> = LazyLock::new(Default::default);

/// The number of a call among the equal calls that run at the same time. It is given back at the drop.
#[derive(Debug, Default)]
pub(crate) struct Overlap {
    /// The key in the table and the number; `None` for a call whose request id is unique anyway.
    taken: Option<(u128, u32)>,
}

impl Overlap {
    /// Takes the lowest free number for a call with this request id and fingerprint.
    pub(crate) fn begin(request_id: Option<&str>, request: u128) -> Self {
        let Some(request_id) = request_id else { return Self::default() };
        let key = fingerprint(request_id, &request.to_be_bytes());
        let mut table = table(key);
        let numbers = table.entry(key).or_default();
        let number = numbers.trailing_ones();
        // More than 64 equal calls at once share the last number.
        let number = number.min(u64::BITS - 1);
        *numbers |= 1 << number;
        Self { taken: Some((key, number)) }
    }

    /// The fingerprint of the call's request, which differs for calls that run at the same time.
    pub(crate) fn fingerprint(&self, request: u128) -> u128 {
        match self.taken {
            Some((_, number)) if number > 0 => {
                fingerprint("overlap", &(request ^ u128::from(number)).to_be_bytes())
            }
            _ => request,
        }
    }
}

impl Drop for Overlap {
    fn drop(&mut self) {
        let Some((key, number)) = self.taken else { return };
        let mut table = table(key);
        if let Some(numbers) = table.get_mut(&key) {
            *numbers &= !(1 << number);
            if *numbers == 0 {
                table.remove(&key);
            }
        }
    }
}

fn table(key: u128) -> MutexGuard<'static, HashMap<u128, u64>> {
    // The remainder is less than the number of tables.
    let index = usize::try_from(key % TABLES as u128).unwrap_or_default();
    RUNNING[index].lock().unwrap_or_else(PoisonError::into_inner)
}

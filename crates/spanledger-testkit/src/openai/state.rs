//! The state of the provider: the script, the log of requests, the stored calls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderValue;

use crate::openai::received::Received;
use crate::openai::reply::Reply;

/// The most requests that the log keeps; the oldest are dropped first.
pub const REQUESTS_KEPT_MAX: usize = 10_000;

/// The most calls that can be fetched again; the oldest are dropped first.
pub const CALLS_STORED_MAX: usize = 10_000;

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) seed: u64,
    pub(crate) organization: HeaderValue,
    pub(crate) anonymous_allowed: bool,
    default_reply: Reply,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    script: VecDeque<Reply>,
    script_by_model: HashMap<String, VecDeque<Reply>>,
    requests: VecDeque<Received>,
    requests_total: u64,
    stored: HashMap<String, Bytes>,
    stored_order: VecDeque<String>,
}

impl State {
    pub(crate) fn new(
        seed: u64,
        organization: HeaderValue,
        anonymous_allowed: bool,
        default_reply: Reply,
        script: VecDeque<Reply>,
    ) -> Self {
        let memory = Mutex::new(Memory { script, ..Memory::default() });
        Self { seed, organization, anonymous_allowed, default_reply, memory }
    }

    /// Locks the memory. A panic under the lock fails the test that caused it; the
    /// state remains usable for other tests.
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn push(&self, reply: Reply) {
        self.memory().script.push_back(reply);
    }

    pub(crate) fn push_for(&self, model: String, reply: Reply) {
        self.memory().script_by_model.entry(model).or_default().push_back(reply);
    }

    pub(crate) fn scripted(&self) -> usize {
        let memory = self.memory();
        memory.script.len() + memory.script_by_model.values().map(VecDeque::len).sum::<usize>()
    }

    /// The reply to the next call of this model.
    pub(crate) fn next_reply(&self, model: &str) -> Reply {
        let mut memory = self.memory();
        let own = memory.script_by_model.get_mut(model).and_then(VecDeque::pop_front);
        own.or_else(|| memory.script.pop_front()).unwrap_or_else(|| self.default_reply.clone())
    }

    /// Logs a request and returns its number, from zero.
    pub(crate) fn record(&self, request: Received) -> u64 {
        let mut memory = self.memory();
        if memory.requests.len() == REQUESTS_KEPT_MAX {
            memory.requests.pop_front();
        }
        memory.requests.push_back(request);
        memory.requests_total += 1;
        memory.requests_total - 1
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.memory().requests.iter().cloned().collect()
    }

    /// Stores a call under the path at which it can be fetched.
    pub(crate) fn store(&self, path: String, object: Bytes) {
        let mut memory = self.memory();
        if memory.stored.insert(path.clone(), object).is_none() {
            memory.stored_order.push_back(path);
        }
        if memory.stored.len() > CALLS_STORED_MAX
            && let Some(oldest) = memory.stored_order.pop_front()
        {
            memory.stored.remove(&oldest);
        }
    }

    pub(crate) fn stored(&self, path: &str) -> Option<Bytes> {
        self.memory().stored.get(path).cloned()
    }
}

#[cfg(test)]
mod tests;

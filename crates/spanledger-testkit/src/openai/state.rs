//! The state of the provider: the script, the log of requests, the stored objects.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderValue;

use crate::openai::errors::ApiError;
use crate::openai::received::Received;
use crate::openai::reply::Reply;
use crate::openai::resources::Resource;

/// The most requests that the log keeps; the oldest are dropped first.
pub const REQUESTS_KEPT_MAX: usize = 10_000;

/// The most bytes of bodies that the log keeps, apart from the newest request. A service under load would otherwise
/// fill the memory with its prompts.
pub const REQUESTS_KEPT_BYTES_MAX: usize = 256 * 1_024 * 1_024;

/// The most calls and other objects that can be fetched again; the oldest are dropped first.
pub const CALLS_STORED_MAX: usize = 10_000;

/// Shared by all connections.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) seed: u64,
    pub(crate) organization: HeaderValue,
    pub(crate) anonymous_allowed: bool,
    /// The refusal of every request that has `stream_options`.
    pub(crate) stream_options_refusal: Option<ApiError>,
    default_reply: Reply,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    script: VecDeque<Reply>,
    script_by_model: HashMap<String, VecDeque<Reply>>,
    script_by_path: HashMap<String, VecDeque<Reply>>,
    requests: VecDeque<Received>,
    requests_total: u64,
    requests_bytes: usize,
    stored: HashMap<String, Resource>,
    stored_order: VecDeque<String>,
}

impl State {
    pub(crate) fn new(
        seed: u64,
        organization: HeaderValue,
        anonymous_allowed: bool,
        stream_options_refusal: Option<ApiError>,
        default_reply: Reply,
        script: VecDeque<Reply>,
    ) -> Self {
        let memory = Mutex::new(Memory { script, ..Memory::default() });
        Self { seed, organization, anonymous_allowed, stream_options_refusal, default_reply, memory }
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

    pub(crate) fn push_for_path(&self, path: String, reply: Reply) {
        self.memory().script_by_path.entry(path).or_default().push_back(reply);
    }

    pub(crate) fn scripted(&self) -> usize {
        let memory = self.memory();
        let rest = memory.script_by_model.values().chain(memory.script_by_path.values());
        memory.script.len() + rest.map(VecDeque::len).sum::<usize>()
    }

    /// The reply to the next call of this model.
    pub(crate) fn next_reply(&self, model: &str) -> Reply {
        let mut memory = self.memory();
        let own = memory.script_by_model.get_mut(model).and_then(VecDeque::pop_front);
        own.or_else(|| memory.script.pop_front()).unwrap_or_else(|| self.default_reply.clone())
    }

    /// The next reply that was scripted for this path.
    pub(crate) fn next_reply_for_path(&self, path: &str) -> Option<Reply> {
        self.memory().script_by_path.get_mut(path)?.pop_front()
    }

    /// Logs a request and returns its number, from zero.
    pub(crate) fn record(&self, request: Received) -> u64 {
        let mut memory = self.memory();
        memory.requests_bytes += request.body.len();
        while memory.requests.len() == REQUESTS_KEPT_MAX || memory.requests_bytes > REQUESTS_KEPT_BYTES_MAX {
            let Some(oldest) = memory.requests.pop_front() else { break };
            memory.requests_bytes -= oldest.body.len();
        }
        memory.requests.push_back(request);
        memory.requests_total += 1;
        memory.requests_total - 1
    }

    pub(crate) fn requests(&self) -> Vec<Received> {
        self.memory().requests.iter().cloned().collect()
    }

    /// Stores an object under the path at which it can be fetched.
    pub(crate) fn store(&self, path: String, resource: Resource) {
        let mut memory = self.memory();
        if memory.stored.insert(path.clone(), resource).is_none() {
            memory.stored_order.push_back(path);
        }
        if memory.stored.len() > CALLS_STORED_MAX
            && let Some(oldest) = memory.stored_order.pop_front()
        {
            memory.stored.remove(&oldest);
        }
    }

    /// Reads an object; a job moves forward.
    pub(crate) fn read(&self, path: &str) -> Option<Bytes> {
        self.edit(path, |resource| {
            if let Some(next) = resource.next.pop_front() {
                resource.object = next;
            }
        })
    }

    /// Reads an object; a job stays as it is.
    pub(crate) fn peek(&self, path: &str) -> Option<Bytes> {
        self.edit(path, |_| {})
    }

    /// Changes an object and returns it.
    pub(crate) fn edit(&self, path: &str, change: impl FnOnce(&mut Resource)) -> Option<Bytes> {
        let mut memory = self.memory();
        let resource = memory.stored.get_mut(path)?;
        change(resource);
        Some(resource.object.clone())
    }

    /// The content of a stored file.
    pub(crate) fn content(&self, path: &str) -> Option<Bytes> {
        Some(self.memory().stored.get(path)?.content.clone())
    }

    /// Deletes an object and returns it.
    pub(crate) fn delete(&self, path: &str) -> Option<Bytes> {
        let mut memory = self.memory();
        let resource = memory.stored.remove(path)?;
        memory.stored_order.retain(|stored| stored != path);
        Some(resource.object)
    }

    /// The objects directly below this path, oldest first.
    pub(crate) fn list(&self, collection: &str) -> Vec<Bytes> {
        let memory = self.memory();
        let below = |path: &&String| {
            path.strip_prefix(collection)
                .and_then(|rest| rest.strip_prefix('/'))
                .is_some_and(|id| !id.contains('/'))
        };
        let paths = memory.stored_order.iter().filter(below);
        paths.filter_map(|path| Some(memory.stored.get(path)?.object.clone())).collect()
    }
}

#[cfg(test)]
mod tests;

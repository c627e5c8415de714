//! Deterministic identities.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::Timestamp;

#[cfg(test)]
mod tests;

/// The identity of one logical request, in the form of a UUID.
///
/// It is computed from the request and never random: a repeated sighting of a call has the same id, so
/// that a replay changes nothing at any sink. Where a time is known, the first 48 bits are its
/// milliseconds, so that ids of one day are adjacent in an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(String);

impl EventId {
    /// The id of a record of the crate `spanledger`, from the request id and the [`fingerprint`] of the
    /// request.
    ///
    /// A request that is sent again under the same request id is the same event. Different requests under
    /// one request id are different events.
    pub fn of_request(request_id: &str, fingerprint: u128) -> Self {
        let mut hasher = Xxh3::new();
        hasher.update(b"spanledger.request\0");
        hasher.update(request_id.as_bytes());
        hasher.update(&fingerprint.to_be_bytes());
        // A UUIDv7 contains the time of the first attempt, which is the same in every retry.
        let millis = Uuid::try_parse(request_id)
            .ok()
            .filter(|id| id.get_version_num() == 7)
            .map(|id| (id.as_u128() >> 80) as u64);
        Self::build(millis, hasher.digest128())
    }

    /// The id of a span of another emitter, from the span's identity and its start.
    pub fn of_span(trace_id: &str, span_id: &str, start: Timestamp) -> Self {
        let digest = xxh3_128(format!("spanledger.span\0{trace_id}\0{span_id}").as_bytes());
        Self::build(u64::try_from(start.millis()).ok(), digest)
    }

    /// The id of a job that the provider works on after it has answered, from the provider's own id of it. Every
    /// process that sees the job computes the same id. `part` is a part of the job with a cost of its own, such
    /// as a request of a batch; it is empty for the job itself.
    pub fn of_job(namespace: &str, job_id: &str, part: &str) -> Self {
        Self::build(None, xxh3_128(format!("spanledger.job\0{namespace}\0{job_id}\0{part}").as_bytes()))
    }

    /// The id of one call under an event id that more observations state than a request can have. It keeps
    /// the time at the beginning of the event id.
    pub fn of_reused(event_id: &Self, call_id: &str) -> Self {
        let mut hasher = Xxh3::new();
        hasher.update(b"spanledger.reused\0");
        hasher.update(event_id.0.as_bytes());
        hasher.update(b"\0");
        hasher.update(call_id.as_bytes());
        let millis = Uuid::try_parse(&event_id.0).ok().map(|id| (id.as_u128() >> 80) as u64);
        Self::build(millis, hasher.digest128())
    }

    fn build(millis: Option<u64>, digest: u128) -> Self {
        let bits = match millis {
            Some(millis) => (u128::from(millis) << 80) | (digest >> 48),
            None => digest,
        };
        // RFC 9562, section 5.8: version 8 is for custom layouts.
        Self(Uuid::new_v8(bits.to_be_bytes()).to_string())
    }

    /// Wraps an id that was computed before, such as one that was stored or sent. The text is not checked.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id's text, to shorten it.
    pub(crate) fn text_mut(&mut self) -> &mut String {
        &mut self.0
    }

    /// The id's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The fingerprint of a request: a 128-bit XXH3 hash of the endpoint's path and the body.
pub fn fingerprint(path: &str, body: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(path.as_bytes());
    hasher.update(b"\0");
    hasher.update(body);
    hasher.digest128()
}

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
/// It is computed from the request, never random: the same call seen again has the same id, so that a
/// replay changes nothing at any sink. Where a time is known, the first 48 bits are its milliseconds,
/// so that ids of one day lie together in an index.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(String);

impl EventId {
    /// For the project's own records: from the request id and the [`fingerprint`] of the request.
    ///
    /// The same request sent again under the same id is the same event; one id reused for ten
    /// different requests makes ten.
    pub fn of_request(request_id: &str, fingerprint: u128) -> Self {
        let mut hasher = Xxh3::new();
        hasher.update(b"spanledger.request\0");
        hasher.update(request_id.as_bytes());
        hasher.update(&fingerprint.to_be_bytes());
        // A UUIDv7 carries the time of the first attempt, the same in every retry.
        let millis = Uuid::try_parse(request_id)
            .ok()
            .filter(|id| id.get_version_num() == 7)
            .map(|id| (id.as_u128() >> 80) as u64);
        Self::build(millis, hasher.digest128())
    }

    /// For spans of other emitters: from the span's identity and its start.
    pub fn of_span(trace_id: &str, span_id: &str, start: Timestamp) -> Self {
        let digest = xxh3_128(format!("spanledger.span\0{trace_id}\0{span_id}").as_bytes());
        Self::build(u64::try_from(start.millis()).ok(), digest)
    }

    fn build(millis: Option<u64>, digest: u128) -> Self {
        let bits = match millis {
            Some(millis) => (u128::from(millis) << 80) | (digest >> 48),
            None => digest,
        };
        // RFC 9562, section 5.8: version 8 is for layouts of one's own.
        Self(Uuid::new_v8(bits.to_be_bytes()).to_string())
    }

    /// Takes an id that another part of the project derived.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
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

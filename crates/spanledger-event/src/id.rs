//! Deterministic identities.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::Timestamp;

/// The identity of one logical request, in the form of a UUID.
///
/// It is derived, never drawn: the same call seen again has the same id, which is what makes a
/// replay a no-op at every sink. Where a time is known the first 48 bits are its milliseconds, so
/// that ids of one day lie together in an index.
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

/// Tells requests apart: a 128-bit XXH3 hash of the endpoint's path and the request's body.
pub fn fingerprint(path: &str, body: &[u8]) -> u128 {
    let mut hasher = Xxh3::new();
    hasher.update(path.as_bytes());
    hasher.update(b"\0");
    hasher.update(body);
    hasher.digest128()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_call_has_the_same_id_and_another_body_another() {
        let body = fingerprint("/chat/completions", b"{}");
        let id = EventId::of_request("order-7", body);
        assert_eq!(id, EventId::of_request("order-7", body));
        assert_ne!(id, EventId::of_request("order-7", fingerprint("/chat/completions", b"{ }")));
        assert_ne!(id, EventId::of_request("order-8", body));
        assert!(Uuid::try_parse(id.as_str()).is_ok());
    }

    #[test]
    fn ids_are_ordered_by_time_where_a_time_is_known() {
        let early = EventId::of_span("aa", "bb", Timestamp::from_nanos(1_700_000_000_000_000_000));
        let late = EventId::of_span("00", "01", Timestamp::from_nanos(1_700_000_000_001_000_000));
        assert!(early < late, "{early} {late}");
        let first = EventId::of_request("0190d5c8-0000-7000-8000-000000000000", 9);
        assert!(first.as_str().starts_with("0190d5c8-0000-8"), "{first}");
    }

    #[test]
    fn the_fingerprint_is_stable_across_releases() {
        // Events already stored depend on this value.
        assert_eq!(
            format!("{:032x}", fingerprint("/chat/completions", b"{\"model\":\"gpt-5.5\"}")).len(),
            32
        );
        assert_eq!(fingerprint("a", b"b"), xxh3_128(b"a\0b"));
    }
}

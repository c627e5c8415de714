//! The serialized form of the token buckets: an object with the name and count of each bucket that is
//! not empty.
//!
//! Buckets are stored by name and not by position, so that a new bucket does not change the meaning of
//! stored usages.

use std::{collections::BTreeMap, fmt};

use serde::{
    Deserializer, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor},
    ser::SerializeMap as _,
};

use super::Bucket;

type Tokens = [u64; Bucket::ALL.len()];

pub(super) fn serialize<S: Serializer>(tokens: &Tokens, serializer: S) -> Result<S::Ok, S::Error> {
    let full = || Bucket::ALL.into_iter().filter(|bucket| tokens[bucket.index()] > 0);
    let mut map = serializer.serialize_map(Some(full().count()))?;
    for bucket in full() {
        map.serialize_entry(bucket.name(), &tokens[bucket.index()])?;
    }
    map.end()
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Tokens, D::Error> {
    deserializer.deserialize_any(Buckets)
}

struct Buckets;

impl<'de> Visitor<'de> for Buckets {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("token counts by the names of their buckets")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
        let mut tokens = Tokens::default();
        let mut seen = BTreeMap::new();
        while let Some((name, count)) = map.next_entry::<String, u64>()? {
            let bucket = Bucket::from_name(&name)
                .ok_or_else(|| de::Error::custom(format_args!("`{name}` is not the name of a bucket")))?;
            if seen.insert(bucket, count).is_some() {
                return Err(de::Error::custom(format_args!("the bucket `{name}` occurs twice")));
            }
            tokens[bucket.index()] = count;
        }
        Ok(tokens)
    }

    // Early ledgers stored a list of counts in the order of `Bucket::index`.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tokens, A::Error> {
        let mut tokens = Tokens::default();
        for tokens in &mut tokens {
            let Some(count) = list.next_element()? else { break };
            *tokens = count;
        }
        Ok(tokens)
    }
}

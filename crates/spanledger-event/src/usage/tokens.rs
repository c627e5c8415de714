//! The buckets on disk: an object with the names of those that are not empty.
//!
//! It has names rather than places, so that a new bucket does not change what was written before.

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
                return Err(de::Error::custom(format_args!("the bucket `{name}` stands twice")));
            }
            tokens[bucket.index()] = count;
        }
        Ok(tokens)
    }

    // The first ledgers have a list of counts, in the order of the buckets' places.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Tokens, A::Error> {
        let mut tokens = Tokens::default();
        for place in &mut tokens {
            let Some(count) = list.next_element()? else { break };
            *place = count;
        }
        Ok(tokens)
    }
}

//! The counts that an emitter did not state.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq as _};

/// The parts of a [`Usage`](super::Usage) that its emitter did not state.
///
/// Such a part is zero in the buckets, because its tokens are in the bucket of the whole: unstated cached
/// tokens are counted as ordinary input, unstated reasoning tokens as visible output. The totals are right
/// all the same. The cost may not be, because a part can have a rate of its own.
///
/// By default everything is stated, as it is in usages that were stored before this type existed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unstated {
    /// Input read from a cache.
    pub cached: bool,
    /// Input written to a cache.
    pub cache_write: bool,
    /// Hidden output.
    pub reasoning: bool,
}

impl Unstated {
    /// Every part is stated.
    pub const NONE: Self = Self { cached: false, cache_write: false, reasoning: false };
    /// No part is stated.
    pub const ALL: Self = Self { cached: true, cache_write: true, reasoning: true };

    /// Whether every part is stated.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
    pub(super) fn is_none(&self) -> bool {
        *self == Self::NONE
    }

    /// The parts that are unstated in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            cached: self.cached && other.cached,
            cache_write: self.cache_write && other.cache_write,
            reasoning: self.reasoning && other.reasoning,
        }
    }

    /// The parts in their order, with the names by which they are stored.
    fn parts(&mut self) -> [(&'static str, &mut bool); 3] {
        [
            ("cached", &mut self.cached),
            ("cache_write", &mut self.cache_write),
            ("reasoning", &mut self.reasoning),
        ]
    }
}

/// The list of the names.
impl Serialize for Unstated {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut unstated = *self;
        let mut list = serializer.serialize_seq(None)?;
        for (name, _) in unstated.parts().into_iter().filter(|(_, is_unstated)| **is_unstated) {
            list.serialize_element(name)?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Unstated {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut unstated = Self::NONE;
        for name in <Vec<String>>::deserialize(deserializer)? {
            match unstated.parts().into_iter().find(|(known, _)| *known == name) {
                Some((_, is_unstated)) => *is_unstated = true,
                None => return Err(de::Error::custom(format_args!("`{name}` is not a part of a usage"))),
            }
        }
        Ok(unstated)
    }
}

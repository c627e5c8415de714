//! The relations by which observations belong together.
//!
//! A store files each observation under its relations and answers which observations state one
//! ([`Journal`](crate::Journal)). Each relation has a limit: beyond it, it ties nothing together.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::{
    Observation, Role,
    limits::{CALL_LIMIT, EVENT_LIMIT, RESPONSE_LIMIT, TRACE_LIMIT},
};

#[cfg(test)]
mod tests;

/// What two observations can have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RelationKind {
    /// The event id: the observations are of one logical request.
    Event,
    /// The call id: they are sightings of one call.
    Call,
    /// The response's id, whoever gave it: they may be sightings of one response.
    Response,
    /// The trace. It ties its observations together if one of them is an aggregate.
    Trace,
    /// The trace of an aggregate. It tells whether a trace has an aggregate in it.
    Aggregate,
}

impl RelationKind {
    /// All kinds, in their order.
    pub const ALL: [Self; 5] = [Self::Event, Self::Call, Self::Response, Self::Trace, Self::Aggregate];

    /// How many distinct observations a relation of this kind ties together at most. A store has to find
    /// one more than that, so that it can be told whether a relation is over its limit.
    pub const fn limit(self) -> usize {
        match self {
            Self::Event => EVENT_LIMIT,
            Self::Call => CALL_LIMIT,
            Self::Response => RESPONSE_LIMIT,
            Self::Trace | Self::Aggregate => TRACE_LIMIT,
        }
    }
}

/// A value that observations can have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation<'a> {
    /// What the value is.
    pub kind: RelationKind,
    /// The value.
    pub value: &'a str,
}

impl Relation<'_> {
    /// A hash of the kind and the value, for a store's index. A seed that senders cannot know keeps them
    /// from making collisions.
    pub fn hash(&self, seed: u64) -> u64 {
        // Each kind has a seed of its own, so that one id in two roles has two hashes.
        xxh3_64_with_seed(self.value.as_bytes(), seed.wrapping_add(self.kind as u64))
    }
}

impl Observation {
    /// The relations under which a store files the observation, in the order of their kinds.
    pub fn relations(&self) -> impl Iterator<Item = Relation<'_>> {
        RelationKind::ALL.into_iter().filter_map(|kind| self.relation(kind))
    }

    /// The relation of this kind, if the observation states one.
    pub fn relation(&self, kind: RelationKind) -> Option<Relation<'_>> {
        let value = match kind {
            RelationKind::Event => self.event_id.as_str(),
            RelationKind::Call => &self.call_id,
            RelationKind::Response => &self.response.as_ref()?.id,
            RelationKind::Trace => self.trace_id.as_deref()?,
            RelationKind::Aggregate => self.trace_id.as_deref().filter(|_| self.role == Role::Aggregate)?,
        };
        Some(Relation { kind, value })
    }
}

//! The closure: which observations belong together with new ones.
//!
//! A store answers two questions ([`Journal`]); everything else about relations is decided here.

use std::sync::Arc;

use super::{Limits, component::Component, relation::Relation};
use crate::Observation;

mod closure;
#[cfg(test)]
mod tests;

use closure::{Closure, Verdict};

/// What a store of observations can be asked.
pub trait Journal {
    /// Why a question could not be answered.
    type Error;

    /// The numbers of stored observations that state the relation, at most `limit` of them.
    ///
    /// Other observations may be among them by mistake, as a store that files by hashes finds them: the
    /// closure checks what it loads. It loads nothing of a relation of which more are found than its limit.
    fn find(&mut self, relation: Relation<'_>, limit: usize) -> Result<Vec<u64>, Self::Error>;

    /// The observation with this number; `None` if it was pruned.
    fn load(&mut self, number: u64) -> Result<Option<Arc<Observation>>, Self::Error>;
}

/// Why a new observation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum RefusedReason {
    /// The call has as many distinct sightings as are kept.
    #[error("the call already has 32 different sightings: give each call an id of its own")]
    SightingsOfCall,
    /// The response was seen as often as is kept, and its charge is known.
    #[error("the response was already seen 256 times and its charge is known: this sighting adds nothing")]
    KnownResponse,
    /// The observation would tie too many others together.
    #[error(
        "the observation would tie more than 2,048 others together: ids of events, calls and responses must not form chains"
    )]
    ComponentFull,
}

impl RefusedReason {
    /// All reasons.
    pub const ALL: [Self; 3] = [Self::SightingsOfCall, Self::KnownResponse, Self::ComponentFull];

    /// The reason in one word, for counters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SightingsOfCall => "sightings_of_call",
            Self::KnownResponse => "known_response",
            Self::ComponentFull => "component_full",
        }
    }
}

/// What became of new observations.
#[derive(Clone, Debug, Default)]
pub struct Related {
    /// The observations that have to be folded, by what belongs together.
    pub components: Vec<Component>,
    /// The new observations that equal a stored one or an earlier new one in everything but the cost.
    pub duplicates: Vec<usize>,
    /// The new observations of which other sightings were pruned, and aggregates in a trace of which calls may
    /// have been pruned.
    pub late: Vec<usize>,
    /// The new observations that are not taken, and why.
    pub refused: Vec<(usize, RefusedReason)>,
    /// How many of the new observations were looked at.
    pub seen: usize,
}

/// Finds the stored observations that belong together with new ones, and sorts out what is not new.
///
/// An observation is taken or refused as if those before it had been taken one after the other. What is
/// refused is not part of the set that is folded, so the result is the fold of all that was ever taken.
pub fn related<J: Journal>(new: &[Arc<Observation>], journal: &mut J) -> Result<Related, J::Error> {
    related_within(Limits::DEFAULT, new, journal, |_| true)
}

/// As [`related`], but stops before a new observation, given by its index, for which `goes_on` is false. What
/// belongs together with several of the new observations is loaded once.
pub fn related_while<J: Journal>(
    new: &[Arc<Observation>],
    journal: &mut J,
    goes_on: impl FnMut(usize) -> bool,
) -> Result<Related, J::Error> {
    related_within(Limits::DEFAULT, new, journal, goes_on)
}

pub(super) fn related_within<J: Journal>(
    limits: Limits,
    new: &[Arc<Observation>],
    journal: &mut J,
    mut goes_on: impl FnMut(usize) -> bool,
) -> Result<Related, J::Error> {
    let mut closure = Closure::new(journal, limits, new.len());
    let mut related = Related::default();
    for (index, observation) in new.iter().enumerate() {
        if !goes_on(index) {
            break;
        }
        related.seen += 1;
        match closure.take(index, observation)? {
            Verdict::Taken => {}
            Verdict::Duplicate => related.duplicates.push(index),
            Verdict::Late => related.late.push(index),
            Verdict::Refused(reason) => related.refused.push((index, reason)),
        }
    }
    related.components = closure.components();
    Ok(related)
}

/// Loads the components of stored observations, for a store that folds them again. Numbers of observations
/// that were pruned are skipped.
pub fn stored_components<J: Journal>(numbers: &[u64], journal: &mut J) -> Result<Vec<Component>, J::Error> {
    let mut closure = Closure::new(journal, Limits::DEFAULT, numbers.len());
    let mut places = Vec::with_capacity(numbers.len());
    for number in numbers {
        places.extend(closure.open(*number)?);
    }
    Ok(closure.components_of(places.into_iter()))
}

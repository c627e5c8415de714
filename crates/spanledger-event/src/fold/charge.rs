//! Step 2: calls that are sightings of one provider response become one charge.

use std::collections::{BTreeMap, BTreeSet};

use super::{ObservedCall, call::evidence_rank};
use crate::{EventId, Observation, ResponseRef, Timestamp};

/// One billed response, or one failed attempt: the calls that are sightings of it, the best first.
#[derive(Debug)]
pub(super) struct Charge<'a> {
    pub(super) calls: Vec<&'a ObservedCall<'a>>,
}

/// The values on which two sightings of one response must agree: the model's name and the token totals.
///
/// A value that a sighting does not state agrees with every value.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Signature {
    model: Option<String>,
    tokens: Option<(u64, u64)>,
}

impl Signature {
    fn of(call: &ObservedCall<'_>) -> Self {
        Self {
            model: call.first(|o| o.response_model.as_deref().or(o.model.as_deref())).map(base_name),
            tokens: call.first(|o| o.usage.as_ref()).map(|u| (u.prompt_tokens(), u.output_tokens())),
        }
    }

    fn agrees(&self, other: &Self) -> bool {
        fn compatible<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        compatible(self.model.as_ref(), other.model.as_ref())
            && compatible(self.tokens.as_ref(), other.tokens.as_ref())
    }

    fn fill_from(&mut self, other: &Self) {
        self.model = self.model.take().or_else(|| other.model.clone());
        self.tokens = self.tokens.take().or(other.tokens);
    }

    fn is_complete(&self) -> bool {
        self.model.is_some() && self.tokens.is_some()
    }
}

/// The model's name without a prefix and a date: `openai/gpt-5.5-2026-04-23` becomes `gpt-5.5`. Spans
/// often state the requested name as the name of the model that answered.
fn base_name(model: &str) -> String {
    let name = model.rsplit(['/', ':']).next().unwrap_or(model);
    let is_date = |tail: &str| {
        tail.len() == 11
            && tail.bytes().enumerate().all(|(i, b)| match i {
                0 | 5 | 8 => b == b'-',
                _ => b.is_ascii_digit(),
            })
    };
    let cut = name.len().checked_sub(11).filter(|&at| name.get(at..).is_some_and(is_date));
    cut.and_then(|at| name.get(..at)).unwrap_or(name).to_ascii_lowercase()
}

/// Groups calls by response id if the id is unique and the sightings agree. A sighting whose id may not
/// be unique (it came from a gateway's address) joins such a group when it states the same model and
/// tokens in the same trace.
pub(super) fn group<'a>(calls: &'a [ObservedCall<'a>]) -> Vec<Charge<'a>> {
    let mut linked: BTreeMap<(&str, &str), Vec<&ObservedCall<'_>>> = BTreeMap::new();
    let mut ambiguous = Vec::new();
    let mut charges = Vec::new();
    for call in calls {
        let response = call.first(|o| o.response.as_ref()).filter(|_| !call.is_aggregate());
        match response {
            Some(response) if response.unique => {
                linked.entry((&response.namespace, &response.id)).or_default().push(call);
            }
            Some(response) => ambiguous.push((response, call)),
            None => charges.push(Charge { calls: vec![call] }),
        }
    }
    for ((_, id), calls) in linked {
        let (whole, partial): (Vec<_>, Vec<_>) =
            calls.into_iter().map(|call| (Signature::of(call), call)).partition(|(s, _)| s.is_complete());
        let mut clusters: Vec<(Signature, Charge<'_>)> = Vec::new();
        // Sightings with a complete signature decide how many responses there were; the others join them.
        for (signature, call) in whole.into_iter().chain(partial) {
            match clusters.iter_mut().find(|(known, _)| known.agrees(&signature)) {
                Some((known, charge)) => {
                    known.fill_from(&signature);
                    charge.calls.push(call);
                }
                None => clusters.push((signature, Charge { calls: vec![call] })),
            }
        }
        // A gateway's sighting joins one with a unique id. Two sightings of gateways are never joined;
        // `possible_duplicates` flags them.
        for (signature, charge) in &mut clusters {
            let traces: BTreeSet<&str> =
                charge.calls.iter().filter_map(|call| call.first(|o| o.trace_id.as_deref())).collect();
            ambiguous.retain(|(response, call)| {
                let same = response.id == id
                    && call.first(|o| o.trace_id.as_deref()).is_some_and(|trace| traces.contains(trace))
                    && signature.is_complete()
                    && Signature::of(call) == *signature;
                if same {
                    charge.calls.push(call);
                }
                !same
            });
        }
        charges.extend(clusters.into_iter().map(|(_, charge)| charge));
    }
    charges.extend(ambiguous.into_iter().map(|(_, call)| Charge { calls: vec![call] }));
    for charge in &mut charges {
        // The best attributed call comes first: its id becomes the id of the charge.
        charge.calls.sort_by_key(|call| {
            let attribution = call.attribution();
            (
                std::cmp::Reverse(attribution.known()),
                call.best().sighting,
                !call.has_usage(),
                call.start(),
                call.id,
            )
        });
    }
    charges.sort_by(|a, b| (a.start(), a.calls[0].id).cmp(&(b.start(), b.calls[0].id)));
    charges
}

/// Charges with the same response id that were not joined, because it is not certain that they are the
/// same response.
pub(super) fn possible_duplicates<'a>(
    charges: &[Charge<'a>],
    superseded: &BTreeMap<&'a str, &'a EventId>,
) -> BTreeSet<&'a str> {
    // The ledger finds related observations by the same keys: unique ids, and ids within a trace.
    let mut by_id: BTreeMap<(&str, &str), BTreeSet<&'a str>> = BTreeMap::new();
    for charge in charges.iter().filter(|c| !superseded.contains_key(c.id()) && c.is_billable()) {
        for o in charge.calls.iter().flat_map(|call| call.sightings.iter()) {
            let Some(response) = &o.response else { continue };
            if response.unique {
                by_id.entry((&response.namespace, &response.id)).or_default().insert(charge.id());
            }
            if let Some(trace) = o.trace_id.as_deref() {
                by_id.entry((trace, &response.id)).or_default().insert(charge.id());
            }
        }
    }
    by_id.into_values().filter(|group| group.len() > 1).flatten().collect()
}

impl<'a> Charge<'a> {
    /// The id of the charge, which is that of its first call.
    pub(super) fn id(&self) -> &'a str {
        self.calls[0].id
    }

    pub(super) fn start(&self) -> Timestamp {
        self.calls.iter().map(|call| call.start()).min().unwrap_or_default()
    }

    pub(super) fn event_ids(&self) -> impl Iterator<Item = &'a EventId> {
        self.calls.iter().flat_map(|call| call.sightings.iter().map(|o| &o.event_id))
    }

    pub(super) fn first<T>(&self, get: impl Fn(&'a Observation) -> Option<T>) -> Option<T> {
        self.calls.iter().find_map(|call| call.first(&get))
    }

    pub(super) fn response(&self) -> Option<&'a ResponseRef> {
        self.first(|o| o.response.as_ref())
    }

    pub(super) fn is_billable(&self) -> bool {
        self.calls.iter().any(|call| call.is_billable())
    }

    pub(super) fn attempts(&self) -> u32 {
        self.calls.iter().map(|call| call.attempts()).max().unwrap_or(1)
    }

    /// The sighting whose tokens and cost are used.
    pub(super) fn best(&self) -> &'a Observation {
        let best = self.calls.iter().map(|call| call.best()).min_by_key(|o| (evidence_rank(o), *o));
        best.unwrap_or(self.calls[0].best())
    }
}

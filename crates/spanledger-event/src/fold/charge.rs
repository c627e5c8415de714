//! Step 2: calls that are sightings of one provider response become one charge.

use std::cmp::{Ordering, Reverse};

use super::{
    ObservedCall,
    call::cmp_evidence,
    relation::{Relation, RelationKind},
    steps,
};
use crate::{EventId, Observation, ResponseRef, Timestamp};

#[cfg(test)]
mod tests;

/// One billed response, or one failed attempt: the calls that are sightings of it, the best first.
#[derive(Clone, Copy, Debug)]
pub(super) struct Charge<'a> {
    pub(super) calls: &'a [ObservedCall<'a>],
    pub(super) start: Timestamp,
    pub(super) standing: Standing<'a>,
    /// Whether another charge may be of the same response.
    pub(super) is_possible_duplicate: bool,
    /// Whether it states a response id that identifies no response.
    pub(super) is_response_reused: bool,
    /// The number of its request.
    pub(super) request: usize,
}

/// Whether a charge counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing<'a> {
    /// It counts.
    Counts,
    /// It is an aggregate over calls. The first of these has this event id.
    Superseded(&'a EventId),
    /// It is an aggregate of a trace with too many observations to compare it with.
    LongTrace,
}

/// The values on which two sightings of one response must agree: the model's name and the token totals.
///
/// A value that a sighting does not state agrees with every value.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Signature {
    tokens: Option<(u64, u64)>,
    model: Option<String>,
}

impl Signature {
    /// The signature of one observation, if it is complete.
    pub(super) fn of(o: &Observation) -> Option<Self> {
        Some(Self::of_first(|get| get(o), |get| get(o))).filter(Self::is_complete)
    }

    fn of_call(call: &ObservedCall<'_>) -> Self {
        Self::of_first(|get| call.first(get), |get| call.first(get))
    }

    /// The signature of a charge, if it is complete.
    pub(super) fn of_charge(charge: &Charge<'_>) -> Option<Self> {
        Some(Self::of_first(|get| charge.first(get), |get| charge.first(get))).filter(Self::is_complete)
    }

    fn of_first<'a>(
        model: impl FnOnce(fn(&'a Observation) -> Option<&'a str>) -> Option<&'a str>,
        tokens: impl FnOnce(fn(&'a Observation) -> Option<(u64, u64)>) -> Option<(u64, u64)>,
    ) -> Self {
        Self {
            model: model(|o| o.response_model.as_deref().or(o.model.as_deref())).map(base_name),
            tokens: tokens(|o| o.usage.as_ref().map(|u| (u.prompt_tokens(), u.output_tokens()))),
        }
    }

    fn agrees(&self, other: &Self) -> bool {
        fn compatible<T: PartialEq>(a: Option<&T>, b: Option<&T>) -> bool {
            a.is_none() || b.is_none() || a == b
        }
        compatible(self.tokens.as_ref(), other.tokens.as_ref())
            && compatible(self.model.as_ref(), other.model.as_ref())
    }

    fn fill_from(&mut self, other: Self) {
        self.model = self.model.take().or(other.model);
        self.tokens = self.tokens.take().or(other.tokens);
    }

    fn is_complete(&self) -> bool {
        self.model.is_some() && self.tokens.is_some()
    }
}

/// The model's name without a prefix and a date: `openai/gpt-5.5-2026-04-23` becomes `gpt-5.5`. Spans
/// often state the requested name as the name of the model that answered.
fn base_name(model: &str) -> String {
    let name = model.rsplit('/').next().unwrap_or(model);
    // `openai:gpt-5.5` begins with a provider. `anthropic.claude-opus-4-8-v1:0`, `llama4:70b` and
    // `deepseek-r1:free` end with a version, a size and an offer.
    let name = match name.split_once(':') {
        Some((provider, rest))
            if provider.bytes().all(|b| b.is_ascii_alphabetic() || matches!(b, b'-' | b'_'))
                && rest.bytes().any(|b| b.is_ascii_digit() || b == b'-')
                && rest.starts_with(|c: char| c.is_ascii_alphabetic()) =>
        {
            rest
        }
        _ => name,
    };
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

/// Sightings of one response: the calls of a charge that is being made.
struct Cluster {
    signature: Signature,
    charge: usize,
}

/// Groups calls by response id if the id is unique and the sightings agree. A sighting whose id may not
/// be unique (it came from a gateway's address) joins such a group when it states the same model and
/// tokens in the same trace.
///
/// Sets the number of each call's charge, and sorts the calls by it.
pub(super) fn group(calls: &mut [ObservedCall<'_>], is_crowded: &impl Fn(Relation<'_>) -> bool) {
    for (number, call) in calls.iter_mut().enumerate() {
        call.charge = number;
    }
    let mut linked: Vec<(&str, &str, usize)> = Vec::new();
    let mut ambiguous: Vec<(&str, usize)> = Vec::new();
    if calls.len() > 1 {
        for (at, call) in calls.iter().enumerate().filter(|(_, call)| !call.is_aggregate()) {
            // A unique id is better evidence than that of a gateway.
            let stated = call.first(|o| o.response.as_ref().filter(|response| response.unique));
            let Some(stated) = stated.or_else(|| call.first(|o| o.response.as_ref())) else { continue };
            if is_crowded(Relation { kind: RelationKind::Response, value: &stated.id }) {
                continue;
            }
            if stated.unique {
                linked.push((&stated.id, &stated.namespace, at));
            } else {
                ambiguous.push((&stated.id, at));
            }
        }
    }
    linked.sort_unstable();
    ambiguous.sort_unstable();
    for group in linked.chunk_by(|a, b| a.0 == b.0) {
        let id = group[0].0;
        let others = &ambiguous[ambiguous.partition_point(|(other, _)| *other < id)..];
        let others = &others[..others.partition_point(|(other, _)| *other == id)];
        if group.len() + others.len() == 1 {
            continue;
        }
        let mut clusters: Vec<Cluster> = Vec::new();
        let mut traces: Vec<(&str, usize)> = Vec::new();
        for host in group.chunk_by(|a, b| a.1 == b.1) {
            let first = clusters.len();
            let (whole, partial): (Vec<_>, Vec<_>) = host
                .iter()
                .map(|&(_, _, at)| (Signature::of_call(&calls[at]), at))
                .partition(|(signature, _)| signature.is_complete());
            // Sightings with a complete signature decide how many responses there were; the others join
            // them.
            for (signature, at) in whole.into_iter().chain(partial) {
                steps::add(clusters.len() - first + 1);
                let known = clusters[first..].iter_mut().position(|known| known.signature.agrees(&signature));
                let cluster = known.map_or(clusters.len(), |known| first + known);
                match clusters.get_mut(cluster) {
                    Some(known) => known.signature.fill_from(signature),
                    None => clusters.push(Cluster { signature, charge: at }),
                }
                traces.extend(traces_of(&calls[at], id).map(|trace| (trace, cluster)));
                calls[at].charge = clusters[cluster].charge;
            }
        }
        // A gateway's sighting joins one with a unique id. Two sightings of gateways are never joined;
        // they are flagged as possible duplicates.
        traces.sort_unstable();
        traces.dedup();
        for &(_, at) in others {
            let signature = Signature::of_call(&calls[at]);
            let same = traces_of(&calls[at], id).flat_map(|trace| {
                let from = traces.partition_point(|(other, _)| *other < trace);
                traces[from..].iter().take_while(move |(other, _)| *other == trace)
            });
            let cluster = same
                .map(|&(_, cluster)| cluster)
                .filter(|&cluster| {
                    steps::add(1);
                    signature.is_complete() && clusters[cluster].signature == signature
                })
                .min();
            if let Some(cluster) = cluster {
                calls[at].charge = clusters[cluster].charge;
            }
        }
    }
    // The best attributed call comes first: its id becomes the id of the charge.
    calls.sort_by(|a, b| {
        let rank = |call: &ObservedCall<'_>| {
            (Reverse(call.known_attribution()), call.best().sighting, !call.has_usage(), call.start)
        };
        a.charge.cmp(&b.charge).then_with(|| rank(a).cmp(&rank(b)).then_with(|| a.id.cmp(b.id)))
    });
}

/// The traces in which sightings of the call state the response id. Trace and id come from one sighting:
/// that another sighting of the call is in another trace says nothing about this id.
fn traces_of<'a>(call: &ObservedCall<'a>, id: &str) -> impl Iterator<Item = &'a str> {
    call.observations()
        .filter(move |o| o.response.as_ref().is_some_and(|response| response.id == id))
        .filter_map(|o| o.trace_id.as_deref())
}

impl<'a> Charge<'a> {
    /// The charge of these calls, of which there is at least one.
    pub(super) fn of(calls: &'a [ObservedCall<'a>]) -> Self {
        Self {
            calls,
            start: calls.iter().map(|call| call.start).min().unwrap_or_default(),
            standing: Standing::Counts,
            is_possible_duplicate: false,
            is_response_reused: false,
            request: 0,
        }
    }

    /// The id of the charge, which is that of its first call.
    pub(super) fn id(&self) -> &'a str {
        self.calls[0].id
    }

    pub(super) fn counts(&self) -> bool {
        self.standing == Standing::Counts
    }

    /// Orders the charges of a request: those that count before superseded ones, billable before failed,
    /// then by start. The first one is the primary charge.
    pub(super) fn cmp_rank(&self, other: &Self) -> Ordering {
        let rank = |charge: &Self| (!charge.counts(), !charge.is_billable(), charge.start);
        rank(self).cmp(&rank(other)).then_with(|| self.id().cmp(other.id()))
    }

    /// An event id of the charge; the others belong to the same request.
    pub(super) fn id_of_request(&self) -> &'a EventId {
        self.calls[0].sightings[0].request
    }

    pub(super) fn event_ids(&self) -> impl Iterator<Item = &'a EventId> + use<'a> {
        self.calls.iter().flat_map(|call| call.sightings).map(|sighting| sighting.request)
    }

    pub(super) fn observations(&self) -> impl Iterator<Item = &'a Observation> + use<'a> {
        self.calls.iter().flat_map(|call| call.observations())
    }

    pub(super) fn first<T>(&self, get: impl Fn(&'a Observation) -> Option<T>) -> Option<T> {
        self.observations().find_map(get)
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
        let best = self.calls.iter().map(|call| call.best()).min_by(|a, b| cmp_evidence(a, b));
        best.unwrap_or(self.calls[0].best())
    }
}

//! Step 3: an aggregate over calls that carry usage is not a charge.

use std::collections::BTreeMap;

use super::{
    Charge, ObservedCall,
    charge::Standing,
    relation::{Relation, RelationKind},
    steps,
};
use crate::{EventId, Observation, Timestamp};

/// Marks the aggregates over other calls as superseded by their first call.
///
/// Descendants are found by their chain of parents. Where the chain ends in a span that was never seen, a
/// call within the aggregate's time counts as a descendant ([`Trace::is_within`]). Aggregates in a trace
/// over its limit are marked without a call.
pub(super) fn find_superseded<'a>(charges: &mut [Charge<'a>], is_crowded: &impl Fn(Relation<'_>) -> bool) {
    let is_aggregate = |charge: &Charge<'_>| charge.calls[0].is_aggregate();
    if !charges.iter().any(is_aggregate) {
        return;
    }
    let is_long = |trace: &str| is_crowded(Relation { kind: RelationKind::Trace, value: trace });
    let mut in_traces: Vec<(&str, Span<'a>)> = Vec::new();
    for (at, charge) in charges.iter_mut().enumerate() {
        // Aggregates are never joined with other calls, so that the first call is the only one.
        if is_aggregate(charge) && charge.observations().any(|o| o.trace_id.as_deref().is_some_and(is_long)) {
            charge.standing = Standing::LongTrace;
            continue;
        }
        for call in charge.calls {
            if let Some(trace) = call.first(|o| o.trace_id.as_deref()).filter(|trace| !is_long(trace)) {
                in_traces.push((trace, Span::of(call, at)));
            }
        }
    }
    in_traces.sort_by(|(a, s), (b, t)| a.cmp(b).then_with(|| s.order().cmp(&t.order())));
    for trace in in_traces.chunk_by(|(a, _), (b, _)| a == b) {
        let spans: Vec<Span<'_>> = trace.iter().map(|(_, span)| *span).collect();
        if spans.iter().any(|span| span.is_aggregate) {
            for (charge, by) in Trace::of(&spans).superseded() {
                charges[charge].standing = Standing::Superseded(by);
            }
        }
    }
}

/// A call in its trace, with what is compared often.
#[derive(Clone, Copy)]
struct Span<'a> {
    call: &'a ObservedCall<'a>,
    /// The place of its charge.
    charge: usize,
    is_aggregate: bool,
    has_usage: bool,
    tokens: u64,
}

impl<'a> Span<'a> {
    fn of(call: &'a ObservedCall<'a>, charge: usize) -> Self {
        let tokens = |o: &Observation| {
            o.usage.as_ref().map_or(0, |u| u.prompt_tokens().saturating_add(u.output_tokens()))
        };
        Self {
            call,
            charge,
            is_aggregate: call.is_aggregate(),
            has_usage: call.has_usage(),
            tokens: tokens(call.best()),
        }
    }

    /// Calls come before aggregates, so that an aggregate preferably points at a call.
    fn order(&self) -> (bool, Timestamp, &'a str) {
        (self.is_aggregate, self.call.start, self.call.id)
    }

    fn age(&self) -> (Timestamp, &'a str) {
        (self.call.start, self.call.id)
    }
}

/// The spans of a trace, at most [`TRACE_LIMIT`](crate::limits::TRACE_LIMIT), in their order.
struct Trace<'s, 'a> {
    spans: &'s [Span<'a>],
    /// For each span the set of those on its chain of parents.
    above: Vec<Set>,
    /// Whether the chain of parents ends in a span that was never seen.
    is_cut: Vec<bool>,
}

/// A set of spans of a trace.
#[derive(Clone, Default, PartialEq, Debug)]
struct Set(Vec<u64>);

impl Set {
    fn insert(&mut self, at: usize) {
        let word = at / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (at % 64);
    }

    fn contains(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|word| word & (1 << (at % 64)) != 0)
    }
}

impl<'s, 'a> Trace<'s, 'a> {
    /// Follows the chain of parents of each span once: a chain that leads to a known one continues as that
    /// one does.
    fn of(spans: &'s [Span<'a>]) -> Self {
        let mut by_id: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, span) in spans.iter().enumerate() {
            by_id.extend(span.call.observations().filter_map(|o| Some((o.span_id.as_deref()?, at))));
        }
        let parents: Vec<Option<Option<usize>>> = spans
            .iter()
            .map(|span| {
                let parent = span.call.first(|o| o.parent_span_id.as_deref());
                parent.map(|parent| by_id.get(parent).copied())
            })
            .collect();
        let mut above: Vec<Option<Set>> = vec![None; spans.len()];
        let mut is_cut = vec![false; spans.len()];
        for from in 0..spans.len() {
            let mut path: Vec<usize> = Vec::new();
            let mut is_on_path = Set::default();
            let mut at = from;
            // The set and the end of the chain beyond the path.
            let (mut beyond, cut) = loop {
                steps::add(1);
                if let Some(known) = &above[at] {
                    let mut known = known.clone();
                    known.insert(at);
                    break (known, is_cut[at]);
                }
                if is_on_path.contains(at) {
                    // The spans of a cycle are above each other.
                    let cycle = path.iter().position(|on_path| *on_path == at).unwrap_or_default();
                    let mut set = Set::default();
                    path[cycle..].iter().for_each(|&on_cycle| set.insert(on_cycle));
                    for on_cycle in path.drain(cycle..) {
                        above[on_cycle] = Some(set.clone());
                    }
                    break (set, false);
                }
                path.push(at);
                is_on_path.insert(at);
                match parents[at] {
                    Some(Some(parent)) => at = parent,
                    end => break (Set::default(), end.is_some()),
                }
            };
            for at in path.into_iter().rev() {
                steps::add(1);
                above[at] = Some(beyond.clone());
                is_cut[at] = cut;
                beyond.insert(at);
            }
        }
        Self { spans, above: above.into_iter().map(Option::unwrap_or_default).collect(), is_cut }
    }

    /// The charges of aggregates over other calls, each with the event id of its first call.
    fn superseded(&self) -> Vec<(usize, &'a EventId)> {
        let leaves: Vec<usize> = (0..self.spans.len()).filter(|&at| self.spans[at].has_usage).collect();
        let aggregates = || (0..self.spans.len()).filter(|&at| self.spans[at].is_aggregate);
        let below = |aggregate: usize| leaves.iter().copied().filter(move |&at| self.covers(aggregate, at));
        let mut first = vec![None; self.spans.len()];
        for aggregate in aggregates() {
            first[aggregate] = below(aggregate).next();
        }
        let mut counting = vec![None; self.spans.len()];
        for aggregate in aggregates() {
            counting[aggregate] = below(aggregate).find(|&at| first[at].is_none());
        }
        // If all that is below an aggregate is covered, what counts is below one of these. There is an
        // end, because `covers` has no cycles.
        let target = |aggregate: usize| {
            let mut at = aggregate;
            while counting[at].is_none() {
                steps::add(1);
                at = first[at]?;
            }
            counting[at]
        };
        aggregates()
            .filter_map(|at| {
                let by = self.spans[target(at)?].call;
                let best = by.sightings[0].request;
                Some((self.spans[at].charge, best))
            })
            .collect()
    }

    /// Whether the usage of `aggregate` includes that of `leaf`.
    ///
    /// Broken emitters make each of two aggregates the parent of the other. Then the earlier one counts,
    /// so that the cost of such a cycle is not lost.
    fn covers(&self, aggregate: usize, leaf: usize) -> bool {
        steps::add(1);
        leaf != aggregate
            && self.is_below(leaf, aggregate)
            && (!self.spans[leaf].is_aggregate
                || self.spans[leaf].age() < self.spans[aggregate].age()
                || !self.is_below(aggregate, leaf))
    }

    /// Whether the chain of parents leads from `leaf` to `aggregate`. A chain that is a cycle without
    /// `aggregate` does not.
    fn is_below(&self, leaf: usize, aggregate: usize) -> bool {
        self.above[leaf].contains(aggregate) || self.is_cut[leaf] && self.is_within(leaf, aggregate)
    }

    /// Whether `leaf`, a parent of which was never seen, is probably below `aggregate`: it is a call of the
    /// same service, within the aggregate's time, with at most as many tokens as the aggregate.
    fn is_within(&self, leaf: usize, aggregate: usize) -> bool {
        let (leaf, aggregate) = (&self.spans[leaf], &self.spans[aggregate]);
        let (inner, outer) = (leaf.call.best(), aggregate.call.best());
        !leaf.is_aggregate
            && outer.start <= inner.start
            && inner.end <= outer.end
            && aggregate.tokens >= leaf.tokens
            && outer.service_name == inner.service_name
    }
}

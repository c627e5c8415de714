//! Charges that may be of the same response although they were not joined.

use super::{
    Charge,
    charge::Signature,
    relation::{Relation, RelationKind},
    steps,
};

/// Where two charges with one response id are compared.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Ground<'a> {
    /// The host gives each id once, so that its charges under one id are of one response. They disagree.
    Host(&'a str),
    /// They are in one trace.
    Trace(&'a str),
    /// Model and token totals are the same, and the hosts are not: a client and its gateway.
    Elsewhere(Signature),
}

/// Marks the charges with the same response id that were not joined, because it is not certain that they
/// are the same response. Marks those whose response id identifies no response, too.
///
/// Charges at one host whose ids may repeat are not compared across traces, because a stand-in that answers
/// everything with one id would have all its calls marked.
pub(super) fn find(charges: &mut [Charge<'_>], is_crowded: &impl Fn(Relation<'_>) -> bool) {
    let is_alone = charges.len() == 1;
    let mut sightings: Vec<(&str, Ground<'_>, &str, usize)> = Vec::new();
    for (at, charge) in charges.iter_mut().enumerate().filter(|(_, c)| c.counts() && c.is_billable()) {
        let mut signature = None;
        for o in charge.observations() {
            let Some(response) = &o.response else { continue };
            let (id, host) = (response.id.as_str(), response.namespace.as_str());
            if is_crowded(Relation { kind: RelationKind::Response, value: id }) {
                charge.is_response_reused = true;
                continue;
            }
            if is_alone {
                continue;
            }
            if response.unique {
                sightings.push((id, Ground::Host(host), host, at));
            }
            if let Some(trace) = o.trace_id.as_deref() {
                sightings.push((id, Ground::Trace(trace), host, at));
            }
            let signature = signature.get_or_insert_with(|| Signature::of_charge(charge));
            if let Some(signature) = signature {
                sightings.push((id, Ground::Elsewhere(signature.clone()), host, at));
            }
        }
    }
    sightings.sort_unstable();
    sightings.dedup();
    for group in sightings.chunk_by(|a, b| (a.0, &a.1) == (b.0, &b.1)) {
        let is_one_charge = group.iter().all(|other| other.3 == group[0].3);
        let is_one_host = group.iter().all(|other| other.2 == group[0].2);
        if is_one_charge || is_one_host && matches!(group[0].1, Ground::Elsewhere(_)) {
            continue;
        }
        for (_, _, _, charge) in group {
            steps::add(1);
            charges[*charge].is_possible_duplicate = true;
        }
    }
}

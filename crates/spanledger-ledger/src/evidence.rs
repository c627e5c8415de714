//! The evidence of an event: the observation whose identifiers, usage object and cost lines it has.
//!
//! The event's row leaves out what its evidence has, because the observation's row holds it already.

use spanledger_event::{CostEvent, Observation};

/// The columns that an event's row may take from its evidence.
const COLUMNS: [&str; 6] =
    ["span_id", "trace_id", "response_id", "parent_span_id", "usage_raw", "cost_lines"];

/// Which columns an event's row takes from its evidence, by their places in the list of these columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Inherited([bool; COLUMNS.len()]);

impl Inherited {
    /// The place of a column that may be taken from the evidence.
    pub(crate) fn place(column: &str) -> Option<usize> {
        COLUMNS.iter().position(|name| *name == column)
    }

    /// Whether the row takes the column with this place from the evidence.
    pub(crate) fn has(self, place: usize) -> bool {
        self.0.get(place) == Some(&true)
    }

    /// The columns in which the event equals the observation.
    pub(crate) fn between(event: &CostEvent, o: &Observation) -> Self {
        Self([
            event.span_id == o.span_id,
            event.trace_id == o.trace_id,
            event.response_id.as_deref() == o.response.as_ref().map(|response| response.id.as_str()),
            event.parent_span_id == o.parent_span_id,
            event.usage_raw == o.usage_raw,
            event.cost_lines == o.cost.as_ref().map_or(&[][..], |cost| &cost.lines),
        ])
    }

    fn count(self) -> usize {
        self.0.into_iter().filter(|is| *is).count()
    }
}

/// The observation that has most of these values, and which of them it has.
pub(crate) fn find<'a, I: Copy>(
    event: &CostEvent,
    observations: impl Iterator<Item = (I, &'a Observation)>,
) -> Option<(I, Inherited)> {
    let mut best: Option<(I, Inherited)> = None;
    for (index, o) in observations {
        // A row without a value has that of its evidence, so the evidence must not have one that the event
        // lacks.
        let is_too_much = [
            (event.span_id.is_none(), o.span_id.is_some()),
            (event.trace_id.is_none(), o.trace_id.is_some()),
            (event.response_id.is_none(), o.response.is_some()),
            (event.parent_span_id.is_none(), o.parent_span_id.is_some()),
            (event.usage_raw.is_none(), o.usage_raw.is_some()),
        ];
        if is_too_much.contains(&(true, true)) {
            continue;
        }
        let inherited = Inherited::between(event, o);
        if inherited.count() == COLUMNS.len() {
            return Some((index, inherited));
        }
        if best.is_none_or(|(_, known)| inherited.count() > known.count()) {
            best = Some((index, inherited));
        }
    }
    best
}

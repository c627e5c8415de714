//! Which events a sink gets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use spanledger_event::{Cell, Column, ColumnKind, CostEvent, EventState, Timestamp};

/// The events of a sink by their state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EventSelection {
    /// Events that have their attribution, and events that became void.
    #[default]
    Live,
    /// Only quarantined events, which lack attribution. An event that gets its attribution later is not sent
    /// again: to see that, a destination needs all events.
    Quarantined,
    /// Both; the column `state` tells them apart.
    All,
}

/// Which events a sink gets. Each revision of an event is judged by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub struct EventFilter {
    /// By state.
    pub events: EventSelection,
    /// For each of these columns only the events that have one of the values.
    #[serde(rename = "where")]
    pub only: BTreeMap<String, Vec<String>>,
    /// Only events whose call began at this moment or later.
    #[serde(skip)]
    pub since: Option<Timestamp>,
    /// Only events whose call began before this moment.
    #[serde(skip)]
    pub until: Option<Timestamp>,
}

/// A condition on a column that events cannot be selected by.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "events cannot be selected by `{column}`: use a column that holds text, such as feature, route, customer_id, \
     environment, provider, model or service_name"
)]
pub struct FilterError {
    /// The name that was given.
    pub column: String,
}

impl EventFilter {
    /// Checks that each column exists and holds text.
    pub fn check(&self) -> Result<(), FilterError> {
        let is_text =
            |name: &String| Column::named(name).is_some_and(|column| column.kind == ColumnKind::Text);
        match self.only.keys().find(|name| !is_text(name)) {
            Some(column) => Err(FilterError { column: column.clone() }),
            None => Ok(()),
        }
    }

    /// Whether the sink gets the event. `was_given` says whether the sink may have an earlier revision: an event
    /// that was quarantined after that is then given to it, so that the sink stops counting the earlier one.
    pub fn takes(&self, event: &CostEvent, was_given: bool) -> bool {
        let state = match (self.events, event.state) {
            (EventSelection::All, _)
            | (EventSelection::Live, EventState::Live | EventState::Void)
            | (EventSelection::Quarantined, EventState::Quarantined) => true,
            (EventSelection::Live, EventState::Quarantined)
            | (EventSelection::Quarantined, EventState::Void) => was_given,
            // Most events that change were never quarantined, and nothing tells those that were.
            (EventSelection::Quarantined, EventState::Live) => false,
        };
        state
            && self.since.is_none_or(|since| event.timestamp >= since)
            && self.until.is_none_or(|until| event.timestamp < until)
            && self.only.iter().all(|(name, values)| has_one_of(event, name, values))
    }
}

fn has_one_of(event: &CostEvent, name: &str, values: &[String]) -> bool {
    Column::named(name).is_some_and(|column| match (column.get)(event) {
        Cell::Text(text) => values.iter().any(|value| *value == text),
        _ => false,
    })
}

#[cfg(test)]
mod tests;

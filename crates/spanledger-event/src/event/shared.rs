//! An event that several readers share.

use std::{ops::Deref, sync::OnceLock};

use super::CostEvent;

/// An event with its JSON text, which is computed once, however many sinks write it.
#[derive(Debug)]
pub struct SharedEvent {
    event: CostEvent,
    json: OnceLock<Box<str>>,
}

impl SharedEvent {
    /// Shares an event.
    pub fn new(event: CostEvent) -> Self {
        Self { event, json: OnceLock::new() }
    }

    /// The JSON form with all columns, on one line without a line break at its end.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| {
            // The serialization of an event cannot fail: its JSON columns are checked when they enter.
            serde_json::to_string(&self.event).unwrap_or_default().into_boxed_str()
        })
    }
}

impl Deref for SharedEvent {
    type Target = CostEvent;

    fn deref(&self) -> &CostEvent {
        &self.event
    }
}

impl PartialEq for SharedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.event == other.event
    }
}

impl Eq for SharedEvent {}

impl From<CostEvent> for SharedEvent {
    fn from(event: CostEvent) -> Self {
        Self::new(event)
    }
}

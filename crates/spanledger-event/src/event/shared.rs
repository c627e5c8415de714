//! An event that several readers share.

use std::{ops::Deref, sync::OnceLock};

use super::CostEvent;

/// An event with its JSON text, which is written once, when it is first asked for.
///
/// The followers of a ledger share it as `Arc<SharedEvent>`, so that ten sinks that send JSON write the text
/// of an event once and not ten times.
#[derive(Debug, Default)]
pub struct SharedEvent {
    event: CostEvent,
    json: OnceLock<Box<str>>,
}

impl SharedEvent {
    /// Wraps an event.
    pub const fn new(event: CostEvent) -> Self {
        Self { event, json: OnceLock::new() }
    }

    /// The JSON form of the event: one object with all columns that the event has, on one line, without a
    /// line feed at the end.
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| self.event.to_json().into_boxed_str())
    }

    /// The event itself.
    pub fn into_event(self) -> CostEvent {
        self.event
    }
}

impl Deref for SharedEvent {
    type Target = CostEvent;

    fn deref(&self) -> &CostEvent {
        &self.event
    }
}

impl From<CostEvent> for SharedEvent {
    fn from(event: CostEvent) -> Self {
        Self::new(event)
    }
}

impl PartialEq for SharedEvent {
    fn eq(&self, other: &Self) -> bool {
        self.event == other.event
    }
}

impl Eq for SharedEvent {}

//! The columns that an event copies from its observations without change.
//!
//! Such a column needs only a row of this table: the fold takes the value of the first sighting that
//! states one, and the record writes and reads the value under the row's key.

use super::Observation;
use crate::{Cell, CellError, Column, CostEvent, event::Value, keys};

/// A field of [`Observation`] that has a column of the same name in the event, and an attribute in the
/// record of the crate `spanledger`.
#[derive(Clone, Copy, Debug)]
pub struct CarriedField {
    /// The event's column.
    pub column: &'static Column,
    /// The attribute's name in the record.
    pub key: &'static str,
    /// Reads the field.
    pub get: fn(&Observation) -> Cell<'_>,
    /// Writes the field.
    pub set: fn(&mut Observation, Cell<'_>) -> Result<(), CellError>,
}

/// The column with this name. A name without a column does not compile.
const fn column(name: &str) -> &'static Column {
    match Column::named(name) {
        Some(column) => column,
        None => panic!("the event has no column of this name"),
    }
}

macro_rules! carried {
    ($($name:ident => $key:expr;)+) => {
        /// The carried fields, in the order of the record's attributes.
        pub const CARRIED: &[CarriedField] = &[
            $(CarriedField {
                column: column(stringify!($name)),
                key: $key,
                get: |observation| observation.$name.to_cell(),
                set: |observation, cell| {
                    observation.$name = Value::from_cell(cell)
                        .map_err(|expected| CellError { column: stringify!($name), expected })?;
                    Ok(())
                },
            },)+
        ];

        /// Fills the carried columns that are still null in the event.
        pub(crate) fn carry(observation: &Observation, event: &mut CostEvent) {
            $(if event.$name.is_none() {
                event.$name.clone_from(&observation.$name);
            })+
        }
    };
}

carried! {
    model => keys::REQUEST_MODEL;
    response_model => keys::RESPONSE_MODEL;
    service_tier => keys::OPENAI_RESPONSE_SERVICE_TIER;
    region => keys::REGION;
    organization => keys::ORGANIZATION;
    project => keys::PROJECT;
    prompt_cache_key => keys::PROMPT_CACHE_KEY;
    reasoning_effort => keys::REQUEST_REASONING_LEVEL;
    time_to_first_token_ms => keys::TIME_TO_FIRST_CHUNK_MS;
}

//! The gap event: a sender says that records of calls were lost.

use opentelemetry_proto::tonic::{
    common::v1::any_value::Value,
    logs::v1::{LogRecord, SeverityNumber},
};
use spanledger_event::{
    CallOutcome, EventId, Observation, ObservedAs, Timestamp, Usd, keys,
    limits::{NAME_BYTES_MAX, cut, shorten_id},
};

use crate::{
    attributes::{Attributes, attribute},
    resource::ResourceFacts,
};

#[cfg(test)]
mod tests;

/// The `error_code` of the event that stands for lost calls.
pub const RECORDS_LOST: &str = "records_lost";
/// The dimension with the number of lost calls.
const LOST_CALLS_DIM: &str = "lost_calls";

/// The greatest number of calls that one loss can have, so that a sum of losses cannot overflow.
const CALLS_MAX: u64 = u32::MAX as u64;

/// Calls whose records a sender lost, because it had no room for them or the receiver refused them. On the wire it is
/// a log record with an event name of its own, so that the loss is in the ledger, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The id of the loss, by which a repetition is recognized.
    pub id: EventId,
    /// How many calls.
    pub calls: u64,
    /// How many of them have no cost in [`cost`](Self::cost).
    pub calls_without_cost: u64,
    /// What the others cost by the sender's price book.
    pub cost: Usd,
    /// When the first of them was lost.
    pub from: Timestamp,
    /// When the last of them was lost.
    pub to: Timestamp,
    /// The service that lost them. On the wire it is an attribute of the resource.
    pub service_name: Option<String>,
}

impl Gap {
    /// The log record of the loss.
    pub fn to_record(&self) -> LogRecord {
        let integer = |count: u64| Value::IntValue(i64::try_from(count).unwrap_or(i64::MAX));
        let text = |text: String| Value::StringValue(text);
        let at = u64::try_from(self.to.nanos()).unwrap_or_default();
        LogRecord {
            time_unix_nano: at,
            observed_time_unix_nano: at,
            severity_number: SeverityNumber::Error as i32,
            event_name: keys::GAP_EVENT_NAME.to_owned(),
            attributes: [
                (keys::EVENT_ID, text(self.id.as_str().to_owned())),
                (keys::LOST_CALLS, integer(self.calls)),
                (keys::LOST_CALLS_WITHOUT_COST, integer(self.calls_without_cost)),
                (keys::COST_USD, text(self.cost.to_string())),
                (keys::START, Value::IntValue(self.from.nanos())),
                (keys::END, Value::IntValue(self.to.nanos())),
            ]
            .into_iter()
            .map(|(key, value)| attribute(key.to_owned(), value))
            .collect(),
            ..LogRecord::default()
        }
    }

    pub(crate) fn read(log: &LogRecord, resource: &ResourceFacts) -> Option<Self> {
        let a = &Attributes::of(&log.attributes);
        let count = |key: &str| a.int(key).and_then(|count| u64::try_from(count).ok());
        let moment = |key: &str| {
            let nanos = a.int(key).unwrap_or_else(|| i64::try_from(log.time_unix_nano).unwrap_or(i64::MAX));
            Timestamp::from_nanos(nanos.max(0))
        };
        let (from, to) = (moment(keys::START), moment(keys::END));
        let mut id = a.string(keys::EVENT_ID)?;
        shorten_id(&mut id);
        Some(Self {
            id: EventId::from_text(id),
            calls: count(keys::LOST_CALLS).unwrap_or(1).min(CALLS_MAX),
            calls_without_cost: count(keys::LOST_CALLS_WITHOUT_COST).unwrap_or_default().min(CALLS_MAX),
            cost: a.cost(keys::COST_USD).0.unwrap_or_default(),
            from,
            to: to.max(from),
            service_name: resource.service_name.clone().map(|mut name| {
                cut(&mut name, NAME_BYTES_MAX);
                name
            }),
        })
    }

    /// The event that stands for the lost calls in the ledger. It is unpriced, because its usage is not known, and has
    /// no attribution.
    pub fn to_observation(&self) -> Observation {
        let call_id = self.id.as_str().to_owned();
        let mut o = Observation::new(self.id.clone(), call_id, ObservedAs::Record, self.from);
        super::SCOPE.clone_into(&mut o.emitter);
        o.end = self.to;
        o.outcome = CallOutcome::Incomplete(RECORDS_LOST.to_owned());
        o.emitter_cost = Some(self.cost).filter(|_| self.calls > self.calls_without_cost);
        o.attribution.dims.insert(LOST_CALLS_DIM.to_owned(), self.calls.to_string());
        o.service_name.clone_from(&self.service_name);
        o.bound()
    }
}

/// The cost that a record states.
pub fn cost(record: &LogRecord) -> Option<Usd> {
    Attributes::of(&record.attributes).cost(keys::COST_USD).0
}

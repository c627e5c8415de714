//! Attribution in W3C baggage, which carries it from one service of the user to the next.

use std::{borrow::Cow, sync::OnceLock};

use opentelemetry::{
    Context, Key, StringValue,
    baggage::{Baggage, BaggageExt as _, BaggageMetadata},
};
use spanledger_event::{Attribution, Field, PartialAttribution, check_value, keys};

mod processor;
#[cfg(test)]
mod tests;

pub use processor::BaggageSpanProcessor;
pub(crate) use processor::{copied_to_spans, without_copies};

/// The fields of an attribution that may travel in W3C baggage: by default `feature`, `route`,
/// `customer_id`, `environment` and `request_id`.
///
/// Each field has a key of its own, such as `spanledger.customer_id`. Nothing else of a baggage is read, and a
/// value is used only if the rules of [`Attribution`] allow it.
///
/// Baggage comes from whoever sends a request. A service that answers requests from outside must remove their
/// `baggage` header, or anyone could have calls billed to another customer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedBaggage {
    fields: Vec<(Cow<'static, str>, Field)>,
}

impl Default for AllowedBaggage {
    fn default() -> Self {
        [Field::Feature, Field::Route, Field::CustomerId, Field::Environment, Field::RequestId]
            .into_iter()
            .fold(Self { fields: Vec::new() }, Self::allow)
    }
}

/// The allowed fields of the process.
static ALLOWED: OnceLock<AllowedBaggage> = OnceLock::new();

/// The allowed fields of the process were already used or set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the allowed baggage of the process is in use: set it once, before the first call")]
pub struct BaggageInUse;

impl AllowedBaggage {
    /// Allows one more field.
    #[must_use]
    pub fn allow(mut self, field: Field) -> Self {
        if self.fields.iter().all(|(_, allowed)| *allowed != field) {
            self.fields.push((key_of(&field), field));
        }
        self
    }

    /// Forbids a field.
    #[must_use]
    pub fn forbid(mut self, field: &Field) -> Self {
        self.fields.retain(|(_, allowed)| allowed != field);
        self
    }

    /// Makes these fields the allowed ones of the process. Call it once, before the first call.
    pub fn set_for_process(self) -> Result<(), BaggageInUse> {
        ALLOWED.set(self).map_err(|_| BaggageInUse)
    }

    /// The allowed fields of the process.
    pub fn of_process() -> &'static Self {
        ALLOWED.get_or_init(Self::default)
    }

    /// The attribution that a baggage states, as far as it is allowed and legal.
    pub fn attribution(&self, baggage: &Baggage) -> PartialAttribution {
        let mut partial = PartialAttribution::default();
        if !baggage.is_empty() {
            for (_, field, value) in self.legal_values(baggage) {
                set(&mut partial, field, value.to_owned());
            }
        }
        partial
    }

    /// The allowed values of a baggage that the rules of attribution allow, with their keys.
    fn legal_values<'a>(
        &'a self,
        baggage: &'a Baggage,
    ) -> impl Iterator<Item = (&'a Cow<'static, str>, &'a Field, &'a str)> {
        self.fields.iter().filter_map(|(key, field)| {
            let value = baggage.get(key).map(StringValue::as_str)?;
            check_value(field, value).is_ok().then_some((key, field, value))
        })
    }

    /// The context whose baggage has the allowed fields of the attribution. Fields of another attribution are
    /// removed from it; the entries of others stay.
    pub fn in_context(&self, attribution: &Attribution, context: &Context) -> Context {
        let others = context.baggage().iter().filter(|(key, _)| !key.as_str().starts_with(NAMESPACE));
        let others = others.map(|(key, value)| (key.clone(), value.clone()));
        let partial = PartialAttribution::from(attribution);
        let ours = self.fields.iter().filter_map(|(key, field)| {
            let value = value_of(&partial, field).filter(|value| survives(value))?;
            let key = Key::new(key.clone());
            Some((key, (StringValue::from(value.to_owned()), BaggageMetadata::default())))
        });
        context.with_baggage(others.chain(ours).collect::<Baggage>())
    }
}

/// What the keys of our own baggage begin with.
const NAMESPACE: &str = "spanledger.";

fn key_of(field: &Field) -> Cow<'static, str> {
    match field {
        Field::Feature => keys::FEATURE.into(),
        Field::Route => keys::ROUTE.into(),
        Field::CustomerId => keys::CUSTOMER_ID.into(),
        Field::Environment => keys::ENVIRONMENT.into(),
        Field::RequestId => keys::REQUEST_ID.into(),
        Field::BatchJobId => keys::BATCH_JOB_ID.into(),
        Field::Dim(name) => format!("{}{name}", keys::DIM_PREFIX).into(),
    }
}

/// The value of a field.
pub(crate) fn value_of<'a>(partial: &'a PartialAttribution, field: &Field) -> Option<&'a str> {
    match field {
        Field::Feature => partial.feature.as_deref(),
        Field::Route => partial.route.as_deref(),
        Field::CustomerId => partial.customer_id.as_deref(),
        Field::Environment => partial.environment.as_deref(),
        Field::RequestId => partial.request_id.as_deref(),
        Field::BatchJobId => partial.batch_job_id.as_deref(),
        Field::Dim(name) => partial.dims.get(name).map(String::as_str),
    }
}

/// Sets a field.
pub(crate) fn set(partial: &mut PartialAttribution, field: &Field, value: String) {
    let place = match field {
        Field::Feature => &mut partial.feature,
        Field::Route => &mut partial.route,
        Field::CustomerId => &mut partial.customer_id,
        Field::Environment => &mut partial.environment,
        Field::RequestId => &mut partial.request_id,
        Field::BatchJobId => &mut partial.batch_job_id,
        Field::Dim(name) => {
            partial.dims.insert(name.clone(), value);
            return;
        }
    };
    *place = Some(value);
}

/// Whether a value arrives unchanged. OpenTelemetry's propagator for Rust neither encodes a percent sign, which the
/// other side decodes, nor keeps spaces at the ends. No value is better than another customer's.
fn survives(value: &str) -> bool {
    !value.contains('%') && value.trim() == value
}

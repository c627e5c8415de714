//! Writes a change as JSON.

use serde::{Serialize, Serializer, ser::SerializeMap as _};
use serde_json::value::RawValue;

use super::{Change, Delta, RateKey, Side, Subject, Value, day};

impl Serialize for Change {
    /// Writes one flat object for every kind of change. Fields that do not apply are left out.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { provider, model, subject, since, delta } = self;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("kind", kind(subject))?;
        map.serialize_entry(
            "change",
            match delta {
                Delta::Added(_) => "added",
                Delta::Removed(_) => "removed",
                Delta::Changed(..) => "changed",
            },
        )?;
        map.serialize_entry("provider", provider)?;
        if let Some(model) = model {
            map.serialize_entry("model", model)?;
        }
        match subject {
            Subject::Fee { models, .. } | Subject::Discount { models } => {
                map.serialize_entry("models", models)?;
            }
            Subject::Deployment(name) => map.serialize_entry("name", name)?,
            Subject::Rule(name) | Subject::Property(name) => map.serialize_entry("name", name)?,
            Subject::Model | Subject::Rate(_) => {}
        }
        if let Some(since) = since {
            map.serialize_entry("since", &day(*since))?;
        }
        if let Subject::Rate(RateKey { tier, hours, side, .. }) = subject {
            map.serialize_entry("tier", tier.as_str())?;
            if let Some(hours) = hours {
                map.serialize_entry("hours", &hours.to_string())?;
            }
            let side = if *side == Side::Short { "short" } else { "long" };
            map.serialize_entry("side", side)?;
        }
        if let Subject::Rate(RateKey { meter, .. }) | Subject::Fee { meter, .. } = subject {
            map.serialize_entry("meter", meter.name())?;
        }
        if let Subject::Rate(RateKey { variant: Some(variant), .. }) = subject {
            map.serialize_entry("variant", variant)?;
        }
        match subject {
            Subject::Rate(RateKey { meter, .. }) | Subject::Fee { meter, .. } => {
                map.serialize_entry("unit", meter.unit())?;
            }
            Subject::Discount { .. } => map.serialize_entry("unit", "%")?,
            _ => {}
        }
        for (key, value) in [("from", delta.before()), ("to", delta.after())] {
            match value {
                None | Some(Value::Listed) => {}
                Some(Value::Text(text)) => map.serialize_entry(key, text)?,
                Some(Value::Amount(amount)) => {
                    let number = RawValue::from_string(amount.normalize().to_string());
                    map.serialize_entry(key, &number.map_err(serde::ser::Error::custom)?)?;
                }
            }
        }
        map.end()
    }
}

fn kind(subject: &Subject) -> &'static str {
    match subject {
        Subject::Model => "model",
        Subject::Rate(_) => "rate",
        Subject::Fee { .. } => "fee",
        Subject::Discount { .. } => "discount",
        Subject::Deployment(_) => "deployment",
        Subject::Rule(_) => "rule",
        Subject::Property(_) => "property",
    }
}

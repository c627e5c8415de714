//! A change as JSON.

use serde::{Serialize, Serializer};

use super::{Change, Delta, Side, day};

/// One flat object for every kind of change; what does not apply is left out.
#[derive(Default, Serialize)]
struct Record<'a> {
    kind: &'static str,
    change: &'static str,
    provider: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    models: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tier: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    side: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meter: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

impl<'a> Record<'a> {
    fn with(self, delta: Delta) -> Self {
        let text = |usd: rust_decimal::Decimal| Some(usd.normalize().to_string());
        match delta {
            Delta::Added { to } => Self { change: "added", to: text(to), ..self },
            Delta::Removed { from } => Self { change: "removed", from: text(from), ..self },
            Delta::Changed { from, to } => Self { change: "changed", from: text(from), to: text(to), ..self },
        }
    }

    fn of(change: &'a Change) -> Self {
        let record = Self { provider: change.provider(), model: change.model(), ..Self::default() };
        match change {
            Change::Model { is_new, .. } => {
                Self { kind: "model", change: if *is_new { "added" } else { "removed" }, ..record }
            }
            Change::Rate { key, since, delta, .. } => Self {
                kind: "rate",
                since: since.map(day),
                tier: Some(key.tier.as_str()),
                hours: key.hours.map(|hours| hours.to_string()),
                side: Some(match key.side {
                    Side::Short => "short",
                    Side::Long => "long",
                }),
                meter: Some(key.meter.name()),
                variant: key.variant.as_deref(),
                unit: Some(key.meter.unit()),
                ..record
            }
            .with(*delta),
            Change::Fee { meter, models, since, delta, .. } => Self {
                kind: "fee",
                models: Some(models),
                since: since.map(day),
                meter: Some(meter.name()),
                unit: Some(meter.unit()),
                ..record
            }
            .with(*delta),
            Change::Discount { models, since, delta, .. } => Self {
                kind: "discount",
                models: Some(models),
                since: since.map(day),
                unit: Some("%"),
                ..record
            }
            .with(*delta),
            Change::Deployment { name, from, to, .. } => Self {
                kind: "deployment",
                change: match (from, to) {
                    (None, _) => "added",
                    (_, None) => "removed",
                    _ => "changed",
                },
                name: Some(name),
                from: from.clone(),
                to: to.clone(),
                ..record
            },
            Change::Rule { name, from, to, .. } | Change::Property { name, from, to, .. } => Self {
                kind: if record.model.is_some() { "property" } else { "rule" },
                change: "changed",
                name: Some(name),
                from: Some(from.clone()),
                to: Some(to.clone()),
                ..record
            },
        }
    }
}

impl Serialize for Change {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Record::of(self).serialize(serializer)
    }
}

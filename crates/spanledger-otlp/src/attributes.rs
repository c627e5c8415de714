//! Looking things up in a list of attributes.

use std::{borrow::Cow, collections::BTreeMap};

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use rust_decimal::Decimal;
use spanledger_event::Usd;

/// A list of attributes. Where a key is there twice the last one counts, because emitters that set an
/// attribute again append it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attributes<'a>(pub(crate) &'a [KeyValue]);

impl<'a> Attributes<'a> {
    pub(crate) fn value(self, key: &str) -> Option<&'a Value> {
        self.0.iter().rev().find(|kv| kv.key == key)?.value.as_ref()?.value.as_ref()
    }

    /// The values of all keys with this prefix, by the rest of the key. Each attribute is visited once,
    /// because a message may have any number of them.
    pub(crate) fn with_prefix(self, prefix: &str) -> BTreeMap<&'a str, &'a Value> {
        let mut last = BTreeMap::new();
        for kv in self.0 {
            if let Some(name) = kv.key.strip_prefix(prefix) {
                last.insert(name, kv.value.as_ref().and_then(|value| value.value.as_ref()));
            }
        }
        last.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
    }

    /// The text of the first of several keys that has one.
    pub(crate) fn first_of(self, keys: &[&str]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| self.text(key))
    }

    pub(crate) fn has(self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// A text that is not blank.
    pub(crate) fn text(self, key: &str) -> Option<Cow<'a, str>> {
        text_of(self.value(key)?)
    }

    pub(crate) fn string(self, key: &str) -> Option<String> {
        self.text(key).map(Cow::into_owned)
    }

    /// A count. Some emitters write integers as text or as whole doubles. A value that is not a count is
    /// an error with the beginning of its text, never zero.
    pub(crate) fn count(self, key: &str) -> Option<Result<u64, String>> {
        let value = self.value(key)?;
        Some(match value {
            Value::IntValue(number) => u64::try_from(*number).map_err(|_| number.to_string()),
            Value::StringValue(text) if text.trim().is_empty() => return None,
            Value::StringValue(text) => whole(text.trim()).ok_or_else(|| excerpt(text)),
            Value::DoubleValue(number) => whole(&number.to_string()).ok_or_else(|| number.to_string()),
            _ => Err("not a number".to_owned()),
        })
    }

    pub(crate) fn int(self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::IntValue(number) => Some(*number),
            Value::StringValue(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn bool(self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::BoolValue(value) => Some(*value),
            Value::StringValue(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A number, exact.
    pub(crate) fn decimal(self, key: &str) -> Option<Decimal> {
        decimal_of(self.value(key)?)
    }

    pub(crate) fn usd(self, key: &str) -> Option<Usd> {
        self.decimal(key).and_then(Usd::from_decimal)
    }
}

/// A value as a text that is not blank. Numbers and booleans are read as text, lists and maps are not.
pub(crate) fn text_of(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::StringValue(text) => Cow::Borrowed(text.as_str()),
        Value::IntValue(number) => Cow::Owned(number.to_string()),
        Value::BoolValue(value) => Cow::Owned(value.to_string()),
        _ => return None,
    };
    (!text.trim().is_empty()).then_some(text)
}

/// A value as a number, exact: a double as its shortest decimal form.
pub(crate) fn decimal_of(value: &Value) -> Option<Decimal> {
    let text = match value {
        Value::DoubleValue(number) => number.to_string(),
        Value::IntValue(number) => number.to_string(),
        Value::StringValue(text) => text.trim().to_owned(),
        _ => return None,
    };
    text.parse().or_else(|_| Decimal::from_scientific(&text)).ok()
}

/// The beginning of a value, for an error message.
fn excerpt(text: &str) -> String {
    text.chars().take(40).collect()
}

fn whole(text: &str) -> Option<u64> {
    let number: Decimal = text.parse().ok()?;
    if number.fract().is_zero() { u64::try_from(number.normalize()).ok() } else { None }
}

/// One attribute.
pub(crate) fn attribute(key: impl Into<String>, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

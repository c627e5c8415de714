//! Looking things up in a list of attributes.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use rust_decimal::Decimal;
use spanledger_event::{Usd, limits::ATTRIBUTES_MAX};

#[cfg(test)]
mod tests;

/// A list of attributes, sorted by key. It is sorted once, because a message may have any number of attributes
/// and very many keys are looked up. Where a key is there twice the last one counts, because emitters that set
/// an attribute again append it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Attributes<'a> {
    by_key: Vec<(&'a str, Option<&'a Value>)>,
    is_truncated: bool,
}

impl<'a> Attributes<'a> {
    pub(crate) fn of(list: &'a [KeyValue]) -> Self {
        let considered = considered(list);
        let mut by_key: Vec<_> = considered.iter().map(|kv| (visited(&kv.key), value_of(kv))).collect();
        // The sort is stable: the last of equal keys stays the last.
        by_key.sort_by_key(|(key, _)| *key);
        by_key.dedup_by(|later, earlier| {
            let is_same = later.0 == earlier.0;
            if is_same {
                earlier.1 = later.1;
            }
            is_same
        });
        Self { by_key, is_truncated: considered.len() < list.len() }
    }

    /// Whether the list has more attributes than are looked at.
    pub(crate) fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        let index = self.by_key.binary_search_by_key(&key, |(key, _)| visited(key)).ok()?;
        self.by_key[index].1
    }

    /// The values of all keys with this prefix, by the rest of the key and in its order.
    pub(crate) fn with_prefix(&self, prefix: &'static str) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let first = self.by_key.partition_point(|(key, _)| *key < prefix);
        let beginning = move |(key, value): &(&'a str, Option<&'a Value>)| {
            Some((visited(key).strip_prefix(prefix)?, *value))
        };
        self.by_key[first..].iter().map_while(beginning).filter_map(|(name, value)| Some((name, value?)))
    }

    /// The text of the first of several keys that has one.
    pub(crate) fn first_of(&self, keys: &[&str]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| self.text(key))
    }

    pub(crate) fn has(&self, key: &str) -> bool {
        self.value(key).is_some()
    }

    /// A text that is not blank.
    pub(crate) fn text(&self, key: &str) -> Option<Cow<'a, str>> {
        text_of(self.value(key)?)
    }

    pub(crate) fn string(&self, key: &str) -> Option<String> {
        self.text(key).map(Cow::into_owned)
    }

    /// A count. Some emitters write integers as text or as whole doubles. A value that is not a count is
    /// an error with the beginning of its text, never zero.
    pub(crate) fn count(&self, key: &str) -> Option<Result<u64, String>> {
        let value = self.value(key)?;
        Some(match value {
            Value::IntValue(number) => u64::try_from(*number).map_err(|_| number.to_string()),
            Value::StringValue(text) if text.trim().is_empty() => return None,
            Value::StringValue(text) => whole(text.trim()).ok_or_else(|| excerpt(text)),
            Value::DoubleValue(number) => whole(&number.to_string()).ok_or_else(|| number.to_string()),
            _ => Err("not a number".to_owned()),
        })
    }

    pub(crate) fn int(&self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::IntValue(number) => Some(*number),
            Value::StringValue(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.value(key)? {
            Value::BoolValue(value) => Some(*value),
            Value::StringValue(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A number, exact.
    pub(crate) fn decimal(&self, key: &str) -> Option<Decimal> {
        decimal_of(self.value(key)?)
    }

    /// The cost of one call, and whether a cost is left out because no call can have it.
    pub(crate) fn cost(&self, key: &str) -> (Option<Usd>, bool) {
        let stated = self.decimal(key);
        let usd = stated.and_then(Usd::from_decimal).filter(|usd| !usd.is_beyond_a_charge());
        (usd, stated.is_some() && usd.is_none())
    }
}

/// The attributes of a list that are looked at: the first ones.
pub(crate) fn considered(list: &[KeyValue]) -> &[KeyValue] {
    &list[..list.len().min(ATTRIBUTES_MAX)]
}

/// The value of one key. For more than one key [`Attributes`] is quicker.
pub(crate) fn last_value<'a>(list: &'a [KeyValue], key: &str) -> Option<&'a Value> {
    considered(list).iter().rev().find(|kv| visited(&kv.key) == key).and_then(value_of)
}

/// A key that is looked at. Tests count them.
fn visited(key: &str) -> &str {
    #[cfg(test)]
    tests::VISITED.with(|count| count.set(count.get() + 1));
    key
}

fn value_of(attribute: &KeyValue) -> Option<&Value> {
    attribute.value.as_ref()?.value.as_ref()
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

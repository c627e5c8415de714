//! Reads values from a provider's JSON.

use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::error::{Result, UsageReadError};

/// The path of keys to a value. Unused positions are empty.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Field([&'static str; 4]);

impl Field {
    fn then(mut self, key: &'static str) -> Self {
        if let Some(free) = self.0.iter_mut().find(|key| key.is_empty()) {
            *free = key;
        }
        self
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.into_iter().filter(|key| !key.is_empty())
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.keys().collect::<Vec<_>>().join("."))
    }
}

/// An object inside the usage, absent when it is missing or null.
#[derive(Clone, Copy)]
pub(super) struct Part<'v> {
    field: Field,
    /// Whether it is in a list. A list may have any number of such parts, which share their field.
    pub(super) is_in_list: bool,
    pub(super) object: Option<&'v Map<String, Value>>,
}

impl<'v> Part<'v> {
    pub(super) fn root(usage: &'v Map<String, Value>) -> Self {
        Self { field: Field::default(), is_in_list: false, object: Some(usage) }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        // Some providers write an empty object or list for an absent value.
        let is_nothing = |value: &Value| match value {
            Value::Null => true,
            Value::Object(object) => object.is_empty(),
            Value::Array(list) => list.is_empty(),
            _ => false,
        };
        self.object?.get(key).filter(|value| !is_nothing(value))
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// Whether it has no keys but these.
    pub(super) fn has_only(&self, known: &[&[&str]]) -> bool {
        let is_known = |key: &String| known.iter().any(|keys| keys.contains(&key.as_str()));
        self.object.is_none_or(|object| object.keys().all(is_known))
    }

    pub(super) fn field(&self, key: &'static str) -> Field {
        self.field.then(key)
    }

    /// The object under the key. An empty list counts as absent, because some languages write an empty
    /// object like that.
    pub(super) fn part(&self, key: &'static str) -> Result<Self> {
        let field = self.field(key);
        let object = match self.get(key) {
            Some(Value::Object(object)) => Some(object),
            Some(Value::Array(items)) if items.is_empty() => None,
            Some(value) => return Err(not_an_object(field, value)),
            None => None,
        };
        Ok(Self { field, is_in_list: self.is_in_list, object })
    }

    /// The objects of the list under the key.
    pub(super) fn items(&self, key: &'static str) -> Result<Vec<Self>> {
        let field = self.field(key);
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::Object(object) => Ok(Self { field, is_in_list: true, object: Some(object) }),
                    value => Err(not_an_object(field, value)),
                })
                .collect(),
            Some(value) => Err(not_an_object(field, value)),
        }
    }
}

fn not_an_object(field: Field, value: &Value) -> UsageReadError {
    UsageReadError::NotAnObject { field: field.to_string(), value: excerpt(value) }
}

/// Reads a whole number that is not negative, also from a string. `12.0` is accepted, because some languages
/// write all numbers like that.
pub(super) fn whole(value: &Value) -> Option<u64> {
    let whole = |text: &str| {
        let digits = match text.split_once('.') {
            Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => digits,
            _ => text,
        };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        // More digits than 64 bits have room for are a count too, which no limit allows.
        is_number.then(|| digits.parse().unwrap_or(u64::MAX))
    };
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(&number.to_string())),
        Value::String(text) => whole(text.trim()),
        _ => None,
    }
}

/// Reads a decimal number, also from a string.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    let decimal = |text: &str| {
        Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok().map(|d| d.normalize())
    };
    match value {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => decimal(text.trim()),
        _ => None,
    }
}

/// The beginning of the value, for an error message.
pub(super) fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

//! Taking counts out of JSON, and remembering which.

use std::fmt;

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use spanledger_event::Usage;

use super::{ParsedUsage, UsageJsonError, tokens::Tokens, words::Words};

pub(super) type Result<T> = std::result::Result<T, UsageJsonError>;

/// A billable field that is no token of ours: where it stands and what it is counted as.
///
/// Each provider's file has its list of them. What stands in several places is one count.
pub(super) struct Billable {
    pub(super) unit: Unit,
    pub(super) places: &'static [&'static [&'static str]],
}

/// What a billable field is counted as.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Images,
    AudioSeconds,
    Characters,
    WebSearch,
    FileSearch,
    CodeInterpreter,
    /// A count without a column, by the meter's name where there is one. The engine answers
    /// *unpriced* to a name that no meter has.
    Named(&'static str),
    /// The same for what is measured and may have decimals.
    Measured(&'static str),
}

impl Unit {
    const fn is_measured(self) -> bool {
        matches!(self, Self::AudioSeconds | Self::Measured(_))
    }
}

/// The keys that lead to a value; those not needed are empty.
#[derive(Clone, Copy, Default)]
pub(super) struct Field([&'static str; 4]);

impl Field {
    fn then(mut self, key: &'static str) -> Self {
        if let Some(free) = self.0.iter_mut().find(|key| key.is_empty()) {
            *free = key;
        }
        self
    }

    fn keys(&self) -> impl Iterator<Item = &'static str> {
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
    object: Option<&'v Map<String, Value>>,
}

impl<'v> Part<'v> {
    pub(super) fn root(usage: &'v Map<String, Value>) -> Self {
        Self { field: Field::default(), object: Some(usage) }
    }

    pub(super) fn get(&self, key: &str) -> Option<&'v Value> {
        // Some write an empty object or list where there is nothing.
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

    fn field(&self, key: &'static str) -> Field {
        self.field.then(key)
    }

    /// The object under that key. Some languages write an empty object as an empty list.
    pub(super) fn part(&self, key: &'static str) -> Result<Self> {
        let field = self.field(key);
        let object = match self.get(key) {
            Some(Value::Object(object)) => Some(object),
            Some(Value::Array(items)) if items.is_empty() => None,
            Some(value) => return Err(not_an_object(field, value)),
            None => None,
        };
        Ok(Self { field, object })
    }

    /// The objects of the list under that key.
    pub(super) fn items(&self, key: &'static str) -> Result<Vec<Self>> {
        let field = self.field(key);
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::Object(object) => Ok(Self { field, object: Some(object) }),
                    value => Err(not_an_object(field, value)),
                })
                .collect(),
            Some(value) => Err(not_an_object(field, value)),
        }
    }
}

fn not_an_object(field: Field, value: &Value) -> UsageJsonError {
    UsageJsonError::NotAnObject { field: field.to_string(), value: excerpt(value) }
}

/// Takes fields and remembers which.
pub(super) struct Reader<'v> {
    pub(super) root: Part<'v>,
    read: Vec<Field>,
    /// Understood, with everything in them.
    skipped: Vec<Field>,
    /// The units so far; the tokens come last.
    units: Usage,
    has_units: bool,
}

impl<'v> Reader<'v> {
    pub(super) fn new(usage: &'v Map<String, Value>) -> Self {
        Self {
            root: Part::root(usage),
            read: Vec::with_capacity(32),
            skipped: Vec::new(),
            units: Usage::default(),
            has_units: false,
        }
    }

    /// A count of tokens, searches, images, …
    pub(super) fn count(&mut self, part: &Part<'_>, key: &'static str) -> Result<Option<u64>> {
        self.take(part, key, |value| whole(value).filter(|&count| count <= Usage::TOKENS_MAX))
    }

    /// A length or another measure, which may have decimals.
    fn amount(&mut self, part: &Part<'_>, key: &'static str) -> Result<Option<Decimal>> {
        self.take(part, key, |value| {
            decimal(value)
                .filter(|amount| *amount >= Decimal::ZERO && *amount <= Decimal::from(Usage::TOKENS_MAX))
        })
    }

    fn take<T>(
        &mut self,
        part: &Part<'_>,
        key: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = part.get(key) else { return Ok(None) };
        let field = part.field(key);
        self.read.push(field);
        let not_a_count = || UsageJsonError::NotACount { field: field.to_string(), value: excerpt(value) };
        read(value).map(Some).ok_or_else(not_a_count)
    }

    /// One count that may stand in several places or under several names. Gateways that send more
    /// than one leave those that they do not mean at zero.
    pub(super) fn agreed<'p, 'q: 'p>(
        &mut self,
        places: impl IntoIterator<Item = (&'p Part<'q>, &'static str)>,
    ) -> Result<Option<u64>> {
        let mut agreed = None;
        for (part, key) in places {
            let count = self.count(part, key)?;
            agree(&mut agreed, part.field(key), count)?;
        }
        Ok(agreed.map(|(_, count)| count))
    }

    /// One count under several names.
    pub(super) fn named(&mut self, part: &Part<'_>, keys: &[&'static str]) -> Result<Option<u64>> {
        self.agreed(keys.iter().map(|key| (part, *key)))
    }

    /// One count that may stand in several objects.
    pub(super) fn any(&mut self, parts: &[Part<'_>], key: &'static str) -> Result<Option<u64>> {
        self.agreed(parts.iter().map(|part| (part, key)))
    }

    /// Understood, and not billed: neither it nor what is in it is reported.
    pub(super) fn skip(&mut self, part: &Part<'_>, keys: &[&'static str]) {
        self.skipped.extend(keys.iter().filter(|key| part.has(key)).map(|key| part.field(key)));
    }

    /// Reads a list of billable fields.
    pub(super) fn billables(&mut self, list: &'static [Billable]) -> Result<()> {
        for Billable { unit, places } in list {
            let mut agreed = None;
            for path in *places {
                let Some((key, path)) = path.split_last() else { continue };
                let mut part = self.root;
                for key in path {
                    part = part.part(key)?;
                }
                let amount = if unit.is_measured() {
                    self.amount(&part, key)?
                } else {
                    self.count(&part, key)?.map(Decimal::from)
                };
                agree(&mut agreed, part.field(key), amount)?;
            }
            if let Some((_, amount)) = agreed {
                self.bill(*unit, amount);
            }
        }
        Ok(())
    }

    /// Adds to a unit.
    pub(super) fn bill(&mut self, unit: Unit, amount: Decimal) {
        // A call of zero seconds was a call; no sources used is no usage.
        self.has_units |= !amount.is_zero() || matches!(unit, Unit::AudioSeconds);
        let add = |to: &mut u64| *to = to.saturating_add(u64::try_from(amount).unwrap_or(u64::MAX));
        match unit {
            Unit::Images => add(&mut self.units.images),
            Unit::Characters => add(&mut self.units.characters),
            Unit::WebSearch => add(&mut self.units.web_search_calls),
            Unit::FileSearch => add(&mut self.units.file_search_calls),
            Unit::CodeInterpreter => add(&mut self.units.code_interpreter_calls),
            Unit::AudioSeconds => {
                self.units.audio_seconds = Some(self.units.audio_seconds.unwrap_or_default() + amount);
            }
            Unit::Named(_) | Unit::Measured(_) if amount.is_zero() => {}
            Unit::Named(name) | Unit::Measured(name) => {
                *self.units.units.entry(name.to_owned()).or_default() += amount;
            }
        }
    }

    /// Whether the length of audio was told.
    pub(super) fn has_audio_seconds(&self) -> bool {
        self.units.audio_seconds.is_some_and(|seconds| !seconds.is_zero())
    }

    /// Puts tokens and units together. `None` where neither input nor output was told.
    pub(super) fn finish(mut self, tokens: Option<&Tokens>) -> Result<ParsedUsage> {
        if tokens.is_none() && !self.has_units {
            return Err(UsageJsonError::NotAUsage(
                "the object has neither token counts nor seconds nor another billable count",
            ));
        }
        let tokens = tokens.copied().unwrap_or_default();
        for (name, count) in tokens.without_bucket()? {
            self.bill(Unit::Named(name), count.into());
        }
        let buckets = tokens.exclusive().map_err(UsageJsonError::Contradictory)?;
        let unknown = self.unread();
        let mut usage = self.units;
        for bucket in spanledger_event::Bucket::ALL {
            usage = usage.with(bucket, buckets.tokens(bucket));
        }
        let Words { service_tier, region } = Words::of(&self.root);
        Ok(ParsedUsage { nested: tokens.nested, usage, unknown, service_tier, region })
    }

    /// The numbers that nobody took and that are not zero, in the order of their paths.
    fn unread(&self) -> Vec<String> {
        /// More would be somebody's document, not a usage.
        const UNKNOWN_MAX: usize = 64;
        let mut found = Vec::new();
        for (key, value) in self.root.object.into_iter().flatten() {
            self.walk(&mut vec![key], value, &mut found);
        }
        if found.len() > UNKNOWN_MAX {
            let more = found.len() - UNKNOWN_MAX;
            found.truncate(UNKNOWN_MAX);
            found.push(format!("and {more} more"));
        }
        found
    }

    fn is_understood(&self, path: &[&str]) -> bool {
        self.read.iter().any(|field| field.keys().eq(path.iter().copied()))
            || (self.skipped.iter())
                .any(|field| field.keys().eq(path.iter().copied().take(field.keys().count())))
    }

    fn walk<'j>(&self, path: &mut Vec<&'j str>, value: &'j Value, found: &mut Vec<String>) {
        match value {
            Value::Object(object) => {
                for (key, value) in object {
                    path.push(key);
                    self.walk(path, value, found);
                    path.pop();
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(path, item, found)),
            Value::Number(number) if number.as_u64() != Some(0) && !self.is_understood(path) => {
                /// Keys are the provider's words, unless somebody sends something else.
                const PATH_CHARS_MAX: usize = 200;
                let path: String = path.join(".").chars().take(PATH_CHARS_MAX).collect();
                found.push(format!("{path}={number}"));
            }
            _ => {}
        }
    }
}

/// The one value that all places tell, zero aside.
fn agree<T>(agreed: &mut Option<(Field, T)>, field: Field, told: Option<T>) -> Result<()>
where
    T: Copy + Default + PartialEq + Into<Decimal>,
{
    let Some(told) = told else { return Ok(()) };
    let zero = T::default();
    match *agreed {
        Some((a, a_value)) if a_value != zero && told != zero && a_value != told => {
            Err(UsageJsonError::Disagreement {
                a: a.to_string(),
                a_value: a_value.into(),
                b: field.to_string(),
                b_value: told.into(),
            })
        }
        Some((_, a_value)) if a_value != zero => Ok(()),
        _ => {
            *agreed = Some((field, told));
            Ok(())
        }
    }
}

/// A whole number that is not negative, also in a string. `12.0` is one: some languages write all
/// numbers like that.
fn whole(value: &Value) -> Option<u64> {
    let whole = |text: &str| {
        let digits = match text.split_once('.') {
            Some((digits, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => digits,
            _ => text,
        };
        digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
    };
    match value {
        Value::Number(number) => number.as_u64().or_else(|| whole(&number.to_string())),
        Value::String(text) => whole(text.trim()),
        _ => None,
    }
}

fn decimal(value: &Value) -> Option<Decimal> {
    let decimal = |text: &str| {
        Decimal::from_str_exact(text).or_else(|_| Decimal::from_scientific(text)).ok().map(|d| d.normalize())
    };
    match value {
        Value::Number(number) => decimal(&number.to_string()),
        Value::String(text) => decimal(text.trim()),
        _ => None,
    }
}

/// The value for a message, cut to a bearable length.
fn excerpt(value: &Value) -> String {
    value.to_string().chars().take(40).collect()
}

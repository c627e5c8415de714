//! Reads counts from a usage object, and remembers which fields were read.

use rust_decimal::Decimal;
use serde_json::{Map, Number, Value};
use spanledger_event::{
    Usage, UsageError,
    limits::{COUNT_MAX, TOKENS_MAX, USAGE_UNKNOWN_MAX, cut},
};

use super::{
    error::{Result, UsageReadError},
    json::{Field, Part, decimal, excerpt, whole},
    parsed::ParsedUsage,
    tier_region,
    tokens::Tokens,
};

#[cfg(test)]
mod tests;

/// A billable count that has its own unit, and the places where it may be in a usage object.
///
/// Each provider's file has a list of them. If several places state a value, they are the same count.
pub(super) struct Billable {
    pub(super) unit: Unit,
    pub(super) places: &'static [&'static [&'static str]],
}

/// The unit of a billable count.
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {
    Images,
    AudioSeconds,
    Characters,
    WebSearch,
    FileSearch,
    CodeInterpreter,
    /// A count without its own field in [`Usage`], by the name of its meter. If no meter has the name, the
    /// call is unpriced.
    Named(&'static str),
    /// Like `Named`, for a quantity that may have decimals.
    Measured(&'static str),
}

impl Unit {
    const fn is_measured(self) -> bool {
        matches!(self, Self::AudioSeconds | Self::Measured(_))
    }
}

/// Reads counts from a usage object and remembers which fields were read.
pub(super) struct Counter<'v> {
    pub(super) root: Part<'v>,
    read: Vec<Field>,
    /// Fields that are known but not billed, with everything in them.
    ignored: Vec<Field>,
    /// The units that were read so far. The tokens are added at the end.
    units: Usage,
    has_units: bool,
}

impl<'v> Counter<'v> {
    pub(super) fn new(usage: &'v Map<String, Value>) -> Self {
        Self {
            root: Part::root(usage),
            read: Vec::with_capacity(32),
            ignored: Vec::new(),
            units: Usage::default(),
            has_units: false,
        }
    }

    /// A count of tokens.
    pub(super) fn count(&mut self, part: &Part<'_>, key: &'static str) -> Result<Option<u64>> {
        let count = self.take(part, key, whole)?;
        within(part.field(key), count, TOKENS_MAX)
    }

    /// A count of searches, images, …
    fn units(&mut self, part: &Part<'_>, key: &'static str) -> Result<Option<Decimal>> {
        let count = self.take(part, key, whole)?.map(Decimal::from);
        within(part.field(key), count, COUNT_MAX)
    }

    /// A length or another quantity, which may have decimals.
    fn amount(&mut self, part: &Part<'_>, key: &'static str) -> Result<Option<Decimal>> {
        let amount =
            self.take(part, key, |value| decimal(value).filter(|amount| *amount >= Decimal::ZERO))?;
        within(part.field(key), amount, COUNT_MAX)
    }

    fn take<T>(
        &mut self,
        part: &Part<'_>,
        key: &'static str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Result<Option<T>> {
        let Some(value) = part.get(key) else { return Ok(None) };
        let field = part.field(key);
        remember(&mut self.read, part, field);
        let not_a_count = || UsageReadError::NotACount { field: field.to_string(), value: excerpt(value) };
        read(value).map(Some).ok_or_else(not_a_count)
    }

    /// One count that may be in several places or have several names. All values must agree, but zeros are
    /// ignored, because some gateways fill only one of the places and set the others to zero.
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

    /// One count that may have several names.
    pub(super) fn named(&mut self, part: &Part<'_>, keys: &[&'static str]) -> Result<Option<u64>> {
        self.agreed(keys.iter().map(|key| (part, *key)))
    }

    /// One count that may be in several objects.
    pub(super) fn in_any(&mut self, parts: &[Part<'_>], key: &'static str) -> Result<Option<u64>> {
        self.agreed(parts.iter().map(|part| (part, key)))
    }

    /// Marks fields as known but not billed, with everything in them.
    pub(super) fn ignore(&mut self, part: &Part<'_>, keys: &[&'static str]) {
        for key in keys.iter().filter(|key| part.has(key)) {
            remember(&mut self.ignored, part, part.field(key));
        }
    }

    /// Bills all fields of a list.
    pub(super) fn bill_fields(&mut self, list: &'static [Billable]) -> Result<()> {
        for Billable { unit, places } in list {
            let mut agreed = None;
            for path in *places {
                let Some((key, path)) = path.split_last() else { continue };
                let mut part = self.root;
                for key in path {
                    part = part.part(key)?;
                }
                let amount =
                    if unit.is_measured() { self.amount(&part, key)? } else { self.units(&part, key)? };
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
        // Zero seconds of audio are a valid usage. If all other units are zero, they are not.
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

    /// Whether the object states the length of audio.
    pub(super) fn has_audio_seconds(&self) -> bool {
        self.units.audio_seconds.is_some_and(|seconds| !seconds.is_zero())
    }

    /// Combines tokens and units. `tokens` is `None` if the object states neither input nor output.
    pub(super) fn finish(mut self, tokens: Option<&Tokens>) -> Result<ParsedUsage> {
        if tokens.is_none() && !self.has_units {
            return Err(UsageReadError::NotAUsage(
                "the object has neither token counts nor seconds nor another billable count",
            ));
        }
        let tokens = tokens.copied().unwrap_or_default();
        for (name, count) in tokens.without_bucket()? {
            self.bill(Unit::Named(name), count.into());
        }
        let buckets = tokens.exclusive().map_err(UsageReadError::Contradictory)?;
        let unrecognized_counts = self.unrecognized_counts();
        let mut usage = self.units;
        for bucket in spanledger_event::Bucket::ALL {
            usage = usage.with(bucket, buckets.tokens(bucket));
        }
        Ok(ParsedUsage {
            nested: tokens.nested,
            usage,
            unrecognized_counts,
            service_tier: tier_region::service_tier(&self.root),
            region: tier_region::region(&self.root),
        })
    }

    /// The numbers that were not read and are not zero. Only as many as are listed are written as text, because
    /// an object may have any number of them below one long key.
    fn unrecognized_counts(&self) -> Vec<String> {
        let mut found = Unrecognized::default();
        for (key, value) in self.root.object.into_iter().flatten() {
            self.walk(&mut vec![key], value, &mut found);
        }
        if found.more > 0 {
            found.listed.push(format!("and {} more", found.more));
        }
        found.listed
    }

    fn is_understood(&self, path: &[&str]) -> bool {
        self.read.iter().any(|field| field.keys().eq(path.iter().copied()))
            || (self.ignored.iter())
                .any(|field| field.keys().eq(path.iter().copied().take(field.keys().count())))
    }

    fn walk<'j>(&self, path: &mut Vec<&'j str>, value: &'j Value, found: &mut Unrecognized) {
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
                found.add(path, number);
            }
            _ => {}
        }
    }
}

/// Numbers of unknown meaning: the first ones as text, and how many there are beside them.
#[derive(Default)]
struct Unrecognized {
    listed: Vec<String>,
    more: usize,
}

impl Unrecognized {
    fn add(&mut self, path: &[&str], number: &Number) {
        /// The maximum length of a path. The paths of real fields are far shorter.
        const PATH_BYTES_MAX: usize = 200;
        if self.listed.len() == USAGE_UNKNOWN_MAX {
            self.more += 1;
            return;
        }
        let keys = path.iter().enumerate().flat_map(|(at, key)| [if at == 0 { "" } else { "." }, key]);
        let mut text: String = keys.flat_map(str::chars).take(PATH_BYTES_MAX + 1).collect();
        cut(&mut text, PATH_BYTES_MAX);
        self.listed.push(format!("{text}={number}"));
    }
}

/// Remembers a field that was read. The parts of a list share their fields, which are remembered once, so that
/// the fields do not grow with the list.
fn remember(fields: &mut Vec<Field>, part: &Part<'_>, field: Field) {
    if !part.is_in_list || !fields.contains(&field) {
        fields.push(field);
    }
}

/// Refuses a count that is greater than one call can have.
fn within<T>(field: Field, count: Option<T>, max: u64) -> Result<Option<T>>
where
    T: Copy + PartialOrd + From<u64> + Into<Decimal>,
{
    match count {
        Some(count) if count > T::from(max) => {
            Err(UsageReadError::Counts(UsageError::out_of_range(field.to_string(), count, max)))
        }
        count => Ok(count),
    }
}

/// Adds a stated value to the agreed one. Zeros are ignored; other values must be equal.
fn agree<T>(agreed: &mut Option<(Field, T)>, field: Field, stated: Option<T>) -> Result<()>
where
    T: Copy + Default + PartialEq + Into<Decimal>,
{
    let Some(stated) = stated else { return Ok(()) };
    let zero = T::default();
    match *agreed {
        Some((a, a_value)) if a_value != zero && stated != zero && a_value != stated => {
            Err(UsageReadError::Disagreement {
                a: a.to_string(),
                a_value: a_value.into(),
                b: field.to_string(),
                b_value: stated.into(),
            })
        }
        Some((_, a_value)) if a_value != zero => Ok(()),
        _ => {
            *agreed = Some((field, stated));
            Ok(())
        }
    }
}

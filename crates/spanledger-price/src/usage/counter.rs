//! Taking counts out of a usage object, and remembering which were taken.

use rust_decimal::Decimal;
use serde_json::{Map, Value};
use spanledger_event::Usage;

use super::{
    error::{Result, UsageReadError},
    json::{Field, Part, decimal, excerpt, whole},
    parsed::ParsedUsage,
    tier_region,
    tokens::Tokens,
};

/// A billable field that does not count tokens: where it is and what it is counted as.
///
/// Each provider's file has a list of them. A value that is in several places is one count.
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
    /// A count without a column of its own, by the name of its meter. A call with a name that no meter
    /// has is unpriced.
    Named(&'static str),
    /// The same for a measure that may have decimals.
    Measured(&'static str),
}

impl Unit {
    const fn is_measured(self) -> bool {
        matches!(self, Self::AudioSeconds | Self::Measured(_))
    }
}

/// Takes counts out of a usage object and remembers which fields it took.
pub(super) struct Counter<'v> {
    pub(super) root: Part<'v>,
    read: Vec<Field>,
    /// Fields that are understood and not billed, with everything in them.
    ignored: Vec<Field>,
    /// The units so far; the tokens are added at the end.
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
        let not_a_count = || UsageReadError::NotACount { field: field.to_string(), value: excerpt(value) };
        read(value).map(Some).ok_or_else(not_a_count)
    }

    /// One count that may be in several places or have several names. Gateways that fill more than one
    /// leave the others at zero.
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

    /// Takes fields that are understood and not billed, with everything in them.
    pub(super) fn ignore(&mut self, part: &Part<'_>, keys: &[&'static str]) {
        self.ignored.extend(keys.iter().filter(|key| part.has(key)).map(|key| part.field(key)));
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
        // A call of zero seconds of audio is a usage; zero of any other unit alone is not.
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

    /// Puts tokens and units together. `tokens` is `None` where the object states neither input nor
    /// output.
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

    /// The numbers that were not taken and are not zero, in the order of their paths.
    fn unrecognized_counts(&self) -> Vec<String> {
        /// An object with more of them is not a usage; the event is not a place to store it.
        const UNRECOGNIZED_MAX: usize = 64;
        let mut found = Vec::new();
        for (key, value) in self.root.object.into_iter().flatten() {
            self.walk(&mut vec![key], value, &mut found);
        }
        if found.len() > UNRECOGNIZED_MAX {
            let more = found.len() - UNRECOGNIZED_MAX;
            found.truncate(UNRECOGNIZED_MAX);
            found.push(format!("and {more} more"));
        }
        found
    }

    fn is_understood(&self, path: &[&str]) -> bool {
        self.read.iter().any(|field| field.keys().eq(path.iter().copied()))
            || (self.ignored.iter())
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
                /// Far longer than the path of any provider's field.
                const PATH_CHARS_MAX: usize = 200;
                let path: String = path.join(".").chars().take(PATH_CHARS_MAX).collect();
                found.push(format!("{path}={number}"));
            }
            _ => {}
        }
    }
}

/// The one value that all places state; zeros do not count as a statement.
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

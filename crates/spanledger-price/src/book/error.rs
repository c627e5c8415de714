//! The mistakes that a price file can have.

use std::fmt;

use super::grammar::{Key, Section, Value};

/// All mistakes of a book, by file and line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct BookErrors(pub Vec<BookError>);

impl fmt::Display for BookErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "the price book has {count} mistake{}", if count == 1 { "" } else { "s" })?;
        self.0.iter().try_for_each(|error| write!(f, "\n{error}"))
    }
}

/// One mistake and its place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {problem}")]
pub struct BookError {
    /// The file's name, as it was given.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// What is wrong and what to do.
    pub problem: BookProblem,
}

/// A kind of mistake.
#[non_exhaustive]
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BookProblem {
    /// The file is not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// A bare number was written instead of a decimal string.
    #[error("`{key}` is a bare number: write it as a decimal string, \"{text}\", so that it stays exact")]
    BareNumber {
        /// The key.
        key: String,
        /// The number.
        text: String,
    },
    /// A text is not a decimal number.
    #[error("`{key}` is \"{text}\": write digits with at most one point and 9 places, such as \"0.125\"")]
    NotADecimal {
        /// The key.
        key: String,
        /// The text.
        text: String,
    },
    /// A rate is negative.
    #[error("`{key}` is {text}: a rate is never negative")]
    Negative {
        /// The key.
        key: String,
        /// The number.
        text: String,
    },
    /// A rate is implausibly high.
    #[error("`{key}` is {text}: above 1,000,000 dollars per unit, check the unit")]
    Absurd {
        /// The key.
        key: String,
        /// The number.
        text: String,
    },
    /// A value has the wrong type.
    #[error("`{key}` is {found}: write {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// The expected type.
        expected: &'static str,
        /// The type of the value.
        found: &'static str,
    },
    /// The table has no such key, but the intended key is clear.
    #[error("unknown key `{key}`: write `{instead}`")]
    MistakenKey {
        /// The key.
        key: String,
        /// The intended key.
        instead: &'static str,
    },
    /// The key of a rate lacks the unit, or has a wrong one.
    #[error("`{key}` does not have the unit of the rate: write `{instead}`, in dollars per {unit}")]
    RateWithoutUnit {
        /// The key.
        key: String,
        /// The key with its unit.
        instead: &'static str,
        /// The quantity that the rate is for.
        unit: &'static str,
    },
    /// A price was written inside the table of its model.
    #[error("a price is not part of its model's table: write [[price]], and in it model = \"…\"")]
    NestedPrice,
    /// The table has no such key.
    #[error("unknown key `{key}`: remove it or correct it to one of {allowed}")]
    UnknownKey {
        /// The key.
        key: String,
        /// The keys of the table.
        allowed: String,
    },
    /// A required key is missing.
    #[error("`{key}` is missing: add {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// An example of the missing key.
        example: &'static str,
    },
    /// A model is not free and has no price.
    #[error("the model {model} has no price: add a [[price]] with model = \"{model}\"")]
    NoPrice {
        /// The model.
        model: String,
    },
    /// A value is not a day.
    #[error("`{key}` is {text}: write a day without quotes, such as 2026-04-23")]
    BadDate {
        /// The key.
        key: String,
        /// Its value.
        text: String,
    },
    /// `until` is not after `from`.
    #[error(
        "the entry ends ({until}) before it starts ({from}): `until` is the first day that is not covered"
    )]
    EndsBeforeItStarts {
        /// The first day.
        from: String,
        /// The day after the last.
        until: String,
    },
    /// Two prices hold at the same time.
    #[error(
        "a second {tier} price of {model} for the same time as the one on line {other}: \
         give it a later `from`, or end the other with `until`"
    )]
    Overlap {
        /// The model.
        model: String,
        /// The tier.
        tier: &'static str,
        /// The other entry's line.
        other: usize,
    },
    /// A name already belongs to another model or provider.
    #[error("the name `{name}` already belongs to {owner}: a name can have only one price list")]
    DuplicateName {
        /// The name.
        name: String,
        /// The model or provider that has it.
        owner: String,
    },
    /// Two files describe one provider.
    #[error("another file already describes {name}: merge the two files")]
    SecondFile {
        /// The provider.
        name: String,
    },
    /// A name with a dot is not quoted, so that TOML reads it as a nested table.
    #[error("`{name}` is a table: put names with a dot into quotes, such as \"gpt-4.1\"")]
    DottedName {
        /// The name, up to the dot.
        name: String,
    },
    /// A source is declared twice.
    #[error("the source `{id}` is already declared: use that one, or choose another id")]
    DuplicateSource {
        /// The id.
        id: String,
    },
    /// A source is not declared.
    #[error("unknown source `{id}`: add it to the [sources] table")]
    UnknownSource {
        /// The id.
        id: String,
    },
    /// A rule names a meter, a tier, a model or a provider that does not exist.
    #[error("`{key}` names `{name}`, which the book does not have: correct it or add it")]
    UnknownName {
        /// The key.
        key: String,
        /// The name.
        name: String,
    },
    /// The book has no such model.
    #[error("the book has no model `{name}` of {provider}: correct the name, or declare it with [[model]]")]
    UnknownModel {
        /// The name.
        name: String,
        /// The provider.
        provider: String,
    },
    /// A surcharge would lower the price.
    #[error("`factor` is {text}: a surcharge is at least \"1\", such as \"1.1\" for ten percent")]
    BadFactor {
        /// The number.
        text: String,
    },
    /// A value is not hours of a day.
    #[error("`hours_utc` is \"{text}\": write the hours of the day in UTC, such as \"16:30-00:30\"")]
    BadHours {
        /// The value.
        text: String,
    },
    /// The hours of a price overlap those of the book's price partly, so that it is undefined which price
    /// holds.
    #[error(
        "these hours overlap the book's {hours}: give the price the same hours, or leave `hours_utc` out"
    )]
    PartialOverlap {
        /// The hours of the book.
        hours: String,
    },
    /// A value is not days of the week, or the entry has no `hours_utc`.
    #[error(
        "`weekdays_utc` is \"{text}\": write days of the week, such as \"mon-fri\", and also `hours_utc`"
    )]
    BadWeekdays {
        /// The value.
        text: String,
    },
    /// A discount is above 100 percent.
    #[error("`percent` is {text}: at most \"100\" can be taken off")]
    BadPercent {
        /// The number.
        text: String,
    },
    /// An entry has no rates.
    #[error(
        "the entry has no rates: add a line such as standard = {{ input_per_1m = \"5\", output_per_1m = \"30\" }}"
    )]
    NoRates,
    /// Long-context rates were given for a model without a threshold.
    #[error(
        "`{key}` needs `long_context_over_tokens` on the model, the prompt length beyond which it applies, \
         and an entry without `no_long_context`"
    )]
    LongWithoutThreshold {
        /// The key.
        key: &'static str,
    },
    /// Long-context rates were given without the ordinary ones.
    #[error("`{key}` is given without `{tier}`: give the ordinary rates in the same entry")]
    LongWithoutShort {
        /// The key.
        key: &'static str,
        /// The tier.
        tier: &'static str,
    },
}

impl BookProblem {
    /// The problem of an unknown key, with the key that was most likely intended.
    pub(super) fn unknown_key(section: &Section, key: &str) -> Self {
        let written = key.to_owned();
        match section.meant_by(key) {
            Some(Key { name: instead, value: Value::Rate(meter), .. }) => {
                Self::RateWithoutUnit { key: written, instead, unit: meter.unit() }
            }
            Some(Key { name: instead, .. }) => Self::MistakenKey { key: written, instead },
            None if key == "price" => Self::NestedPrice,
            None => Self::UnknownKey { key: written, allowed: section.names() },
        }
    }
}

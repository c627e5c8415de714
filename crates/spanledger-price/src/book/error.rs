//! What can be wrong with a book's file.

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

/// One mistake and where it stands.
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
    /// Not TOML.
    #[error("not TOML: {0}")]
    Syntax(String),
    /// A number where a decimal string belongs.
    #[error("`{key}` is a bare number: write it as a decimal string, \"{text}\", so that it stays exact")]
    BareNumber {
        /// The key.
        key: String,
        /// The number.
        text: String,
    },
    /// A text that is no decimal number.
    #[error("`{key}` is \"{text}\": write digits with at most one point and 9 places, such as \"0.125\"")]
    NotADecimal {
        /// The key.
        key: String,
        /// The text.
        text: String,
    },
    /// A rate below zero.
    #[error("`{key}` is {text}: a rate is never negative")]
    Negative {
        /// The key.
        key: String,
        /// The number.
        text: String,
    },
    /// A rate that is too high to be true.
    #[error("`{key}` is {text}: above 1,000,000 dollars per unit, check the unit")]
    Absurd {
        /// The key.
        key: String,
        /// The number.
        text: String,
    },
    /// A value of another type.
    #[error("`{key}` is {found}: write {expected}")]
    WrongType {
        /// The key.
        key: String,
        /// What it has to be.
        expected: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A key that the table does not have, whose meaning is clear.
    #[error("unknown key `{key}`: write `{instead}`")]
    MistakenKey {
        /// The key.
        key: String,
        /// The key that was most likely meant.
        instead: &'static str,
    },
    /// A rate whose key has no unit, or another one.
    #[error("`{key}` does not have the unit of the rate: write `{instead}`, in dollars per {unit}")]
    RateWithoutUnit {
        /// The key.
        key: String,
        /// The key with its unit.
        instead: &'static str,
        /// How much of the meter the rate is for.
        unit: &'static str,
    },
    /// The entry of a price inside the entry of its model.
    #[error("a price is no part of its model's table: write [[price]], and in it model = \"…\"")]
    NestedPrice,
    /// A key that the table does not have.
    #[error("unknown key `{key}`: remove it or correct it to one of {allowed}")]
    UnknownKey {
        /// The key.
        key: String,
        /// What could stand there.
        allowed: String,
    },
    /// A key that has to be there.
    #[error("`{key}` is missing: add {example}")]
    Missing {
        /// The key.
        key: &'static str,
        /// What to write.
        example: &'static str,
    },
    /// A model that is neither free nor has a price.
    #[error("the model {model} has no price: add a [[price]] with model = \"{model}\"")]
    NoPrice {
        /// The model.
        model: String,
    },
    /// Not a day.
    #[error("`{key}` is {text}: write a day without quotes, such as 2026-04-23")]
    BadDate {
        /// The key.
        key: String,
        /// What stands there.
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
    /// Two prices for one moment.
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
    /// A name that belongs to another model or provider.
    #[error("the name `{name}` already belongs to {owner}: a name leads to one price list")]
    DuplicateName {
        /// The name.
        name: String,
        /// The model or provider that has it.
        owner: String,
    },
    /// Two files for one provider.
    #[error("another file describes {name} already: put both into one file")]
    SecondFile {
        /// The provider.
        name: String,
    },
    /// A name with a dot that is not quoted, which TOML takes for a table in a table.
    #[error("`{name}` is a table: put names with a dot into quotes, such as \"gpt-4.1\"")]
    DottedName {
        /// The name, up to the dot.
        name: String,
    },
    /// A source that is declared twice.
    #[error("the source `{id}` is declared already: use that one, or choose another id")]
    DuplicateSource {
        /// The id.
        id: String,
    },
    /// A source that is not declared.
    #[error("unknown source `{id}`: add it to the [sources] table")]
    UnknownSource {
        /// The id.
        id: String,
    },
    /// A meter or model that is named in a rule and does not exist.
    #[error("`{key}` names `{name}`, which the book does not have: correct it or add it")]
    UnknownName {
        /// The key.
        key: String,
        /// The name.
        name: String,
    },
    /// A model that the book does not have.
    #[error("the book has no model `{name}` of {provider}: correct the name, or declare it with [[model]]")]
    UnknownModel {
        /// The name.
        name: String,
        /// The provider.
        provider: String,
    },
    /// A surcharge that would lower the price.
    #[error("`factor` is {text}: a surcharge is at least \"1\", such as \"1.1\" for ten percent")]
    BadFactor {
        /// The number.
        text: String,
    },
    /// Not hours of a day.
    #[error("`hours_utc` is \"{text}\": write the hours of the day in UTC, such as \"16:30-00:30\"")]
    BadHours {
        /// What stands there.
        text: String,
    },
    /// Hours that overlap those of a price below in part, so that it is undefined which of the two holds.
    #[error(
        "these hours overlap the book's {hours}: give the price the same hours, or leave `hours_utc` out"
    )]
    PartialOverlap {
        /// The hours of the book.
        hours: String,
    },
    /// Not days of the week, or without the hours to which they belong.
    #[error("`weekdays_utc` is \"{text}\": write days of the week, such as \"mon-fri\", beside `hours_utc`")]
    BadWeekdays {
        /// What stands there.
        text: String,
    },
    /// More than everything off.
    #[error("`percent` is {text}: at most \"100\" can be taken off")]
    BadPercent {
        /// The number.
        text: String,
    },
    /// An entry without a single rate.
    #[error(
        "the entry has no rates: add a line such as standard = {{ input_per_1m = \"5\", output_per_1m = \"30\" }}"
    )]
    NoRates,
    /// Long-context rates of a model without a threshold.
    #[error(
        "`{key}` needs `long_context_over_tokens` on the model, the prompt length beyond which it applies, \
         and an entry without `no_long_context`"
    )]
    LongWithoutThreshold {
        /// The key.
        key: &'static str,
    },
    /// Long-context rates without the ordinary ones.
    #[error("`{key}` stands without `{tier}`: give the ordinary rates in the same entry")]
    LongWithoutShort {
        /// The key.
        key: &'static str,
        /// The tier.
        tier: &'static str,
    },
}

impl BookProblem {
    /// The problem of a key that the table does not have, with the key that was most likely meant.
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

//! What can be wrong with a book's file.

use std::fmt;

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
    /// A rate that must be a slip.
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
        /// What belongs there.
        expected: &'static str,
        /// What stands there.
        found: &'static str,
    },
    /// A key that nothing reads.
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
    /// A name that is already somebody's.
    #[error("the name `{name}` already belongs to {owner}: a name leads to one price list")]
    DuplicateName {
        /// The name.
        name: String,
        /// Whose it is.
        owner: String,
    },
    /// Two files for one provider.
    #[error("another file speaks of {name} already: put both into one file")]
    SecondFile {
        /// The provider.
        name: String,
    },
    /// A name with a dot that is not quoted, which TOML takes for a table in a table.
    #[error("`{name}` is a table: put names with a dot into quotes, such as \"gpt-4.1\" = \"gpt-5.5\"")]
    DottedName {
        /// The name, up to the dot.
        name: String,
    },
    /// A source that the table does not list.
    #[error("unknown source `{id}`: add it to the [source] table")]
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
    /// A surcharge that makes cheaper.
    #[error("`factor` is {text}: a surcharge is at least \"1\", such as \"1.1\" for ten percent")]
    BadFactor {
        /// The number.
        text: String,
    },
    /// Not hours of a day.
    #[error("`hours` is \"{text}\": write the hours of the day in UTC, such as \"16:30-00:30\"")]
    BadHours {
        /// What stands there.
        text: String,
    },
    /// Hours that overlap others of the book below.
    #[error("these hours overlap the book's {hours}: give the price the same hours, or leave `hours` out")]
    TornHours {
        /// The hours of the book.
        hours: String,
    },
    /// Not days of the week, or without the hours to which they belong.
    #[error("`days` is \"{text}\": write days of the week in UTC, such as \"mon-fri\", beside `hours`")]
    BadDays {
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
    #[error("the entry has no rates: add a line such as standard = {{ input = \"5\", output = \"30\" }}")]
    NoRates,
    /// Long-context rates of a model without a threshold.
    #[error(
        "`{key}` needs `long_context_over` on the model, the prompt length beyond which it applies, and an \
         entry that is not `flat`"
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

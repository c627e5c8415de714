//! Reads TOML by the [grammar](super::grammar), so that every mistake is found and reported with its line.

use std::collections::BTreeSet;

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    BookError, BookProblem,
    grammar::{Section, section},
};

/// One file, and the mistakes found in it so far.
pub(super) struct TomlFile<'f> {
    name: &'f str,
    line_starts: Vec<usize>,
    pub(super) errors: Vec<BookError>,
    /// All days in `prices_checked`.
    pub(super) days_checked: BTreeSet<String>,
}

impl<'f> TomlFile<'f> {
    pub(super) fn new(name: &'f str, text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { name, line_starts, errors: Vec::new(), days_checked: BTreeSet::new() }
    }

    /// The line of a byte, from 1.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|&start| start <= byte) + 1
    }

    pub(super) fn error_on(&mut self, line: usize, problem: BookProblem) {
        self.errors.push(BookError { file: self.name.to_owned(), line, problem });
    }

    pub(super) fn error(&mut self, byte: usize, problem: BookProblem) {
        self.error_on(self.line(byte), problem);
    }

    fn wrong_type(&mut self, key: &str, value: Value<'_, '_>, expected: &'static str) {
        let found = match value.get_ref() {
            DeValue::String(_) => "a string",
            DeValue::Integer(_) | DeValue::Float(_) => "a number",
            DeValue::Boolean(_) => "true or false",
            DeValue::Datetime(_) => "a date",
            DeValue::Array(_) => "a list",
            DeValue::Table(_) => "a table",
        };
        self.error(value.span().start, BookProblem::WrongType { key: key.to_owned(), expected, found });
    }
}

/// A table of a file, and its section of the grammar.
pub(super) struct TomlTable<'t, 'i> {
    entries: &'t DeTable<'i>,
    section: &'static Section,
    at: usize,
    taken: Vec<&'static str>,
}

type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

impl<'t, 'i> TomlTable<'t, 'i> {
    /// The table of a whole file.
    pub(super) fn root(entries: &'t DeTable<'i>, section: &'static Section) -> Self {
        Self { entries, section, at: 0, taken: Vec::new() }
    }

    /// The table in the value of a key.
    fn of(&self, key: &str, value: Value<'t, 'i>, file: &mut TomlFile<'_>) -> Option<Self> {
        let Some(entries) = value.get_ref().as_table() else {
            file.wrong_type(key, value, "a table");
            return None;
        };
        let section = section(self.section, key)?;
        Some(Self { entries, section, at: value.span().start, taken: Vec::new() })
    }

    /// The byte at which the table begins in the file.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'t, 'i>> {
        self.taken.push(key);
        self.entries.get(key)
    }

    /// Whether the table has the key and no other.
    pub(super) fn has_only(&self, key: &str) -> bool {
        self.entries.iter().all(|(other, _)| other.get_ref() == key) && self.entries.contains_key(key)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Reports the keys that the grammar does not have.
    pub(super) fn finish(self, file: &mut TomlFile<'_>) {
        let Self { entries, section, taken, .. } = self;
        debug_assert!(
            section.keys.iter().all(|key| taken.contains(&key.name)) && taken.len() == section.keys.len(),
            "the parser reads {taken:?}, the grammar has {}",
            section.names(),
        );
        for (key, _) in entries {
            let (at, key) = (key.span().start, key.get_ref().as_ref());
            if !taken.contains(&key) {
                file.error(at, BookProblem::unknown_key(section, key));
            }
        }
    }

    pub(super) fn require<T>(
        &self,
        value: Option<T>,
        key: &'static str,
        example: &'static str,
        file: &mut TomlFile<'_>,
    ) -> Option<T> {
        // A value that is there and wrong has been reported already.
        if value.is_none() && !self.entries.contains_key(key) {
            file.error(self.at, BookProblem::Missing { key, example });
        }
        value
    }

    pub(super) fn table(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Option<TomlTable<'t, 'i>> {
        let value = self.take(key)?;
        self.of(key, value, file)
    }

    pub(super) fn tables(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Vec<TomlTable<'t, 'i>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            file.wrong_type(key, value, "[[double brackets]]");
            return Vec::new();
        };
        array.iter().filter_map(|value| self.of(key, value, file)).collect()
    }

    pub(super) fn text(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Option<&'t str> {
        self.text_at(key, file).map(|(text, _)| text)
    }

    /// A text and its byte position.
    pub(super) fn text_at(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Option<(&'t str, usize)> {
        let value = self.take(key)?;
        Some((text(key, value, file)?, value.span().start))
    }

    /// A list of texts, each with its byte position.
    pub(super) fn texts(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Vec<(&'t str, usize)> {
        self.take(key).map(|value| texts(key, value, file)).unwrap_or_default()
    }

    /// A list of lists of texts.
    pub(super) fn text_lists(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Vec<Vec<String>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let lists = value.get_ref().as_array().filter(|all| all.iter().all(|one| one.get_ref().is_array()));
        let Some(lists) = lists else {
            file.wrong_type(key, value, "a list of lists of strings");
            return Vec::new();
        };
        let mut list = |value| texts(key, value, file).into_iter().map(|(text, _)| text.to_owned()).collect();
        lists.iter().map(&mut list).collect()
    }

    /// The entries of a table whose keys the file chooses: name, byte position and text.
    pub(super) fn texts_by_name(
        &mut self,
        key: &'static str,
        file: &mut TomlFile<'_>,
    ) -> Vec<(&'t str, usize, &'t str)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(table) = value.get_ref().as_table() else {
            file.wrong_type(key, value, "a table");
            return Vec::new();
        };
        let mut pairs = Vec::with_capacity(table.len());
        for (name, value) in table {
            let (at, name) = (name.span().start, name.get_ref().as_ref());
            if value.get_ref().is_table() {
                file.error(at, BookProblem::DottedName { name: name.to_owned() });
            } else if let Some(text) = text(name, value, file) {
                pairs.push((name, at, text));
            }
        }
        pairs
    }

    pub(super) fn flag(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> bool {
        let Some(value) = self.take(key) else { return false };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            file.wrong_type(key, value, "true or false");
        }
        flag.unwrap_or_default()
    }

    pub(super) fn count(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Option<u64> {
        let value = self.take(key)?;
        let count =
            value.get_ref().as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        if count.is_none() {
            file.wrong_type(key, value, "a whole number without quotes");
        }
        count
    }

    pub(super) fn decimal(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Option<Decimal> {
        let value = self.take(key)?;
        decimal(key, value, file)
    }

    /// One rate, or several rates by variant.
    pub(super) fn rates(
        &mut self,
        key: &'static str,
        file: &mut TomlFile<'_>,
    ) -> Vec<(Option<&'t str>, Decimal)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(variants) = value.get_ref().as_table() else {
            return decimal(key, value, file).map(|usd| (None, usd)).into_iter().collect();
        };
        let mut rates = Vec::with_capacity(variants.len());
        for (name, value) in variants {
            let name = name.get_ref().as_ref();
            rates.extend(decimal(&format!("{key}.{name}"), value, file).map(|usd| (Some(name), usd)));
        }
        rates
    }

    /// A day: its start in UTC, and its text.
    pub(super) fn day(&mut self, key: &'static str, file: &mut TomlFile<'_>) -> Option<(Timestamp, String)> {
        let value = self.take(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(day) => day.to_string(),
            DeValue::String(text) => format!("\"{text}\""),
            _ => {
                file.wrong_type(key, value, "a day without quotes, such as 2026-04-23");
                return None;
            }
        };
        // The result parses only if the value is a bare day, without quotes and without a time.
        let start = Timestamp::parse(&format!("{text}T00:00:00Z"));
        if start.is_none() {
            file.error(value.span().start, BookProblem::BadDate { key: key.to_owned(), text: text.clone() });
        }
        start.map(|start| (start, text))
    }
}

fn text<'t>(key: &str, value: Value<'t, '_>, file: &mut TomlFile<'_>) -> Option<&'t str> {
    let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty());
    if text.is_none() {
        file.wrong_type(key, value, "a string that is not empty");
    }
    text
}

fn texts<'t>(key: &str, value: Value<'t, '_>, file: &mut TomlFile<'_>) -> Vec<(&'t str, usize)> {
    let Some(array) = value.get_ref().as_array() else {
        file.wrong_type(key, value, "a list of strings");
        return Vec::new();
    };
    array.iter().filter_map(|item| Some((text(key, item, file)?, item.span().start))).collect()
}

/// Reads an exact number that is not negative.
fn decimal(key: &str, value: Value<'_, '_>, file: &mut TomlFile<'_>) -> Option<Decimal> {
    /// A rate per million tokens with nine places is still a whole number of picodollars per thousand tokens.
    const PLACES_MAX: u32 = 9;
    const DOLLARS_MAX: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);
    let at = value.span().start;
    let key = key.to_owned();
    let text = match value.get_ref() {
        DeValue::String(text) => text.as_ref(),
        DeValue::Float(number) => {
            file.error(at, BookProblem::BareNumber { key, text: number.as_str().to_owned() });
            return None;
        }
        DeValue::Integer(number) => {
            file.error(at, BookProblem::BareNumber { key, text: number.as_str().to_owned() });
            return None;
        }
        _ => {
            file.wrong_type(&key, value, "a decimal string such as \"0.125\"");
            return None;
        }
    };
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let is_plain = unsigned.starts_with(|c: char| c.is_ascii_digit())
        && unsigned.ends_with(|c: char| c.is_ascii_digit())
        && unsigned.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = Decimal::from_str_exact(text).ok().filter(|number| is_plain && number.scale() <= PLACES_MAX);
    let text = text.to_owned();
    match number {
        None => file.error(at, BookProblem::NotADecimal { key, text }),
        Some(number) if number.is_sign_negative() => file.error(at, BookProblem::Negative { key, text }),
        Some(number) if number > DOLLARS_MAX => file.error(at, BookProblem::Absurd { key, text }),
        Some(number) => return Some(number),
    }
    None
}

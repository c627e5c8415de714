//! Reading TOML so that every mistake is found and has its line.

use rust_decimal::Decimal;
use spanledger_event::Timestamp;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{BookError, BookProblem};

/// One file, and the mistakes found in it so far.
pub(super) struct File<'f> {
    name: &'f str,
    line_starts: Vec<usize>,
    pub(super) errors: Vec<BookError>,
}

impl<'f> File<'f> {
    pub(super) fn new(name: &'f str, text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        Self { name, line_starts, errors: Vec::new() }
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

    fn wrong_type(&mut self, key: &str, value: &Spanned<DeValue<'_>>, expected: &'static str) {
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

/// A table of a file; what is not taken from it is an unknown key.
pub(super) struct Table<'t, 'i> {
    entries: &'t DeTable<'i>,
    at: usize,
    taken: Vec<&'static str>,
}

type Value<'t, 'i> = &'t Spanned<DeValue<'i>>;

impl<'t, 'i> Table<'t, 'i> {
    pub(super) fn new(entries: &'t DeTable<'i>, at: usize) -> Self {
        Self { entries, at, taken: Vec::new() }
    }

    /// The table in a value.
    pub(super) fn of(value: Value<'t, 'i>, key: &str, file: &mut File<'_>) -> Option<Self> {
        let table = value.get_ref().as_table();
        if table.is_none() {
            file.wrong_type(key, value, "a table");
        }
        table.map(|table| Self::new(table, value.span().start))
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, key: &'static str) -> Option<Value<'t, 'i>> {
        self.taken.push(key);
        self.entries.get(key)
    }

    /// All pairs of a table whose keys are names.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'t str, usize, Value<'t, 'i>)> + use<'t, 'i> {
        self.entries.iter().map(|(key, value)| (key.get_ref().as_ref(), key.span().start, value))
    }

    /// Reports the keys that were not asked for.
    pub(super) fn finish(self, file: &mut File<'_>) {
        for (key, at, _) in self.pairs() {
            if !self.taken.contains(&key) {
                let problem = BookProblem::UnknownKey { key: key.to_owned(), allowed: self.taken.join(", ") };
                file.error(at, problem);
            }
        }
    }

    pub(super) fn require<T>(
        &self,
        value: Option<T>,
        key: &'static str,
        example: &'static str,
        file: &mut File<'_>,
    ) -> Option<T> {
        // A value that is there and wrong has been reported already.
        if value.is_none() && !self.entries.contains_key(key) {
            file.error(self.at, BookProblem::Missing { key, example });
        }
        value
    }

    pub(super) fn table(&mut self, key: &'static str, file: &mut File<'_>) -> Option<Table<'t, 'i>> {
        Table::of(self.take(key)?, key, file)
    }

    pub(super) fn tables(&mut self, key: &'static str, file: &mut File<'_>) -> Vec<Table<'t, 'i>> {
        let Some(value) = self.take(key) else { return Vec::new() };
        let Some(array) = value.get_ref().as_array() else {
            file.wrong_type(key, value, "[[double brackets]]");
            return Vec::new();
        };
        array.iter().filter_map(|value| Table::of(value, key, file)).collect()
    }

    pub(super) fn text(&mut self, key: &'static str, file: &mut File<'_>) -> Option<&'t str> {
        let value = self.take(key)?;
        text(key, value, file)
    }

    pub(super) fn texts(&mut self, key: &'static str, file: &mut File<'_>) -> Vec<(&'t str, usize)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        texts(key, value, file)
    }

    pub(super) fn flag(&mut self, key: &'static str, file: &mut File<'_>) -> bool {
        let Some(value) = self.take(key) else { return false };
        let flag = value.get_ref().as_bool();
        if flag.is_none() {
            file.wrong_type(key, value, "true or false");
        }
        flag.unwrap_or_default()
    }

    pub(super) fn count(&mut self, key: &'static str, file: &mut File<'_>) -> Option<u64> {
        let value = self.take(key)?;
        let count =
            value.get_ref().as_integer().and_then(|n| u64::from_str_radix(n.as_str(), n.radix()).ok());
        if count.is_none() {
            file.wrong_type(key, value, "a whole number without quotes");
        }
        count
    }

    pub(super) fn rate(&mut self, key: &'static str, file: &mut File<'_>) -> Option<Decimal> {
        let value = self.take(key)?;
        rate(key, value, file)
    }

    /// A rate, or one for each of several variants.
    pub(super) fn rates(
        &mut self,
        key: &'static str,
        file: &mut File<'_>,
    ) -> Vec<(Option<&'t str>, Decimal)> {
        let Some(value) = self.take(key) else { return Vec::new() };
        match value.get_ref() {
            DeValue::Table(_) => {
                let Some(variants) = Table::of(value, key, file) else { return Vec::new() };
                let variant = |(name, _, value): (&'t str, usize, Value<'t, 'i>)| {
                    Some((Some(name), rate(&format!("{key}.{name}"), value, file)?))
                };
                variants.pairs().filter_map(variant).collect()
            }
            _ => rate(key, value, file).map(|usd| (None, usd)).into_iter().collect(),
        }
    }

    /// A list of names, and of lists of names that belong together.
    pub(super) fn names(
        &mut self,
        key: &'static str,
        file: &mut File<'_>,
    ) -> (Vec<String>, Vec<Vec<String>>) {
        let (mut names, mut groups) = (Vec::new(), Vec::new());
        let Some(value) = self.take(key) else { return (names, groups) };
        let Some(array) = value.get_ref().as_array() else {
            file.wrong_type(key, value, "a list of strings");
            return (names, groups);
        };
        for item in array {
            if item.get_ref().as_array().is_some() {
                groups.push(texts(key, item, file).into_iter().map(|(name, _)| name.to_owned()).collect());
            } else {
                names.extend(text(key, item, file).map(str::to_owned));
            }
        }
        (names, groups)
    }

    /// A text and its place.
    pub(super) fn spotted(&mut self, key: &'static str, file: &mut File<'_>) -> Option<(&'t str, usize)> {
        let value = self.take(key)?;
        Some((text(key, value, file)?, value.span().start))
    }

    /// A day: its start in UTC, and how it is written.
    pub(super) fn day(&mut self, key: &'static str, file: &mut File<'_>) -> Option<(Timestamp, String)> {
        let value = self.take(key)?;
        let text = match value.get_ref() {
            DeValue::Datetime(day) => day.to_string(),
            DeValue::String(text) => format!("\"{text}\""),
            _ => {
                file.wrong_type(key, value, "a day without quotes, such as 2026-04-23");
                return None;
            }
        };
        // Only a bare day completes to a moment; a quoted one or one with a time does not.
        let start = Timestamp::parse(&format!("{text}T00:00:00Z"));
        if start.is_none() {
            file.error(value.span().start, BookProblem::BadDate { key: key.to_owned(), text: text.clone() });
        }
        start.map(|start| (start, text))
    }
}

fn text<'t>(key: &str, value: Value<'t, '_>, file: &mut File<'_>) -> Option<&'t str> {
    let text = value.get_ref().as_str().filter(|text| !text.trim().is_empty());
    if text.is_none() {
        file.wrong_type(key, value, "a string that is not empty");
    }
    text
}

/// A list of strings, each with its place.
pub(super) fn texts<'t>(key: &str, value: Value<'t, '_>, file: &mut File<'_>) -> Vec<(&'t str, usize)> {
    let Some(array) = value.get_ref().as_array() else {
        file.wrong_type(key, value, "a list of strings");
        return Vec::new();
    };
    array.iter().filter_map(|item| Some((text(key, item, file)?, item.span().start))).collect()
}

/// The one string of a pair.
pub(super) fn text_of<'t>(key: &str, value: Value<'t, '_>, file: &mut File<'_>) -> Option<&'t str> {
    text(key, value, file)
}

/// An exact rate.
pub(super) fn rate(key: &str, value: Value<'_, '_>, file: &mut File<'_>) -> Option<Decimal> {
    /// Nine places below a dollar per million tokens are still whole picodollars per thousand.
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
    let plain = text.strip_prefix('-').unwrap_or(text);
    let is_plain = plain.starts_with(|c: char| c.is_ascii_digit())
        && plain.ends_with(|c: char| c.is_ascii_digit())
        && plain.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
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

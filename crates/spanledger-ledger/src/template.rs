//! JSON texts that differ only in their numbers, such as usage objects: a form, which repeats and becomes
//! a word, and the numbers, which the row keeps.
//!
//! The form is a format string of SQLite's `printf`, and the numbers are a JSON array, so that the view
//! `openai_events` puts the text together in SQL ([`sql`]).

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
    hash::{BuildHasher as _, Hash as _, Hasher as _},
};

use foldhash::fast::RandomState as FastHasher;
use spanledger_event::CostLine;

use crate::words::{Lookup, WORD_BYTES_MAX};

#[cfg(test)]
mod tests;

/// The greatest number of numbers in a text. A text with more is stored as it is.
const NUMBERS_MAX: usize = 24;

/// A JSON text, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Split {
    pub(crate) form: String,
    pub(crate) numbers: String,
}

/// Collects a form and its numbers.
struct Splitter {
    form: String,
    numbers: String,
    count: usize,
}

impl Splitter {
    fn with_capacity(bytes: usize) -> Self {
        let mut numbers = String::with_capacity(64);
        numbers.push('[');
        Self { form: String::with_capacity(bytes), numbers, count: 0 }
    }

    fn text(&mut self, text: &str) {
        let mut parts = text.split('%');
        self.form.push_str(parts.next().unwrap_or_default());
        for part in parts {
            self.form.push_str("%%");
            self.form.push_str(part);
        }
    }

    fn number(&mut self, number: &str) {
        self.form.push_str("%s");
        if self.count > 0 {
            self.numbers.push(',');
        }
        self.count += 1;
        // SQLite reads whole numbers exactly. It would read others as floats, so they are strings.
        if is_plain_integer(number) {
            self.numbers.push_str(number);
        } else {
            self.numbers.push('"');
            self.numbers.push_str(number);
            self.numbers.push('"');
        }
    }

    fn finish(mut self) -> Option<Split> {
        self.numbers.push(']');
        let fits = (1..=NUMBERS_MAX).contains(&self.count) && self.form.len() <= WORD_BYTES_MAX;
        // SQLite's texts may end at a zero byte.
        (fits && !self.form.contains('\0')).then_some(Split { form: self.form, numbers: self.numbers })
    }
}

fn is_plain_integer(number: &str) -> bool {
    let digits = number.as_bytes();
    match digits {
        [b'0'] => true,
        [first, rest @ ..] => {
            first.is_ascii_digit()
                && *first != b'0'
                && digits.len() <= 18
                && rest.iter().all(u8::is_ascii_digit)
        }
        [] => false,
    }
}

/// Takes a JSON text apart. `None` if it has no number, too many, or is too long.
pub(crate) fn split(json: &str) -> Option<Split> {
    if json.len() > WORD_BYTES_MAX {
        return None;
    }
    let bytes = json.as_bytes();
    let mut splitter = Splitter::with_capacity(json.len());
    let (mut at, mut copied) = (0, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at += 1;
            }
            b'-' | b'0'..=b'9' => {
                splitter.text(&json[copied..at]);
                let start = at;
                while at < bytes.len() && matches!(bytes[at], b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E')
                {
                    at += 1;
                }
                splitter.number(&json[start..at]);
                copied = at;
            }
            _ => at += 1,
        }
    }
    splitter.text(json.get(copied..)?);
    splitter.finish()
}

/// The form of cost lines: it has their kinds, units and rates. `None` if there are too many lines.
pub(crate) fn line_form(lines: &[CostLine]) -> Option<String> {
    let mut splitter = Splitter::with_capacity(96 * lines.len());
    for (index, line) in lines.iter().enumerate() {
        splitter.text(if index == 0 { "[{\"kind\":" } else { ",{\"kind\":" });
        splitter.text(&serde_json::to_string(&line.kind).ok()?);
        splitter.text(",\"quantity\":");
        splitter.number("0");
        splitter.text(",\"unit\":");
        splitter.text(&serde_json::to_string(&line.unit).ok()?);
        splitter.text(",\"rate\":");
        splitter.text(&line.rate.normalize().to_string());
        splitter.text(",\"usd\":");
        splitter.number("0");
        splitter.text("}");
    }
    splitter.text("]");
    splitter.finish().map(|split| split.form)
}

/// The numbers of cost lines: their quantities and amounts.
pub(crate) fn line_numbers(lines: &[CostLine], numbers: &mut String) {
    numbers.clear();
    numbers.push('[');
    for line in lines {
        if numbers.len() > 1 {
            numbers.push(',');
        }
        match u64::try_from(line.quantity.mantissa()) {
            // Almost every quantity is a whole number.
            Ok(whole) if line.quantity.scale() == 0 => push_digits(numbers, whole),
            _ => push_number(numbers, &line.quantity.normalize()),
        }
        numbers.push(',');
        match u64::try_from(line.usd.picos()) {
            Ok(picos) => push_picos(numbers, picos),
            Err(_) => push_number(numbers, &line.usd),
        }
    }
    numbers.push(']');
}

/// Adds a number as [`Splitter::number`] does.
fn push_number(numbers: &mut String, number: &impl fmt::Display) {
    let begin = numbers.len();
    write!(numbers, "{number}").unwrap_or_default();
    quote(numbers, begin);
}

/// Makes a string of the number from `begin` on, if SQLite might not read it exactly.
fn quote(numbers: &mut String, begin: usize) {
    if !is_plain_integer(&numbers[begin..]) {
        numbers.insert(begin, '"');
        numbers.push('"');
    }
}

/// Adds a whole number. Every observation has some, and this takes a third of the time of the standard
/// library's way.
fn push_digits(numbers: &mut String, mut number: u64) {
    let begin = numbers.len();
    let (mut digits, mut at) = ([0; 20], 20);
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    numbers.push_str(std::str::from_utf8(&digits[at..]).unwrap_or_default());
    quote(numbers, begin);
}

/// Adds an amount in its shortest form.
fn push_picos(numbers: &mut String, picos: u64) {
    const PICOS_PER_DOLLAR: u64 = 1_000_000_000_000;
    let (dollars, mut rest) = (picos / PICOS_PER_DOLLAR, picos % PICOS_PER_DOLLAR);
    if rest == 0 {
        return push_digits(numbers, dollars);
    }
    numbers.push('"');
    write!(numbers, "{dollars}.").unwrap_or_default();
    let mut digits = [b'0'; 12];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let digits = std::str::from_utf8(&digits).unwrap_or_default();
    numbers.push_str(digits.trim_end_matches('0'));
    numbers.push('"');
}

/// The forms of the cost lines of an append. Most calls share a few, so that each is made and looked up
/// once.
#[derive(Debug, Default)]
pub(crate) struct LineForms(HashMap<u64, KnownForm, FastHasher>);

#[derive(Debug)]
struct KnownForm {
    /// Lines that have the form.
    lines: Vec<CostLine>,
    form: Form,
}

/// The form of cost lines.
#[derive(Debug)]
enum Form {
    /// It is the word with this number.
    Word(i64),
    /// It is no word yet.
    Text(String),
    /// There is none: the lines are stored as they are.
    None,
}

impl Form {
    /// The number of the word. A form that is no word is looked up each time, so that each is noted.
    fn number(&self, words: &mut Lookup<'_>) -> Option<i64> {
        match self {
            Self::Word(number) => Some(*number),
            Self::Text(form) => words.number(form),
            Self::None => None,
        }
    }
}

impl LineForms {
    /// The number of the word that is the form of these lines.
    pub(crate) fn of(&mut self, lines: &[CostLine], words: &mut Lookup<'_>) -> Option<i64> {
        let mut hasher = self.0.hasher().build_hasher();
        for CostLine { kind, unit, rate, .. } in lines {
            (kind, unit, rate).hash(&mut hasher);
        }
        let has_form = |known: &KnownForm| {
            let is_like =
                |(a, b): (&CostLine, &CostLine)| a.rate == b.rate && a.kind == b.kind && a.unit == b.unit;
            known.lines.len() == lines.len() && known.lines.iter().zip(lines).all(is_like)
        };
        let hash = hasher.finish();
        match self.0.get(&hash) {
            Some(known) if has_form(known) => return known.form.number(words),
            _ => {}
        }
        let text = line_form(lines);
        let number = text.as_ref().and_then(|form| words.number(form));
        let form = number.map_or_else(|| text.map_or(Form::None, Form::Text), Form::Word);
        self.0.insert(hash, KnownForm { lines: lines.to_vec(), form });
        number
    }
}

/// Puts a text together again. `None` if the numbers do not fit the form.
pub(crate) fn join(form: &str, numbers: &str) -> Option<String> {
    let numbers = numbers.strip_prefix('[')?.strip_suffix(']').filter(|numbers| !numbers.is_empty())?;
    let mut numbers = numbers.split(',');
    let mut text = String::with_capacity(form.len() + 32);
    let mut rest = form;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        match rest.as_bytes().get(at + 1)? {
            b'%' => text.push('%'),
            b's' => text.push_str(numbers.next()?.trim_matches('"')),
            _ => return None,
        }
        rest = rest.get(at + 2..)?;
    }
    text.push_str(rest);
    numbers.next().is_none().then_some(text)
}

/// The SQL expression that puts the text of two columns together. Where there is no form, the column of
/// the numbers holds the text itself.
pub(crate) fn sql(form: &str, numbers: &str) -> String {
    let each: Vec<String> = (0..NUMBERS_MAX).map(|index| format!("{numbers} ->> {index}")).collect();
    let each = each.join(", ");
    format!(
        "CASE WHEN {form} IS NULL THEN {numbers} ELSE printf((SELECT text FROM word WHERE id = {form}), {each}) END"
    )
}

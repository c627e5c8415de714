//! JSON texts that differ only in their numbers, such as usage objects: a form, which repeats and becomes
//! a word, and the numbers, which the row keeps.
//!
//! The form is a format string of SQLite's `printf`, and the numbers are a JSON array, so that the view
//! `openai_events` puts the text together in SQL ([`sql`]).

use std::fmt::Write as _;

use spanledger_event::CostLine;

use crate::words::WORD_BYTES_MAX;

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

/// Takes cost lines apart: the form has their kinds, units and rates, the numbers are quantities and
/// amounts. The text is that of the event's column `cost_lines`.
pub(crate) fn split_lines(lines: &[CostLine]) -> Option<Split> {
    let mut splitter = Splitter::with_capacity(96 * lines.len());
    let mut number = String::new();
    for (index, line) in lines.iter().enumerate() {
        splitter.text(if index == 0 { "[{\"kind\":" } else { ",{\"kind\":" });
        splitter.text(&serde_json::to_string(&line.kind).ok()?);
        splitter.text(",\"quantity\":");
        number.clear();
        write!(number, "{}", line.quantity.normalize()).ok()?;
        splitter.number(&number);
        splitter.text(",\"unit\":");
        splitter.text(&serde_json::to_string(&line.unit).ok()?);
        splitter.text(",\"rate\":");
        number.clear();
        write!(number, "{}", line.rate.normalize()).ok()?;
        splitter.text(&number);
        splitter.text(",\"usd\":");
        number.clear();
        write!(number, "{}", line.usd).ok()?;
        splitter.number(&number);
        splitter.text("}");
    }
    splitter.text("]");
    splitter.finish()
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

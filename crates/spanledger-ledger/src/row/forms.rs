//! What a reader has learned about the forms of JSON texts.
//!
//! Millions of usage objects and lists of cost lines share a few forms. Each form is taken apart and checked
//! once; the texts of it then need only their numbers.

use std::{borrow::Cow, collections::HashMap};

use foldhash::fast::RandomState as FastHasher;
use rust_decimal::Decimal;
use serde::de::IgnoredAny;
use spanledger_event::{Bucket, CostLine, JsonText, Usd};

use crate::{error::RowError, template, words::Words};

#[cfg(test)]
mod tests;

/// Known forms, by the numbers of their words.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    /// The texts between the numbers. `None` if the form is not one of JSON.
    texts: HashMap<i64, Option<Vec<Box<str>>>, FastHasher>,
    /// `None` if the form has other numbers than the quantity and amount of each line.
    lines: HashMap<i64, Option<Vec<LineForm>>, FastHasher>,
}

/// What cost lines of one form share.
#[derive(Debug)]
struct LineForm {
    kind: Cow<'static, str>,
    unit: Cow<'static, str>,
    rate: Decimal,
}

/// The unit of nearly all cost lines.
const TOKENS: &str = "1M tokens";

impl Forms {
    /// The JSON text of a form and numbers; `None` if it has to be put together and checked in the ordinary way.
    pub(super) fn text(
        &mut self,
        form: i64,
        numbers: &str,
        words: &Words,
    ) -> Result<Option<JsonText>, RowError> {
        let pieces = match self.texts.get(&form) {
            Some(pieces) => pieces,
            None => self.texts.entry(form).or_insert(pieces(words.text(form).ok_or(RowError::Word(form))?)),
        };
        let Some((first, rest)) = pieces.as_ref().and_then(|pieces| pieces.split_first()) else {
            return Ok(None);
        };
        let bytes: usize = rest.iter().map(|piece| piece.len()).sum();
        let mut text = String::with_capacity(first.len() + bytes + numbers.len());
        text.push_str(first);
        let mut rest = rest.iter();
        for number in each(numbers)? {
            let piece = rest.next().ok_or(RowError::Template)?;
            if !is_number(number) {
                return Err(RowError::Template);
            }
            text.push_str(number);
            text.push_str(piece);
        }
        if rest.next().is_some() {
            return Err(RowError::Template);
        }
        Ok(Some(JsonText::from_stored(text)))
    }

    /// The cost lines of a form and numbers; `None` if they have to be read in the ordinary way.
    pub(super) fn lines(
        &mut self,
        form: i64,
        numbers: &str,
        words: &Words,
    ) -> Result<Option<Vec<CostLine>>, RowError> {
        let known = match self.lines.get(&form) {
            Some(known) => known,
            None => {
                let text = words.text(form).ok_or(RowError::Word(form))?;
                self.lines.entry(form).or_insert(line_forms(text, numbers))
            }
        };
        let Some(known) = known else { return Ok(None) };
        let mut numbers = each(numbers)?;
        let mut lines = Vec::with_capacity(known.len());
        for LineForm { kind, unit, rate } in known {
            let (Some(quantity), Some(usd)) = (numbers.next(), numbers.next()) else {
                return Err(RowError::Template);
            };
            lines.push(CostLine {
                kind: kind.clone(),
                quantity: decimal(quantity).ok_or(RowError::Template)?,
                unit: unit.clone(),
                rate: *rate,
                usd: dollars(usd).ok_or(RowError::Template)?,
            });
        }
        if numbers.next().is_some() { Err(RowError::Template) } else { Ok(Some(lines)) }
    }
}

/// The numbers of a text.
fn each(numbers: &str) -> Result<impl Iterator<Item = &str>, RowError> {
    let numbers = numbers.strip_prefix('[').and_then(|numbers| numbers.strip_suffix(']'));
    let numbers = numbers.filter(|numbers| !numbers.is_empty()).ok_or(RowError::Template)?;
    Ok(numbers.split(',').map(|number| number.trim_matches('"')))
}

/// The texts between the numbers of a form, if it is one of JSON on one line.
fn pieces(form: &str) -> Option<Vec<Box<str>>> {
    let (mut pieces, mut piece) = (Vec::new(), String::new());
    let mut rest = form;
    while let Some(at) = rest.find('%') {
        piece.push_str(&rest[..at]);
        match rest.as_bytes().get(at + 1)? {
            b'%' => piece.push('%'),
            b's' => pieces.push(std::mem::take(&mut piece).into_boxed_str()),
            _ => return None,
        }
        rest = rest.get(at + 2..)?;
    }
    piece.push_str(rest);
    pieces.push(piece.into_boxed_str());
    // What is JSON with one number is JSON with every other number in its place.
    let example = pieces.join("0");
    (JsonText::new(&example)?.as_str() == example).then_some(pieces)
}

/// What the lines of a form share, from one example.
fn line_forms(form: &str, numbers: &str) -> Option<Vec<LineForm>> {
    let example: Vec<CostLine> = serde_json::from_str(&template::join(form, numbers)?).ok()?;
    // Otherwise its numbers are others than the quantity and amount of each line.
    (template::line_form(&example)? == form).then(|| {
        let known = |CostLine { kind, unit, rate, .. }: CostLine| LineForm {
            kind: Bucket::from_name(&kind).map_or(kind, |bucket| bucket.name().into()),
            unit: if unit == TOKENS { TOKENS.into() } else { unit },
            rate,
        };
        example.into_iter().map(known).collect()
    })
}

/// Whether a text is a number in JSON.
fn is_number(text: &str) -> bool {
    match text.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit) => true,
        [b'-' | b'0'..=b'9', ..] => serde_json::from_str::<IgnoredAny>(text).is_ok(),
        _ => false,
    }
}

fn decimal(text: &str) -> Option<Decimal> {
    match text.as_bytes() {
        digits if digits.len() <= 18 && digits.iter().all(u8::is_ascii_digit) => {
            Some(text.parse::<u64>().ok()?.into())
        }
        _ => Decimal::from_str_exact(text).ok(),
    }
}

/// The digits of an amount behind the point.
const PLACES: usize = 12;

fn dollars(text: &str) -> Option<Usd> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.len() <= PLACES && digits.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !is_plain(whole) || !is_plain(part) {
        return text.parse().ok();
    }
    let number = |digits: &str| digits.bytes().fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    let part = number(part) * 10_u64.pow(u32::try_from(PLACES - part.len()).ok()?);
    Some(Usd::from_picos(i128::from(number(whole)) * 1_000_000_000_000 + i128::from(part)))
}

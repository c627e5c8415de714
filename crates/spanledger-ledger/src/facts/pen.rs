//! Writes and reads the values of which the facts of an observation consist.

use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{
    error::FactsError,
    words::{Lookup, Words},
};

/// Writes values.
pub(crate) struct Pen<'p, 'a> {
    pub(crate) out: &'p mut Vec<u8>,
    pub(crate) words: &'p mut Lookup<'a>,
}

impl Pen<'_, '_> {
    pub(crate) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    /// Seven bits in each byte, the lowest first; the highest bit says that more follow.
    pub(crate) fn unsigned(&mut self, number: u64) {
        unsigned(self.out, number);
    }

    pub(crate) fn wide(&mut self, mut number: u128) {
        if let Ok(number) = u64::try_from(number) {
            return self.unsigned(number);
        }
        while number >= 0x80 {
            self.out.push((number & 0x7F) as u8 | 0x80);
            number >>= 7;
        }
        self.out.push((number & 0x7F) as u8);
    }

    /// Small numbers of both signs are short: 0, −1, 1, −2 become 0, 1, 2, 3.
    pub(crate) fn signed(&mut self, number: i128) {
        self.wide(((number << 1) ^ (number >> 127)).cast_unsigned());
    }

    pub(crate) fn decimal(&mut self, number: &Decimal) {
        self.byte((number.scale() & 0xFF) as u8);
        self.signed(number.mantissa());
    }

    /// A text that often repeats: the number of a word, or the text.
    pub(crate) fn word(&mut self, text: &str) {
        match self.words.number(text) {
            Some(number) => self.unsigned(number.cast_unsigned() << 1 | 1),
            None => self.text(text),
        }
    }

    /// A text that hardly repeats.
    pub(crate) fn text(&mut self, text: &str) {
        self.unsigned((text.len() as u64) << 1);
        self.out.extend_from_slice(text.as_bytes());
    }

    /// An identifier: a UUID or hexadecimal digits as bytes, anything else as text.
    pub(crate) fn id(&mut self, id: &str) {
        match Packed::of(id) {
            Packed::Uuid(bytes) => {
                self.byte(1);
                self.out.extend_from_slice(&bytes);
            }
            Packed::Hex16(bytes) => {
                self.byte(2);
                self.out.extend_from_slice(&bytes);
            }
            Packed::Hex8(bytes) => {
                self.byte(3);
                self.out.extend_from_slice(&bytes);
            }
            Packed::Text => {
                self.byte(0);
                self.text(id);
            }
        }
    }
}

/// Seven bits in each byte, the lowest first; the highest bit says that more follow.
pub(crate) fn unsigned(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7F) as u8);
}

/// An identifier in its shortest form. Only the canonical spelling is packed, so that it is given back as it was.
pub(crate) enum Packed {
    Uuid([u8; 16]),
    Hex16([u8; 16]),
    Hex8([u8; 8]),
    Text,
}

impl Packed {
    pub(crate) fn of(id: &str) -> Self {
        let id = id.as_bytes();
        match id.len() {
            36 if id[8] == b'-' && id[13] == b'-' && id[18] == b'-' && id[23] == b'-' => {
                let mut digits = [0; 32];
                let mut filled = 0;
                for part in [&id[..8], &id[9..13], &id[14..18], &id[19..23], &id[24..]] {
                    digits[filled..filled + part.len()].copy_from_slice(part);
                    filled += part.len();
                }
                unhex(&digits).map_or(Self::Text, Self::Uuid)
            }
            32 => unhex(id).map_or(Self::Text, Self::Hex16),
            16 => unhex(id).map_or(Self::Text, Self::Hex8),
            _ => Self::Text,
        }
    }
}

fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    let nibble = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.extend_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 0xF)]]);
    }
    // Digits are a text.
    String::from_utf8(text).unwrap_or_default()
}

/// The text of a UUID.
pub(crate) fn uuid(bytes: &[u8]) -> String {
    Uuid::from_slice(bytes).map_or_else(|_| hex(bytes), |uuid| uuid.to_string())
}

/// Reads what a [`Pen`] wrote.
pub(crate) struct Eye<'a> {
    pub(crate) rest: &'a [u8],
    pub(crate) words: &'a Words,
}

impl<'a> Eye<'a> {
    pub(crate) fn bytes(&mut self, count: usize) -> Result<&'a [u8], FactsError> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(FactsError::Short)?;
        self.rest = rest;
        Ok(bytes)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, FactsError> {
        Ok(self.bytes(1)?[0])
    }

    pub(crate) fn unsigned(&mut self) -> Result<u64, FactsError> {
        u64::try_from(self.wide()?).map_err(|_| FactsError::Number)
    }

    pub(crate) fn wide(&mut self) -> Result<u128, FactsError> {
        let mut number = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            number |= u128::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(FactsError::Number)
    }

    pub(crate) fn signed(&mut self) -> Result<i128, FactsError> {
        let number = self.wide()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(crate) fn small(&mut self) -> Result<i64, FactsError> {
        i64::try_from(self.signed()?).map_err(|_| FactsError::Number)
    }

    pub(crate) fn decimal(&mut self) -> Result<Decimal, FactsError> {
        let scale = self.byte()?;
        Decimal::try_from_i128_with_scale(self.signed()?, u32::from(scale)).map_err(|_| FactsError::Number)
    }

    pub(crate) fn word(&mut self) -> Result<&'a str, FactsError> {
        let head = self.unsigned()?;
        if head & 1 == 1 {
            let number = (head >> 1).cast_signed();
            return self.words.text(number).ok_or(FactsError::Word(number));
        }
        self.inline(head)
    }

    fn inline(&mut self, head: u64) -> Result<&'a str, FactsError> {
        let length = usize::try_from(head >> 1).map_err(|_| FactsError::Number)?;
        std::str::from_utf8(self.bytes(length)?).map_err(|_| FactsError::Text)
    }

    pub(crate) fn text(&mut self) -> Result<&'a str, FactsError> {
        let head = self.unsigned()?;
        self.inline(head)
    }

    pub(crate) fn id(&mut self) -> Result<String, FactsError> {
        Ok(match self.byte()? {
            0 => self.text()?.to_owned(),
            1 => uuid(self.bytes(16)?),
            2 => hex(self.bytes(16)?),
            3 => hex(self.bytes(8)?),
            _ => return Err(FactsError::Number),
        })
    }
}

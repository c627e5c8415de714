//! Cuts server-sent events out of chunks that can end at any byte.
//!
//! The framing is that of the HTML Living Standard, section 9.2.6: lines end in CRLF, LF or CR, and a
//! blank line ends an event.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use memchr::{memchr2, memmem};

#[cfg(test)]
mod tests;

/// The greatest size of an unfinished event in bytes. The events of providers are far smaller. A larger event
/// is passed on, but not read.
const EVENT_BYTES_MAX: usize = 16 << 20;

/// Cuts a byte stream into events. An event that is whole in its chunk is not copied.
#[derive(Debug, Default)]
pub(crate) struct Splitter {
    /// The event that is not complete.
    open: BytesMut,
    /// The bytes before this place of the open event contain no end.
    searched: usize,
    /// The part of the last chunk that was not cut yet.
    rest: Bytes,
}

impl Splitter {
    /// Whether no event is open.
    pub(crate) fn is_empty(&self) -> bool {
        self.open.is_empty() && self.rest.is_empty()
    }

    /// Adds a chunk. [`next`](Self::next) then returns the events that are complete; it must be called
    /// until there is none.
    pub(crate) fn push(&mut self, chunk: Bytes) {
        if self.open.is_empty() {
            self.rest = chunk;
        } else {
            self.open.extend_from_slice(&chunk);
        }
    }

    /// The next whole event, with the blank line that ends it.
    pub(crate) fn next(&mut self) -> Option<Bytes> {
        if self.open.is_empty() {
            match event_end(&self.rest, 0) {
                Ok(end) => return Some(self.rest.split_to(end)),
                Err(searched) => {
                    // The event continues in the next chunk.
                    self.open.extend_from_slice(&self.rest);
                    self.rest = Bytes::new();
                    self.searched = searched;
                }
            }
        } else {
            match event_end(&self.open, self.searched) {
                Ok(end) => {
                    self.searched = 0;
                    let event = self.open.split_to(end).freeze();
                    // What follows the event is cut without a copy.
                    self.rest = std::mem::take(&mut self.open).freeze();
                    return Some(event);
                }
                Err(searched) => self.searched = searched,
            }
        }
        if self.open.len() > EVENT_BYTES_MAX { Some(self.end()) } else { None }
    }

    /// What is left when the stream ends: an event without its blank line.
    pub(crate) fn end(&mut self) -> Bytes {
        self.searched = 0;
        std::mem::take(&mut self.open).freeze()
    }
}

/// The first event of these bytes with the blank line that ends it, if it is whole.
pub(crate) fn first_event(bytes: &[u8]) -> Option<&[u8]> {
    bytes.get(..event_end(bytes, 0).ok()?)
}

/// One past the first blank line, or the place from which a search for it has to go on when there are more
/// bytes.
fn event_end(bytes: &[u8], mut from: usize) -> Result<usize, usize> {
    loop {
        let Some(offset) = bytes.get(from..).and_then(|tail| memchr2(b'\n', b'\r', tail)) else {
            return Err(bytes.len());
        };
        let at = from + offset;
        let Some(after) = line_break(bytes, at) else { return Err(at) };
        match bytes.get(after) {
            // The next line is not here yet; it may be blank.
            None => return Err(at),
            Some(b'\n' | b'\r') => return line_break(bytes, after).ok_or(at),
            Some(_) => from = after,
        }
    }
}

/// One past the line break at this place; `None` for a CR at the end, whose LF may still come.
fn line_break(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b'\r', b'\n', ..] => Some(at + 2),
        [b'\r'] => None,
        _ => Some(at + 1),
    }
}

/// The name of an event: the value of its `event:` line, if that is the first line.
pub(crate) fn name(event: &[u8]) -> Option<&[u8]> {
    let value = event.strip_prefix(b"event:")?;
    let end = memchr2(b'\n', b'\r', value)?;
    Some(value.get(..end)?.trim_ascii())
}

/// The data of an event: its `data:` lines, joined. One line is not copied.
pub(crate) fn data(event: &[u8]) -> Cow<'_, [u8]> {
    let mut data: Option<Cow<'_, [u8]>> = None;
    for line in event.split(|&byte| byte == b'\n' || byte == b'\r') {
        let Some(value) = line.strip_prefix(b"data:") else { continue };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        data = Some(match data {
            None => Cow::Borrowed(value),
            Some(first) => {
                let mut joined = first.into_owned();
                joined.push(b'\n');
                joined.extend_from_slice(value);
                Cow::Owned(joined)
            }
        });
    }
    data.unwrap_or_default()
}

/// Whether an event has a field of this name with a value that is not null. `name` has quotes.
///
/// A quote inside of a JSON string is escaped, so that a text never looks like the field.
pub(crate) fn has_field(event: &[u8], name: &memmem::Finder<'_>) -> bool {
    let length = name.needle().len();
    name.find_iter(event).any(|at| {
        let value = event.get(at + length..).unwrap_or_default().trim_ascii_start();
        let Some(value) = value.strip_prefix(b":") else { return false };
        !value.trim_ascii_start().starts_with(b"null")
    })
}

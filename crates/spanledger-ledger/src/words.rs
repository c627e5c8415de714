//! The dictionary: texts that repeat are stored once, and rows hold their numbers.
//!
//! Models, features, routes, customers, emitters and the forms of usage objects repeat in millions of
//! rows. A column of such a text holds either the text's number in the table `word`, or the text itself.
//! A text enters the dictionary when it is seen for the second time, so that values that never repeat do
//! not fill it. The dictionary has a greatest size ([`WORDS_MAX`]); beyond it, rows hold their texts.

use std::{
    collections::{HashMap, HashSet},
    hash::{BuildHasher, RandomState},
};

use foldhash::fast::RandomState as FastHasher;
use rusqlite::Connection;

#[cfg(test)]
mod tests;

pub(crate) const DDL: &str = "CREATE TABLE word (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;";

/// The words of every ledger. Their numbers never change, because the view and the indexes name them.
pub(crate) const FIXED: [&str; 5] = ["live", "quarantined", "void", "priced", "unpriced"];
/// The number of the state `quarantined`.
pub(crate) const QUARANTINED: i64 = 2;
/// The number of the state `void`.
pub(crate) const VOID: i64 = 3;

/// The greatest number of words. They are kept in memory.
pub(crate) const WORDS_MAX: usize = 65_536;
/// The longest text that becomes a word, in bytes. The forms of usage objects are the longest.
pub(crate) const WORD_BYTES_MAX: usize = 2_048;
/// How many texts that were seen once are remembered.
const SEEN_MAX: usize = 65_536;

/// The words that a ledger has.
#[derive(Debug, Default)]
pub(crate) struct Words {
    numbers: HashMap<Box<str>, i64, FastHasher>,
    /// The word with the number `n` is at `n - 1`.
    texts: Vec<Box<str>>,
}

impl Words {
    /// Reads the words that are not loaded yet.
    pub(crate) fn load(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let mut statement =
            connection.prepare_cached("SELECT id, text FROM word WHERE id > ? ORDER BY id")?;
        let mut rows = statement.query([self.len()])?;
        while let Some(row) = rows.next()? {
            let (id, text): (i64, String) = (row.get(0)?, row.get(1)?);
            // A gap means that the table is damaged: the words after it are not used.
            if id != self.len() + 1 {
                break;
            }
            self.push(text.into());
        }
        Ok(())
    }

    fn len(&self) -> i64 {
        i64::try_from(self.texts.len()).unwrap_or(i64::MAX)
    }

    fn push(&mut self, text: Box<str>) {
        let number = self.len() + 1;
        self.texts.push(text.clone());
        self.numbers.insert(text, number);
    }

    /// The number of a text.
    pub(crate) fn number(&self, text: &str) -> Option<i64> {
        self.numbers.get(text).copied()
    }

    /// The text as the dictionary has it, and its number.
    fn entry(&self, text: &str) -> Option<(&str, i64)> {
        self.numbers.get_key_value(text).map(|(text, number)| (&**text, *number))
    }

    /// The text with this number.
    pub(crate) fn text(&self, number: i64) -> Option<&str> {
        let index = usize::try_from(number).ok()?.checked_sub(1)?;
        self.texts.get(index).map(AsRef::as_ref)
    }

    fn has_room(&self, more: usize) -> bool {
        self.texts.len() + more < WORDS_MAX
    }
}

/// How many words a [`Lookup`] remembers.
const REMEMBERED: usize = 256;

/// Looks texts up for the rows of an append, and notes those that are no words.
///
/// It remembers the words that it found last: the observations of a call and its event state the same texts,
/// and so do the calls of a request, and a short comparison finds a word sooner than the dictionary does.
#[derive(Debug)]
pub(crate) struct Lookup<'a> {
    words: &'a Words,
    unknown: &'a mut Unknown,
    recent: Box<[(&'a str, i64); REMEMBERED]>,
}

impl<'a> Lookup<'a> {
    pub(crate) fn new(words: &'a Words, unknown: &'a mut Unknown) -> Self {
        Self { words, unknown, recent: Box::new([("", 0); REMEMBERED]) }
    }

    pub(crate) fn dictionary(&self) -> &'a Words {
        self.words
    }

    /// The next texts are those of another component.
    pub(crate) fn next_component(&mut self) {
        self.unknown.next_component();
    }

    /// The number of a text. A text without one is noted.
    pub(crate) fn number(&mut self, text: &str) -> Option<i64> {
        // Texts that differ usually differ in their ends or lengths.
        let end = text.as_bytes().last_chunk().map_or([0; 2], |end: &[u8; 2]| *end).map(usize::from);
        let slot = &mut self.recent[(end[1] * 31 + end[0] * 7 + text.len() * 17) % REMEMBERED];
        if slot.0 == text && slot.1 != 0 {
            return Some(slot.1);
        }
        let found = self.words.entry(text);
        match found {
            Some(entry) => *slot = entry,
            None => self.unknown.add(text),
        }
        found.map(|(_, number)| number)
    }
}

/// Texts of one append that are not in the dictionary, and in how many components each was seen.
///
/// An observation and its events state the same text several times, which does not make it one that
/// repeats: a component counts once.
#[derive(Debug, Default)]
pub(crate) struct Unknown {
    texts: HashMap<Box<str>, Seen, FastHasher>,
    component: u32,
}

#[derive(Debug, Default)]
struct Seen {
    components: u32,
    last: u32,
}

impl Unknown {
    /// The greatest number of texts of one append that are considered.
    const TEXTS_MAX: usize = 4_096;

    /// The next texts are those of another component.
    pub(crate) fn next_component(&mut self) {
        self.component = self.component.wrapping_add(1);
    }

    pub(crate) fn add(&mut self, text: &str) {
        if text.len() > WORD_BYTES_MAX || text.is_empty() {
            return;
        }
        if let Some(seen) = self.texts.get_mut(text) {
            if seen.last != self.component {
                *seen = Seen { components: seen.components + 1, last: self.component };
            }
        } else if self.texts.len() < Self::TEXTS_MAX {
            self.texts.insert(text.into(), Seen { components: 1, last: self.component });
        }
    }

    /// Adds the texts of another append.
    pub(crate) fn merge(&mut self, other: Self) {
        if self.texts.is_empty() {
            *self = other;
            return;
        }
        self.next_component();
        for (text, seen) in other.texts {
            if self.texts.len() < Self::TEXTS_MAX || self.texts.contains_key(&text) {
                self.texts.entry(text).or_default().components += seen.components;
            }
        }
    }
}

/// Decides which texts become words. The writer has it.
#[derive(Debug, Default)]
pub(crate) struct Admission {
    seen: HashSet<u64>,
    hasher: RandomState,
    /// Words that were written by the present transaction.
    pending: Vec<Box<str>>,
}

impl Admission {
    /// Writes the texts that were seen before, or several times, to the dictionary. Call it once in a
    /// transaction.
    pub(crate) fn admit(
        &mut self,
        connection: &Connection,
        words: &Words,
        unknown: Unknown,
    ) -> rusqlite::Result<()> {
        let texts = unknown.texts.into_iter().map(|(text, seen)| (text, seen.components));
        let mut texts: Vec<_> = texts.collect();
        // The order of a hash map is random. Equal input gives equal files.
        texts.sort();
        for (text, count) in texts {
            if words.number(&text).is_some() {
                continue;
            }
            let hash = self.hasher.hash_one(&text);
            if count < 2 && !self.seen.contains(&hash) {
                if self.seen.len() >= SEEN_MAX {
                    self.seen.clear();
                }
                self.seen.insert(hash);
                continue;
            }
            if !words.has_room(self.pending.len()) {
                continue;
            }
            let number = words.len() + i64::try_from(self.pending.len()).unwrap_or_default() + 1;
            connection
                .prepare_cached("INSERT INTO word (id, text) VALUES (?, ?)")?
                .execute((number, &text))?;
            self.pending.push(text);
        }
        Ok(())
    }

    /// Forgets the words of the present transaction, because it was rolled back.
    pub(crate) fn undo(&mut self) {
        self.pending.clear();
    }

    /// Adds the written words to the dictionary in memory, after the commit.
    pub(crate) fn publish(&mut self, words: &mut Words) {
        for text in self.pending.drain(..) {
            words.push(text);
        }
    }

    pub(crate) fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }
}

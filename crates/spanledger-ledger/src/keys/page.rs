//! The bytes of a page: a part of a run's entries in ascending order.
//!
//! | bytes | |
//! |---|---|
//! | 4 | checksum of the rest; it also depends on the page's id |
//! | 5 | hash of the first entry |
//! | then for each entry | difference of its hash to the previous one as a LEB128 number, and its number counted from the run's first as a little-endian number of the run's width |

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::{Entry, HASH_BITS, error::KeyError, run::Manifest};

const CHECKSUM: usize = size_of::<u32>();
const FIRST: usize = (HASH_BITS / 8) as usize;
/// The greatest length of an entry.
const ENTRY: usize = HASH_BITS.div_ceil(7) as usize + size_of::<u64>();
const GREATEST: u64 = (1 << HASH_BITS) - 1;

/// The part of a key that is stored: its first bits. Two keys that agree in them are as rare as one in 2⁴⁰,
/// and the caller compares what it finds.
pub(super) fn short(key: u64) -> u64 {
    key >> (u64::BITS - HASH_BITS)
}

/// Runs have ids below this: that of a page is an `i64`, and so is that of the page after a run's last.
pub(super) const RUN_IDS: u64 = (1 << 31) - 1;

/// The id of a page in the table.
pub(super) fn page_id(run: u64, page: u64) -> i64 {
    (run << 32 | page).cast_signed()
}

/// The run to which a page belongs.
pub(super) fn run_of(page_id: i64) -> u64 {
    page_id.cast_unsigned() >> 32
}

/// Writes pages, one after the other.
#[derive(Debug, Default)]
pub(super) struct PageWriter {
    bytes: Vec<u8>,
    last: u64,
    entries: u64,
}

impl PageWriter {
    pub(super) fn begin(&mut self) {
        self.bytes.clear();
        self.entries = 0;
    }

    /// Whether another entry fits a page of `limit` bytes. A page always has room for one entry.
    pub(super) fn has_room(&self, limit: usize) -> bool {
        self.entries == 0 || self.bytes.len() + ENTRY <= limit
    }

    /// Entries must arrive in ascending order.
    pub(super) fn push(&mut self, entry: Entry, run: &Manifest) {
        if self.entries == 0 {
            self.bytes.extend([0; CHECKSUM]);
            self.bytes.extend(&entry.hash.to_le_bytes()[..FIRST]);
            self.last = entry.hash;
        }
        let mut difference = entry.hash - self.last;
        while difference >= 0x80 {
            self.bytes.push(difference.to_le_bytes()[0] | 0x80);
            difference >>= 7;
        }
        self.bytes.push(difference.to_le_bytes()[0]);
        // Adding eight bytes and taking some back is quicker than adding a few.
        let end = self.bytes.len() + run.width();
        self.bytes.extend((entry.seq - run.first_seq).to_le_bytes());
        self.bytes.truncate(end);
        self.last = entry.hash;
        self.entries += 1;
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries
    }

    /// The finished page.
    pub(super) fn finish(&mut self, id: i64) -> &[u8] {
        let sum = checksum(&self.bytes[CHECKSUM..], id);
        self.bytes[..CHECKSUM].copy_from_slice(&sum);
        &self.bytes
    }
}

fn checksum(bytes: &[u8], id: i64) -> [u8; CHECKSUM] {
    let [a, b, c, d, ..] = xxh3_64_with_seed(bytes, id.cast_unsigned()).to_le_bytes();
    [a, b, c, d]
}

/// Why a page cannot be read.
pub(super) type Problem = &'static str;

/// The entries of a page, in ascending order. Any bytes can be read; those that are not a page end in a
/// [`Problem`].
#[derive(Debug)]
pub(super) struct Page<'a> {
    rest: &'a [u8],
    last: u64,
    first_seq: u64,
    /// The greatest number, counted from the run's first.
    span: u64,
    width: usize,
    /// The bits of a number of this width.
    mask: u64,
}

impl<'a> Page<'a> {
    pub(super) fn new(bytes: &'a [u8], run: &Manifest, page: u64) -> Result<Self, Problem> {
        let (sum, checked) = bytes.split_first_chunk::<CHECKSUM>().ok_or("it is too short")?;
        if *sum != checksum(checked, page_id(run.id, page)) {
            return Err("its checksum differs");
        }
        Self::unchecked(checked, run)
    }

    /// Reads what follows the checksum.
    pub(super) fn unchecked(bytes: &'a [u8], run: &Manifest) -> Result<Self, Problem> {
        let (first, rest) = bytes.split_first_chunk::<FIRST>().ok_or("it is too short")?;
        if rest.is_empty() {
            return Err("it has no entry");
        }
        let width = run.width();
        Ok(Self {
            rest,
            last: little_endian(first),
            first_seq: run.first_seq,
            span: run.last_seq - run.first_seq,
            width,
            mask: little_endian(&[0xFF; size_of::<u64>()][..width]),
        })
    }

    /// The hash of the first entry, if no entry was read yet.
    pub(super) fn first_hash(&self) -> u64 {
        self.last
    }

    fn entry(&mut self) -> Result<Entry, Problem> {
        let mut difference = 0;
        let mut shift = 0;
        loop {
            let (byte, rest) = self.rest.split_first().ok_or("its last entry is cut off")?;
            self.rest = rest;
            difference |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
            if shift >= HASH_BITS {
                return Err("a hash is too large");
            }
        }
        self.last += difference;
        if self.last > GREATEST {
            return Err("a hash is too large");
        }
        let (number, rest) = self.rest.split_at_checked(self.width).ok_or("its last entry is cut off")?;
        let number = match self.rest.first_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes) & self.mask,
            None => little_endian(number),
        };
        self.rest = rest;
        if number > self.span {
            return Err("a number lies outside of its run");
        }
        Ok(Entry { hash: self.last, seq: self.first_seq + number })
    }
}

impl Iterator for Page<'_> {
    type Item = Result<Entry, Problem>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.entry();
        if entry.is_err() {
            self.rest = &[];
        }
        Some(entry)
    }
}

fn little_endian(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

impl Manifest {
    /// The error of a page of this run.
    pub(super) fn damaged(&self, page: u64, problem: Problem) -> KeyError {
        KeyError::damaged_page(self.id, page, problem)
    }

    /// How many bytes a number takes in the pages of this run.
    pub(super) fn width(&self) -> usize {
        let bits = u64::BITS - (self.last_seq - self.first_seq).leading_zeros();
        bits.div_ceil(8) as usize
    }
}

//! A filter says that a key is certainly not in a run, or that it may be in it.
//!
//! It is a Bloom filter in blocks of one cache line, so that a look-up misses the cache once. A key sets four
//! bits in each of two words of its block: an absent key is nearly always noticed in the first word, and the
//! processor goes on to the next filters while it waits for the memory of this one.

use super::HASH_BITS;

const WORDS: usize = 8;
const WORD_BYTES: usize = size_of::<u64>();
const BLOCK_BITS: u64 = (WORDS * WORD_BYTES * 8) as u64;
/// A run of at least so many keys has the smaller filter: nearly all memory belongs to such runs, and there
/// are few of them.
const LARGE: u64 = 8_000_000;

/// What a look-up needs to know of a hash. It is computed once and asked of many filters.
#[derive(Debug)]
pub(super) struct Probe {
    hash: u64,
    /// A word of the block, and the bits of the key in it.
    first: (usize, u64),
    second: (usize, u64),
}

impl Probe {
    /// `hash` has [`HASH_BITS`] bits.
    pub(super) fn new(hash: u64) -> Self {
        // The beginning of the hash chooses the block. The bits inside the block come of all of its bits, mixed,
        // because the keys of one block have the same beginning.
        let mut mixed = hash.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        mixed ^= mixed >> 32;
        mixed = mixed.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        mixed ^= mixed >> 32;
        let bit = |number: u32| 1 << ((mixed >> (6 * number)) & 63);
        let bits = |from: u32| bit(from) | bit(from + 1) | bit(from + 2) | bit(from + 3);
        // Eight bits take 48 bits of the mixed hash, and the words the next six. The words differ.
        let first = (mixed >> 48) as usize % WORDS;
        let step = 1 + (mixed >> 51) as usize % (WORDS - 1);
        Self { hash, first: (first, bits(0)), second: ((first + step) % WORDS, bits(4)) }
    }
}

/// The filter of one run. Hashes in ascending order fill it from its beginning to its end.
#[derive(Debug)]
pub(super) struct Filter {
    words: Vec<u64>,
    /// How many words precede the first one that begins a cache line.
    skipped: usize,
    blocks: u64,
}

impl Filter {
    /// An empty filter for so many keys: about one absent key in a thousand passes, one in three hundred if
    /// the run is large.
    pub(super) fn new(keys: u64) -> Self {
        let bits_per_key = if keys < LARGE { 16 } else { 12 };
        let blocks = keys.saturating_mul(bits_per_key).div_ceil(BLOCK_BITS).max(1);
        let words = vec![0; (usize::try_from(blocks).unwrap_or(usize::MAX)).saturating_mul(WORDS) + WORDS];
        let line = WORDS * WORD_BYTES;
        let past = words.as_ptr().addr() % line;
        Self { words, skipped: (line - past) % line / WORD_BYTES, blocks }
    }

    pub(super) fn insert(&mut self, hash: u64) {
        let start = self.start(hash);
        let Probe { first, second, .. } = Probe::new(hash);
        for (word, bits) in [first, second] {
            self.words[start + word] |= bits;
        }
    }

    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        let start = self.start(probe.hash);
        [probe.first, probe.second].iter().all(|(word, bits)| self.words[start + word] & bits == *bits)
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.len() * WORD_BYTES
    }

    fn start(&self, hash: u64) -> usize {
        let block = (u128::from(hash) * u128::from(self.blocks)) >> HASH_BITS;
        self.skipped + block as usize * WORDS
    }
}

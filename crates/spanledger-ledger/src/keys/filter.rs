//! A filter says that a key is certainly not in a run, or that it may be in it.
//!
//! It is a Bloom filter in blocks of one cache line, so that a look-up misses the cache once. A key sets one
//! bit in each of the eight words of its block.

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
    masks: [u64; WORDS],
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
        Self { hash, masks: std::array::from_fn(|word| 1 << ((mixed >> (6 * word)) & 63)) }
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
    /// An empty filter for so many keys: about one absent key in a thousand passes, one in two hundred if
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
        for (word, mask) in self.words[start..start + WORDS].iter_mut().zip(Probe::new(hash).masks) {
            *word |= mask;
        }
    }

    pub(super) fn may_contain(&self, probe: &Probe) -> bool {
        let start = self.start(probe.hash);
        // Without a branch for each word: which of them lacks its bit cannot be predicted.
        let missing = self.words[start..start + WORDS]
            .iter()
            .zip(&probe.masks)
            .fold(0, |missing, (word, mask)| missing | (!word & mask));
        missing == 0
    }

    pub(super) fn bytes(&self) -> usize {
        self.words.len() * WORD_BYTES
    }

    fn start(&self, hash: u64) -> usize {
        let block = (u128::from(hash) * u128::from(self.blocks)) >> HASH_BITS;
        self.skipped + block as usize * WORDS
    }
}

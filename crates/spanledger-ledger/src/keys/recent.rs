//! The keys of the latest observations, in memory.

use std::{
    collections::{HashMap, hash_map},
    hash::{BuildHasherDefault, Hasher},
};

use super::{Entry, page::short};

/// Keys are hashes with a secret seed already, so that they need no hashing again.
#[derive(Debug, Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        // Keys are `u64` and take the method below.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// There is no earlier insertion of the key.
const NONE: usize = usize::MAX;

#[derive(Debug)]
struct Inserted {
    key: u64,
    seq: u64,
    /// The place of the previous insertion of this key.
    previous: usize,
}

/// A map from keys to numbers that remembers the order of its insertions, so that the last ones can be taken
/// back.
#[derive(Debug)]
pub(super) struct Recent {
    log: Vec<Inserted>,
    /// The place of each key's latest insertion.
    latest: HashMap<u64, usize, BuildHasherDefault<Identity>>,
}

impl Recent {
    pub(super) fn with_capacity(keys: usize) -> Self {
        Self {
            log: Vec::with_capacity(keys),
            latest: HashMap::with_capacity_and_hasher(keys, BuildHasherDefault::default()),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    /// The same key and number twice in succession count once.
    pub(super) fn insert(&mut self, key: u64, seq: u64) {
        let place = self.log.len();
        let previous = match self.latest.entry(key) {
            hash_map::Entry::Vacant(vacant) => {
                vacant.insert(place);
                NONE
            }
            hash_map::Entry::Occupied(occupied) if self.log[*occupied.get()].seq == seq => return,
            hash_map::Entry::Occupied(mut occupied) => occupied.insert(place),
        };
        self.log.push(Inserted { key, seq, previous });
    }

    /// Takes back all insertions after the first `len`.
    pub(super) fn truncate(&mut self, len: usize) {
        while self.log.len() > len {
            let Some(Inserted { key, previous, .. }) = self.log.pop() else { return };
            if previous == NONE {
                self.latest.remove(&key);
            } else {
                self.latest.insert(key, previous);
            }
        }
    }

    pub(super) fn contains(&self, key: u64) -> bool {
        self.latest.contains_key(&key)
    }

    /// The key's numbers, newest first.
    pub(super) fn find(&self, key: u64) -> impl Iterator<Item = u64> {
        let mut place = self.latest.get(&key).copied().unwrap_or(NONE);
        std::iter::from_fn(move || {
            let inserted = self.log.get(place)?;
            place = inserted.previous;
            Some(inserted.seq)
        })
    }

    /// The least and the greatest number.
    pub(super) fn seqs(&self) -> Option<(u64, u64)> {
        Some((self.log.first()?.seq, self.log.last()?.seq))
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        self.log.iter().map(|inserted| Entry { hash: short(inserted.key), seq: inserted.seq })
    }

    /// About how much memory the map takes.
    pub(super) fn bytes(&self) -> usize {
        // Beside its key and place, the map has one byte for each slot, and an eighth of the slots stays empty.
        self.log.capacity() * size_of::<Inserted>()
            + self.latest.capacity() * (size_of::<(u64, usize)>() + 1) / 7 * 8
    }
}

//! The index against a map, over random histories of groups that are committed, rolled back or cut off.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Numbers below this have a key.
const KEYS: u8 = 24;

#[derive(Debug, Clone, Copy)]
enum End {
    Commit,
    /// The commit fails, and the writer goes on.
    Rollback,
    /// The process ends before the commit and starts again.
    Crash,
    /// The process ends after the commit and starts again.
    Restart,
}

#[derive(Debug, Clone)]
struct Group {
    /// The keys of each job's observation, and whether the job succeeds.
    jobs: Vec<(Vec<u8>, bool)>,
    /// What `maintain` is told.
    observations: usize,
    end: End,
}

fn groups() -> impl Strategy<Value = Vec<Group>> {
    let job = (prop::collection::vec(0..KEYS, 1..5), prop::bool::weighted(0.8));
    let end = prop_oneof![
        8 => Just(End::Commit),
        2 => Just(End::Rollback),
        1 => Just(End::Crash),
        1 => Just(End::Restart),
    ];
    let group = (prop::collection::vec(job, 0..6), 0..6_usize, end)
        .prop_map(|(jobs, observations, end)| Group { jobs, observations, end });
    prop::collection::vec(group, 1..60)
}

/// The observations that were acknowledged.
#[derive(Debug, Default)]
struct Journal(BTreeMap<u64, Vec<u8>>);

impl Journal {
    /// The numbers of a key, newest first.
    fn find(&self, number: u8, after: u64) -> Vec<u64> {
        let later = self.0.range(after + 1..).rev();
        later.filter(|(_, keys)| keys.contains(&number)).map(|(seq, _)| *seq).collect()
    }

    fn reopen(&self, connection: &Connection) -> KeyIndex {
        let mut index = open(connection);
        for (seq, keys) in self.0.range(index.last_seq() + 1..) {
            for number in keys {
                index.insert(key(u64::from(*number)), *seq);
            }
        }
        index
    }

    fn check(&self, index: &KeyIndex, connection: &Connection) {
        let last = last_seq_on_disk(connection).unwrap();
        for number in 0..KEYS {
            let hash = key(u64::from(number));
            let expected = self.find(number, 0);
            assert!(expected.is_empty() || index.may_contain(hash));
            for limit in [2, usize::MAX] {
                let found = index.find(connection, hash, limit).unwrap();
                assert_eq!(found, expected[..limit.min(expected.len())]);
            }
            if !(usize::from(number) + self.0.len()).is_multiple_of(3) {
                continue;
            }
            // A reader without the index finds the same: the later part in the journal, the rest in the tables.
            let mut read = self.find(number, last);
            read.extend(find_on_disk(connection, hash, usize::MAX).unwrap());
            assert_eq!(read, expected);
        }
    }
}

/// Applies the groups and returns what was acknowledged.
fn apply(groups: Vec<Group>, connection: &Connection) -> (KeyIndex, Journal) {
    let mut index = open(connection);
    let mut journal = Journal::default();
    let mut next = 1;
    for group in groups {
        let mark = index.mark();
        let transaction = connection.unchecked_transaction().unwrap();
        let mut staged = Vec::new();
        let mut seq = next;
        for (mut keys, succeeds) in group.jobs {
            let job = index.mark();
            keys.sort_unstable();
            for number in &keys {
                index.insert(key(u64::from(*number)), seq);
            }
            if succeeds {
                staged.push((seq, keys));
                seq += 1;
            } else {
                index.undo(&job);
            }
        }
        index.maintain(&transaction, group.observations).unwrap();
        match group.end {
            End::Commit | End::Restart => {
                transaction.commit().unwrap();
                journal.0.extend(staged);
                next = seq;
            }
            End::Rollback => {
                drop(transaction);
                index.undo(&mark);
            }
            End::Crash => drop(transaction),
        }
        if matches!(group.end, End::Crash | End::Restart) {
            index = journal.reopen(connection);
        }
        journal.check(&index, connection);
    }
    (index, journal)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn the_index_finds_what_was_acknowledged_and_nothing_else(groups in groups()) {
        let connection = connection();
        let (mut index, journal) = apply(groups, &connection);
        // With enough work, nothing but complete runs is left.
        for _ in 0..200 {
            maintain(&mut index, &connection, 20);
        }
        journal.check(&index, &connection);
        let stats = index.stats();
        prop_assert_eq!((stats.merges, stats.unneeded_pages), (0, 0));
        prop_assert_eq!(stats.pages, count(&connection, "key_page"));
        prop_assert_eq!(stats.runs, count(&connection, "key_run"));
        prop_assert!(stats.keys_in_memory < TINY.freeze as u64);
    }
}
